/** The machine's network interfaces: what changes when a laptop moves, and which addresses are next door. */
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** An address of ours that others can reach us by; loopback is none. */
export interface OwnInterface {
  readonly address: string
  /** Address and length of the prefix: `192.168.1.7/24`. */
  readonly cidr: string
}

/** Asks the system; some 50 µs. Interfaces that are down, or without a carrier, are not in it. */
export function ownInterfaces(): readonly OwnInterface[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses
      // Link-local addresses come and go with every container, and nobody is reached by them.
      .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
      .map(({ address, cidr }) => ({ address, cidr: cidr ?? address })),
  )
}

/** The same text for the same interfaces; empty without any. */
export function fingerprint(interfaces: readonly OwnInterface[]): string {
  return interfaces
    .map(({ cidr }) => cidr)
    .sort()
    .join(' ')
}

/** Whether an IPv4 address stands in the network of one of the interfaces. A prefix below 8 bits says nothing. */
export function isNextDoor(ip: string, interfaces: readonly OwnInterface[]): boolean {
  const wanted = bitsOf(ip)
  return interfaces.some(({ cidr }) => {
    const [network = '', length = ''] = cidr.split('/')
    const [own, bits] = [bitsOf(network), Number(length)]
    if (wanted === undefined || own === undefined || !(bits >= 8 && bits <= 32)) return false
    return wanted >>> (32 - bits) === own >>> (32 - bits)
  })
}

function bitsOf(ip: string): number | undefined {
  if (!isIPv4(ip)) return undefined
  return ip.split('.').reduce((bits, part) => (bits * 256 + Number(part)) >>> 0, 0)
}
