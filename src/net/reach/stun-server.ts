/**
 * STUN for peers behind routers (RFC 8489, Binding only): on UDP, at the addresses and port numbers where TCP is listened on. It
 * answers 20 bytes with 32 or 44, whoever the sender says it is: rates bound what a forged sender could be sent.
 */
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { STUN_BYTES_MAX, stunAnswer, stunRequestIn } from '../../wire/stun.ts'
import { endpointOf } from '../upgrade/endpoint.ts'

/** From one public network (/24, /48), and from one private address. */
const PER_SOURCE = { perSecond: 5, burst: 30 }
const OVERALL = { perSecond: 500, burst: 1_000 }
const ALL = 'all'

export interface StunServerInit {
  /** Multiaddrs to listen on, as the settings have them. */
  readonly listen: readonly string[]
  readonly clock: Clock
  readonly log: Logger
}

interface Place {
  readonly family: string
  readonly ip: string
  readonly port: number
}

export class StunServer {
  readonly #init: StunServerInit
  readonly #sources: RateLimiter
  readonly #overall: RateLimiter
  readonly #sockets = new Set<Socket>()

  constructor(init: StunServerInit) {
    this.#init = init
    this.#sources = new RateLimiter(PER_SOURCE, init.clock)
    this.#overall = new RateLimiter(OVERALL, init.clock)
  }

  /** A port that is taken by others is done without. `listening`: what TCP got where the settings leave the port open. */
  start(listening: readonly string[]): void {
    const real = listening.flatMap(placeOf)
    for (const { family, ip, port } of this.#init.listen.flatMap(placeOf)) {
      const given = port === 0 ? real.find((place) => place.family === family)?.port : port
      if (given !== undefined) this.#open(family === 'ip6', ip, given)
    }
  }

  stop(): void {
    for (const socket of this.#sockets) socket.close()
    this.#sockets.clear()
  }

  #open(six: boolean, ip: string, port: number): void {
    const socket = six ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4')
    this.#sockets.add(socket)
    socket.on('error', (error) => {
      this.#init.log.warn('STUN is not answered', { error: nameOf(error) })
      if (this.#sockets.delete(socket)) socket.close()
    })
    socket.on('message', (bytes, from) => {
      this.#answer(socket, bytes, from)
    })
    socket.bind(port, ip)
  }

  #answer(socket: Socket, bytes: Uint8Array, { address, port }: RemoteInfo): void {
    if (bytes.length > STUN_BYTES_MAX || port === 0) return
    const transaction = stunRequestIn(bytes)
    const seen = endpointOf(`/${address.includes(':') ? 'ip6' : 'ip4'}/${address.replace(/%.*$/, '')}/tcp/${port}`)
    if (transaction === undefined || seen === undefined) return
    if (!this.#sources.take(sourceNetwork(address) ?? address) || !this.#overall.take(ALL)) return
    socket.send(stunAnswer(transaction, seen.body), port, address, () => {})
  }
}

function placeOf(address: string): readonly Place[] {
  const [, family, ip, port] = /^\/(ip[46])\/([^/]+)\/tcp\/(\d+)/.exec(address) ?? []
  return family === undefined || ip === undefined ? [] : [{ family, ip, port: Number(port) }]
}
