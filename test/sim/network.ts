/**
 * The wire between processes: the product's frames, encoded and decoded each time, over streams that stall, reorder, repeat,
 * break and fall silent in one direction.
 *
 * A stream is TCP's: a packet that is lost comes later (again and again after 0.3 s, 0.6 s …), the fourth loss in a row breaks the
 * stream. Into a partition everything vanishes without a word, until the stream is given up after half a minute. Requests on one
 * stream are answered in any order. Who was killed is missed by some at once (the port is closed), by others never.
 */
import { toHex, utf8 } from '../../src/lib/bytes.ts'
import { byDistance } from '../../src/protocol/replicas.ts'
import type { HolderHandler, HolderNetwork } from '../../src/services/ports.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import type { Dice, Scheduler } from './scheduler.ts'

/** Frames as they are counted (see README). */
export const EVENT = { sent: 5, arrived: 6, lookup: 7, stream: 8 } as const
const RETRANSMIT_MS = 300
const LOSSES_MAX = 4
const GIVE_UP_MS = 30_000
/** From here on the product may well have asked somebody else. */
const SLOW_MS = 1_000

export interface Weather {
  /** Share of packets that are lost. */
  loss: number
  duplicate: number
  /** Share of frames that take 1 to 8 s. */
  slow: number
  /** Share of live peers that a lookup misses. */
  misses: number
  /** Share of peers gone that a lookup still names. */
  stale: number
}

export const CALM: Weather = { loss: 0, duplicate: 0, slow: 0, misses: 0, stale: 0 }

/** One peer on the wire: a process that may be there or not. */
export interface Peer {
  readonly peerId: string
  readonly ip: string
  /** A new object for each life of the process. */
  life: Life
}

/** What ends with the process. */
export class Life {
  up = false
  handler: HolderHandler | undefined
  onFrame: ((peerId: string, frame: DirectFrame) => Promise<void>) | undefined
  readonly onPeer = new Set<(peerId: string, connected: boolean) => void>()
  readonly onPush = new Set<PushListener>()
}

type PushListener = Parameters<HolderNetwork['onPush']>[0]

/** Whatever looks at bytes that cross the wire. */
export type Tap = (from: string, to: string, bytes: Uint8Array) => void

export class Network {
  readonly scheduler: Scheduler
  readonly dice: Dice
  weather: Weather = CALM
  tap: Tap = () => {}
  /** What is asked, before it is bytes. */
  onRequest: (from: string, request: HolderRequest) => void = () => {}
  /** What was answered, as it leaves. */
  onAnswered: (holder: string, request: HolderRequest, status: HolderResponse['status']) => void = () => {}
  /** Directions that nothing passes, as `from>to`. */
  readonly blocked = new Set<string>()
  /** The direct stream of each pair. */
  readonly directs = new Map<string, Direct>()
  readonly #peers = new Map<string, Peer>()
  readonly #records = new Map<Peer, PeerRecord>()
  readonly #positions = new Map<string, Uint8Array>()
  readonly #orders = new Map<string, readonly Peer[]>()
  readonly #streams = new Set<Stream>()
  readonly #trouble = new Map<string, number>()
  readonly #holders = new Set<string>()

  constructor(scheduler: Scheduler, dice: Dice, sha256: (bytes: Uint8Array) => Uint8Array) {
    this.scheduler = scheduler
    this.dice = dice
    this.position = (peerId) => {
      const known = this.#positions.get(peerId) ?? sha256(utf8(peerId))
      this.#positions.set(peerId, known)
      return known
    }
  }

  readonly position: (peerId: string) => Uint8Array

  join(peer: Peer, holder: boolean): void {
    this.#peers.set(peer.peerId, peer)
    if (holder) this.#holders.add(peer.peerId)
    this.#orders.clear()
  }

  peer(peerId: string): Peer | undefined {
    return this.#peers.get(peerId)
  }

  record(peer: Peer): PeerRecord {
    const record = this.#records.get(peer) ?? { id: peer.peerId, addresses: [`/ip4/${peer.ip}/tcp/4001`] }
    this.#records.set(peer, record)
    return record
  }

