/** From where the API may be asked: under this daemon's own names, from its own page, from addresses that are allowed. */
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { UsageError } from '../lib/errors.ts'
import { RequestError } from './errors.ts'

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']

/** One listener as the outside sees it. */
export interface Listener {
  /** What may stand in Host, in lower case, with the port; undefined on the unix socket, which no page can reach by name. */
  readonly names: readonly string[] | undefined
  /** What may stand in Origin behind the scheme: only what nobody else of this machine can serve a page under. */
  readonly origins: readonly string[]
  readonly scheme: 'http' | 'https'
}

export const SOCKET_LISTENER: Listener = { names: undefined, origins: [], scheme: 'http' }

/**
 * `names` are what the owner calls this machine by; a port may be left out where it is the scheme's own. `bound`: the addresses on
 * which the port is ours; on others of loopback, another user may serve pages.
 */
export function tcpListener(names: readonly string[], port: number, tls: boolean, bound: readonly string[]): Listener {
  const plain = [...LOOPBACK_NAMES, ...names.map(bracketed)].map((name) => name.toLowerCase())
  const [v4, v6] = ['127.0.0.1', '::1'].map((own) => bound.some((address) => covers(address, own)))
  const foreign = new Set([
    ...(v4 === true ? [] : ['127.0.0.1']),
    ...(v6 === true ? [] : ['[::1]']),
    ...(v4 === true && v6 === true ? [] : ['localhost']),
  ])
  const withPort = (all: readonly string[]): readonly string[] => [
    ...all.map((name) => `${name}:${port}`),
    ...(port === (tls ? 443 : 80) ? all : []),
  ]
  const origins = withPort(plain.filter((name) => !foreign.has(name)))
  return { names: withPort(plain), origins, scheme: tls ? 'https' : 'http' }
}

/** Whether who listens on one address gets what is sent to the other. */
const covers = (bound: string, own: string): boolean =>
  bound === own || bound === '::' || (bound === '0.0.0.0' && isIP(own) === 4)

const ONCE = new Set(['host', 'origin', 'authorization', 'idempotency-key'])

/** Two of a header that decides: Node takes the first, somebody in between may take the last. */
export function requireSingle(rawHeaders: readonly string[]): void {
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const deciding = names.filter((name) => ONCE.has(name))
  if (new Set(deciding).size === deciding.length) return
  throw new RequestError(400, 'bad-request', 'a header that may stand once stands twice')
}

/** Refuses what a web page elsewhere could send: a foreign Host (DNS rebinding, AP-10) or a foreign Origin. */
export function checkCaller(headers: IncomingHttpHeaders, { names, origins, scheme }: Listener): void {
  const { host, origin } = headers
  if (names !== undefined && !names.includes(host?.toLowerCase() ?? '')) {
    throw new RequestError(403, 'forbidden-host', 'the Host header does not name this daemon')
  }
  if (origin !== undefined && !origins.some((name) => origin.toLowerCase() === `${scheme}://${name}`)) {
    throw new RequestError(403, 'forbidden-origin', 'requests from other origins are refused')
  }
}

export const isLoopback = (host: string): boolean => host === '127.0.0.1' || host === '::1' || host === 'localhost'

/** Beyond this machine only under TLS. Throws UsageError. */
export function requireTlsBeyondLoopback(host: string, hasTls: boolean): void {
  if (isLoopback(host) || hasTls) return
  throw new UsageError(
    'beyond loopback only with TLS: set api.tls.cert and api.tls.key, or use 127.0.0.1 and a tunnel such as ssh -L',
  )
}

/** Which addresses may connect: everyone where the list is empty. Loopback always may. Throws UsageError for what is no range. */
export function allowList(ranges: readonly string[]): (address: string) => boolean {
  if (ranges.length === 0) return () => true
  const list = new BlockList()
  for (const range of [...ranges, '127.0.0.0/8', '::1/128']) addRange(list, range)
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
    const family = isIP(plain)
    return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
  }
}

function addRange(list: BlockList, range: string): void {
  const [address = '', bits, ...more] = range.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity
  if (family === 0 || prefix > most || more.length > 0)
    throw new UsageError('api.allow holds what is no address range (as 192.168.1.0/24)')
  list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
}

function bracketed(name: string): string {
  return isIP(name) === 6 ? `[${name}]` : name
}
