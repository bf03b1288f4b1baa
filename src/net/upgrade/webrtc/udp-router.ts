/**
 * What the router in front of us does with UDP: several STUN servers (our own bootstrap and relay peers) are asked from one
 * socket. Only when a meeting may come of it, and not again for some minutes: a peer at rest asks nobody.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import type { Clock } from '../../../lib/clock.ts'
import type { Rng } from '../../../lib/rng.ts'
import { randomBelow } from '../../../lib/rng.ts'
import { stunAnswerIn, stunRequest } from '../../../wire/stun.ts'
import { UDP } from '../../../wire/upgrade.ts'
import type { UdpMapping } from '../../../wire/upgrade.ts'
import type { IceCandidate } from './messages.ts'

const SERVERS_MAX = 4
/** Answers that say what the router does. */
const ENOUGH = 2
/** From the first request to each further one, and to the end (RFC 8489 §6.2.1, for who is not waited for). */
const AGAIN_MS = [250, 600] as const
const DEADLINE_MS = 1_200
const FRESH_MS = 5 * 60_000

interface View {
  readonly mapping: UdpMapping
  /** One that answered, the first. */
  readonly server: IceCandidate | undefined
}
const NOTHING: View = { mapping: UDP.unknown, server: undefined }

export interface UdpRouterInit {
  readonly clock: Clock
  readonly rng: Rng
  /** IPv4 only: in front of IPv6 there is no router that maps. */
  readonly servers: () => readonly IceCandidate[]
  readonly bind: string | undefined
}

export class UdpRouter {
  readonly #init: UdpRouterInit
  #view = NOTHING
  #lookedAt = -Infinity
  #looking: Promise<void> | undefined

  constructor(init: UdpRouterInit) {
    this.#init = init
  }

  mapping(): UdpMapping {
    return this.#view.mapping
  }

  server(): IceCandidate | undefined {
    return this.#view.server
  }

  /** Asks where that was not done lately; ends within {@link DEADLINE_MS}. */
  async look(): Promise<void> {
    const { clock, rng, servers } = this.#init
    if (clock.now() - this.#lookedAt < FRESH_MS) return
    const asked = some(servers(), rng)
    if (asked.length === 0) return
    this.#looking ??= this.#ask(asked).finally(() => {
      this.#looking = undefined
      this.#lookedAt = clock.now()
    })
    await this.#looking
  }

  /** The network may be another one. */
  forget(): void {
    this.#lookedAt = -Infinity
  }

  async #ask(servers: readonly IceCandidate[]): Promise<void> {
    const { clock, rng, bind } = this.#init
    const socket = createSocket('udp4')
    const asked = servers.map((server) => ({ server, ...stunRequest(rng) }))
    const seen = new Map<IceCandidate, string>()
    const over = Promise.withResolvers<void>()
    socket.on('error', over.resolve)
    socket.on('message', (bytes) => {
      for (const { server, transaction } of asked) {
        const mapped = stunAnswerIn(bytes, transaction)
        if (mapped !== undefined) seen.set(server, `${mapped.ip.join('.')}:${mapped.port}`)
      }
      if (seen.size >= Math.min(ENOUGH, asked.length)) over.resolve()
    })
    const send = (): void => {
      for (const { server, bytes } of asked) if (!seen.has(server)) post(socket, bytes, server)
    }
    socket.bind(0, bind, send)
    const cancels = AGAIN_MS.map((ms) => clock.after(ms, send))
    cancels.push(clock.after(DEADLINE_MS, over.resolve))
    await over.promise
    for (const cancel of cancels) cancel()
    socket.close()
    this.#view = judge(seen)
  }
}

/** At random: none of them is to hear of everybody. */
function some(servers: readonly IceCandidate[], rng: Rng): readonly IceCandidate[] {
  const rest = [...new Map(servers.map((server) => [`${server.ip}:${server.port}`, server])).values()]
  const chosen: IceCandidate[] = []
  while (chosen.length < SERVERS_MAX && rest.length > 0) chosen.push(...rest.splice(randomBelow(rng, rest.length), 1))
  return chosen
}

function post(socket: Socket, bytes: Uint8Array, { ip, port }: IceCandidate): void {
  socket.send(bytes, port, ip, () => {}) // unreachable: no answer will come
}

/** One server alone sees one address whatever the router does. */
function judge(seen: ReadonlyMap<IceCandidate, string>): View {
  const [server] = seen.keys()
  if (server === undefined) return { mapping: UDP.none, server }
  if (seen.size === 1) return { mapping: UDP.unknown, server }
  const same = new Set(seen.values()).size === 1
  return { mapping: same ? UDP.endpointIndependent : UDP.perDestination, server }
}
