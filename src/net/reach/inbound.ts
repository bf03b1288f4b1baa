/** Who dialled us and got in: the only thing that proves that an address of ours works. */
import type { Connection } from '@libp2p/interface'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf } from '../addresses.ts'

export interface Arrival {
  /** Where it came from ({@link wideNetwork}); `undefined` where that is private. */
  readonly network: string | undefined
  /** Our end of it. A hole punched in a NAT ends at the port that we dial from, on which nobody listens. */
  readonly ip: string
  readonly port: number
}

/** What our TCP transport leaves in every connection, unseen by libp2p's types. */
interface OverTcp {
  readonly maConn?: { readonly socket?: { readonly localAddress?: string; readonly localPort?: number } }
}

/** `undefined` for what we dialled, what did not come over TCP itself, and what was closed before its ends could be read. */
export function arrivalOf(connection: Connection): Arrival | undefined {
  const from = ipOf(connection.remoteAddr)
  const { localAddress, localPort } = (connection as unknown as OverTcp).maConn?.socket ?? {}
  const [, transport] = connection.remoteAddr.getComponents()
  if (connection.direction !== 'inbound' || from === undefined || transport?.name !== 'tcp') return undefined
  if (localAddress === undefined || localPort === undefined) return undefined
  return { network: wideNetwork(from), ip: localAddress.replace(/^::ffff:(?=\d+\.)/i, ''), port: localPort }
}

/**
 * The /16 (IPv6: /32) of a public address, `undefined` for any other: neighbours in it may see each other past the firewall
 * that keeps everybody else out, and one owner may have many of its smaller networks.
 */
export function wideNetwork(ip: string): string | undefined {
  return sourceNetwork(ip)?.split('.').slice(0, 2).join('.')
}
