/** Endpoints of the upgrade protocol as multiaddrs, and back. */
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { concat } from '../../lib/bytes.ts'
import type { Endpoint } from '../../wire/upgrade.ts'
import { parseAddress } from '../addresses.ts'

/** Multicodec numbers, each one byte in a binary multiaddr. */
const IP4 = 0x04
const IP6 = 0x29
const TCP = 0x06

/** The endpoint that a multiaddr is, a peer id at its end aside; `undefined` for names, relays and everything but TCP. */
export function endpointOf(text: string): Endpoint | undefined {
  const address = parseAddress(text)
  const [ip, tcp, ...rest] = address?.getComponents() ?? []
  if (address === undefined || rest.length > 1 || rest.some((component) => component.name !== 'p2p')) return undefined
  const port = Number(tcp?.value)
  if (tcp?.name !== 'tcp' || port === 0) return undefined
  if (ip?.name === 'ip4') return { kind: 4, body: { ip: address.bytes.slice(1, 5), port } }
  if (ip?.name === 'ip6') return { kind: 6, body: { ip: address.bytes.slice(1, 17), port } }
  return undefined
}

/** `/ip4/…/tcp/…` or `/ip6/…/tcp/…`. */
export function addressOf({ kind, body }: Endpoint): Multiaddr {
  return multiaddr(
    concat(Uint8Array.of(kind === 4 ? IP4 : IP6), body.ip, Uint8Array.of(TCP, body.port >> 8, body.port & 0xff)),
  )
}
