/**
 * What the router in front of us does with UDP: several STUN servers (our own bootstrap and relay peers) are asked from one
 * socket. Only when a meeting may come of it, and not again for some minutes: a peer at rest asks nobody.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import type { Clock } from '../../../lib/clock.ts'
import type { Rng } from '../../../lib/rng.ts'
import { randomBelow } from '../../../lib/rng.ts'
import { sourceNetwork } from '../../../protocol/replicas.ts'
import { stunAnswerIn, stunRequest } from '../../../wire/stun.ts'
import { UDP } from '../../../wire/upgrade.ts'
import type { UdpMapping } from '../../../wire/upgrade.ts'
import type { IceCandidate } from './messages.ts'

const SERVERS_MAX = 4
/** Networks from which the same has to be said: one server alone may lie, and a host can have many addresses. */
const AGREEING_MIN = 2
/** From the first request to each further one, and to the end (RFC 8489 §6.2.1, for who is not waited for). */
const AGAIN_MS = [250, 600] as const
const DEADLINE_MS = 1_200
const FRESH_MS = 5 * 60_000

interface View {
  readonly mapping: UdpMapping
  /** One that answered, one that was agreed with if there is any. */
  readonly server: IceCandidate | undefined
  /** Where we come from, by servers that agree. */
  readonly ip: string | undefined
}
const NOTHING: View = { mapping: UDP.unknown, server: undefined, ip: undefined }

interface Look {
  readonly done: Promise<void>
  readonly end: () => void
}
/** By the server, what it saw. */
type Seen = ReadonlyMap<IceCandidate, IceCandidate>

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
  #look: Look | undefined
  #stopped = false

  constructor(init: UdpRouterInit) {
    this.#init = init
  }

  mapping(): UdpMapping {
    return this.#view.mapping
  }

  server(): IceCandidate | undefined {
    return this.#view.server
  }

  /** Our IPv4 address as servers of two networks see it. */
  ip(): string | undefined {
    return this.#view.ip
  }

  /** Asks where that was not done lately; ends within {@link DEADLINE_MS}. */
  async look(): Promise<void> {
    const { clock, rng, servers } = this.#init
    if (this.#stopped || clock.now() - this.#lookedAt < FRESH_MS) return
    if (this.#look === undefined) {
      const asked = some(servers(), rng)
      if (asked.length === 0) return
      this.#look = this.#begin(asked)
    }
    await this.#look.done
  }

  /** The network may be another one: what is being found out is of the old one, and not kept. */
  forget(): void {
    this.#lookedAt = -Infinity
    this.#look?.end()
    this.#look = undefined
  }

  stop(): void {
    this.#stopped = true
    this.forget()
  }

  #begin(servers: readonly IceCandidate[]): Look {
    const over = Promise.withResolvers<void>()
    const end = (): void => {
      over.resolve()
    }
    const found = this.#ask(servers, over.promise, end)
    const keep = async (): Promise<void> => {
      const seen = await found
      if (this.#look !== look) return
      this.#look = undefined
      this.#lookedAt = this.#init.clock.now()
      this.#view = judge(seen)
    }
    const look: Look = { done: keep(), end }
    return look
  }

  async #ask(servers: readonly IceCandidate[], over: Promise<void>, end: () => void): Promise<Seen> {
    const { clock, rng, bind } = this.#init
    const socket = createSocket('udp4')
    const asked = servers.map((server) => ({ server, ...stunRequest(rng) }))
    const seen = new Map<IceCandidate, IceCandidate>()
    socket.on('error', end)
    socket.on('message', (bytes) => {
      for (const { server, transaction } of asked) {
        const mapped = stunAnswerIn(bytes, transaction)
        if (mapped?.ip.length === 4) seen.set(server, { ip: mapped.ip.join('.'), port: mapped.port })
      }
      if (agreed(seen, addressOf) !== undefined || seen.size === asked.length) end()
    })
    const send = (): void => {
      for (const { server, bytes } of asked) if (!seen.has(server)) post(socket, bytes, server)
    }
    socket.bind(0, bind, send)
    const cancels = AGAIN_MS.map((ms) => clock.after(ms, send))
    cancels.push(clock.after(DEADLINE_MS, end))
    await over
    for (const cancel of cancels) cancel()
    socket.close()
    return seen
  }
}

/** At random, none of them is to hear of everybody; of as many networks as there are. */
function some(servers: readonly IceCandidate[], rng: Rng): readonly IceCandidate[] {
  const rest = [...new Map(servers.map((server) => [addressOf(server), server])).values()]
  const mixed: IceCandidate[] = []
  while (rest.length > 0) mixed.push(...rest.splice(randomBelow(rng, rest.length), 1))
  const first = new Map(mixed.map((server) => [networkOf(server), server]))
  return [...new Set([...first.values(), ...mixed])].slice(0, SERVERS_MAX)
}

function post(socket: Socket, bytes: Uint8Array, { ip, port }: IceCandidate): void {
  try {
    socket.send(bytes, port, ip, () => {}) // unreachable: no answer will come
  } catch {
    // Node throws for what is no address or a socket that just failed: no answer will come, either
  }
}

/** What two networks say alike. */
function agreed(seen: Seen, what: (said: IceCandidate) => string): string | undefined {
  for (const each of new Set([...seen.values()].map(what))) {
    const saying = [...seen].filter(([, said]) => what(said) === each)
    if (networks(saying.map(([server]) => server)) >= AGREEING_MIN) return each
  }
  return undefined
}

/** One network alone sees one address whatever the router does. */
function judge(seen: Seen): View {
  const ip = agreed(seen, (said) => said.ip)
  const [server] = [...seen].find(([, said]) => said.ip === ip) ?? [...seen.keys()]
  if (agreed(seen, addressOf) !== undefined) return { mapping: UDP.endpointIndependent, server, ip }
  if (server === undefined) return { mapping: UDP.none, server, ip }
  return { mapping: networks([...seen.keys()]) < AGREEING_MIN ? UDP.unknown : UDP.perDestination, server, ip }
}

function networks(servers: readonly IceCandidate[]): number {
  return new Set(servers.map(networkOf)).size
}

function networkOf({ ip }: IceCandidate): string {
  return sourceNetwork(ip) ?? ip
}

function addressOf({ ip, port }: IceCandidate): string {
  return `${ip}:${port}`
}