  /** All holders, nearest first. */
  order(target: Uint8Array): readonly Peer[] {
    const name = toHex(target)
    const known = this.#orders.get(name)
    if (known !== undefined) return known
    const all = [...this.#holders].map((peerId) => ({ peerId, position: this.position(peerId) }))
    const order = byDistance(target, all).map(({ peerId }) => this.#peers.get(peerId) as Peer)
    if (this.#orders.size > 4_096) this.#orders.clear()
    this.#orders.set(name, order)
    return order
  }

  /** Whether these two had no trouble with one another since `since`. */
  isClean(a: string, b: string, since: number): boolean {
    return (this.#trouble.get(pair(a, b)) ?? 0) < since
  }

  /** Something went wrong between two. */
  trouble(a: string, b: string): void {
    this.#trouble.set(pair(a, b), this.scheduler.now())
  }

  /** Something may go wrong between this one and anybody. */
  troubleOf(peerId: string, others: Iterable<string>): void {
    for (const other of others) this.trouble(peerId, other)
  }

  delayMs(): number {
    const { dice } = this
    if (dice.chance(this.weather.slow)) return dice.between(SLOW_MS, 8_000)
    return 20 + dice.exponential(60)
  }

  /** A frame on its way; `lost` is called where it never comes. */
  carry(from: Peer, to: Peer, bytes: Uint8Array, arrived: () => void, lost: () => void): void {
    const { scheduler, dice, weather } = this
    scheduler.count(EVENT.sent)
    this.tap(from.peerId, to.peerId, bytes)
    if (this.blocked.has(`${from.peerId}>${to.peerId}`)) {
      this.trouble(from.peerId, to.peerId)
      scheduler.after(GIVE_UP_MS, lost)
      return
    }
    let delay = this.delayMs()
    let losses = 0
    while (losses < LOSSES_MAX && dice.chance(weather.loss)) delay += RETRANSMIT_MS * 2 ** losses++
    if (delay > SLOW_MS / 2) this.trouble(from.peerId, to.peerId)
    if (losses === LOSSES_MAX) {
      scheduler.after(delay, lost)
      return
    }
    const life = to.life
    scheduler.after(delay, () => {
      if (!life.up || to.life !== life) return
      scheduler.count(EVENT.arrived)
      arrived()
    })
  }

  add(stream: Stream): void {
    this.scheduler.count(EVENT.stream)
    this.#streams.add(stream)
  }

  drop(stream: Stream): void {
    this.#streams.delete(stream)
  }

  /** The process behind this peer is gone, or its cable is out: its own end of each stream ends now. */
  gone(peer: Peer): void {
    for (const stream of this.#streams) {
      if (stream.client !== peer && stream.server !== peer) continue
      this.#streams.delete(stream)
      stream.ended(peer)
      const delay = this.dice.chance(0.5) ? this.delayMs() : GIVE_UP_MS
      this.scheduler.after(delay, () => {
        stream.close()
      })
    }
  }

  /** Whether a new connection between two comes about. */
  reaches(from: Peer, to: Peer): boolean {
    const open = !this.blocked.has(`${from.peerId}>${to.peerId}`) && !this.blocked.has(`${to.peerId}>${from.peerId}`)
    if (!open) this.trouble(from.peerId, to.peerId)
    return open && from.life.up && to.life.up
  }
}

export function pair(a: string, b: string): string {
  return a < b ? a + b : b + a
}

/** Rejects once the signal is given; the returned function takes the listener away. */
export function onAbort(signal: AbortSignal, action: (reason: Error) => void): () => void {
  const listener = (): void => {
    action(signal.reason as Error)
  }
  signal.addEventListener('abort', listener, { once: true })
  return () => {
    signal.removeEventListener('abort', listener)
  }
}

/** One stream, as both ends see it. */
export interface Stream {
  readonly client: Peer
  readonly server: Peer
  /** One end is no more. */
  ended(peer: Peer): void
  /** Both ends know. */
  close(): void
}

/** A stream between two devices, which either may write to. */
export interface Direct extends Stream {
  isOpenAt(peer: Peer): boolean
  write(from: Peer, frame: DirectFrame): void
}
