/**
 * TCP whose dials leave from one local port, so that a router in front of us shows one address for all of them, and a
 * simultaneous dial to and from that address opens both routers (RFC 5128 §3.4). On unmodified packages: libuv sets
 * SO_REUSEADDR, so many outgoing connections may share a port on which nobody listens. Where the system does not let them
 * (the same destination again within TIME_WAIT; macOS, Windows) the dial leaves from any port.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Connection, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { TCPComponents, TCPDialOptions, TCPSocketOptions } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { NetworkError } from '../../lib/errors.ts'

type TcpTransport = ReturnType<ReturnType<typeof tcp>>
type Components = TCPComponents & { readonly upgrader: Upgrader }

export class TcpDialer {
  /** What libp2p dials and listens with; to be given to one node. */
  readonly transport: (components: Components) => Transport
  readonly #fromPort = new WeakSet<Connection>()
  #components: Components | undefined
  readonly #freePort: () => Promise<number>
  #fixed: Promise<TcpTransport> | undefined

  /** @param drawPort a port that nobody uses */
  constructor(drawPort: () => Promise<number> = freePort) {
    this.#freePort = drawPort
    this.transport = (components) => {
      this.#components = components
      const plain = tcp()(components)
      const anyPort = plain.dial.bind(plain)
      return Object.assign(plain, {
        dial: async (address: Multiaddr, options: TCPDialOptions) => this.#dial(address, options, anyPort),
      })
    }
  }

  /** Whether the connection left from the one port: what its peer saw of it holds for others. */
  leftFromPort(connection: Connection): boolean {
    return this.#fromPort.has(connection)
  }

  /**
   * One try to meet a peer who dials us at the same moment. Both sides' sockets are outgoing, so the roles above TCP are
   * agreed: the initiator speaks first, the other is secured and multiplexed as if it had been dialled. The address names
   * the peer, and anyone else who answers is refused. Throws what the dial or the handshake throws.
   *
   * @param signal must not be given after the try is over (no `AbortSignal.timeout`): the socket keeps it, and would be destroyed.
   */
  async punch(address: Multiaddr, initiator: boolean, signal: AbortSignal): Promise<Connection> {
    const components = this.#components
    if (components === undefined) throw new NetworkError('the transport is not in use')
    const upgrader = initiator ? components.upgrader : turned(components.upgrader)
    const connection = await (await this.#fixedPort()).dial(address, { upgrader, signal })
    this.#fromPort.add(connection)
    return connection
  }

  async #dial(address: Multiaddr, options: TCPDialOptions, anyPort: TcpTransport['dial']): Promise<Connection> {
    const fixed = await this.#fixedPort().catch(() => undefined)
    if (fixed === undefined) return anyPort(address, options)
    try {
      const connection = await fixed.dial(address, { ...options })
      this.#fromPort.add(connection)
      return connection
    } catch (error) {
      if (options.signal.aborted || !isTaken(error)) throw error
      return anyPort(address, options)
    }
  }

  /** Drawn once: a port that was used before a restart is in TIME_WAIT towards those we knew. Drawn again where there was none. */
  async #fixedPort(): Promise<TcpTransport> {
    this.#fixed ??= this.#drawPort().catch((error: unknown) => {
      this.#fixed = undefined
      throw error
    })
    return this.#fixed
  }

  async #drawPort(): Promise<TcpTransport> {
    const localPort = await this.#freePort()
    const components = this.#components
    if (components === undefined) throw new NetworkError('the transport is not in use')
    return tcp({ dialOpts: { localPort } as TCPSocketOptions })(components) // handed on to node:net, which knows it
  }
}

/** yamux takes its role from the socket's direction, and so do all who read it later. */
function turned(upgrader: Upgrader): Upgrader {
  const turn: Pick<Upgrader, 'upgradeOutbound'> = {
    upgradeOutbound: async (raw: MultiaddrConnection, options) => {
      raw.direction = 'inbound'
      return upgrader.upgradeOutbound(raw, { ...options, initiator: false })
    },
  }
  return Object.assign(Object.create(upgrader) as Upgrader, turn)
}

/** The port is not to be had for this destination: nothing was sent. */
function isTaken(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code
  return code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL'
}

/** A port that the system has free at the moment. */
async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
