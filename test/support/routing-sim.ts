/**
 * Many peers' tables and the product's own find between them, without a network: `LiveTable` and `find` are those of `src/net`, only
 * the link is a function call. Peers join one after another by one that is there, as hosts do: they look for themselves, and whoever
 * was asked knows the asker from then on. So the tables have what they would have, not what a model gives them.
 */
import { createHash } from 'node:crypto'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { NetworkError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { randomBelow } from '../../src/lib/rng.ts'
import { find } from '../../src/net/find/find.ts'
import { LiveTable } from '../../src/net/find/live-table.ts'
import { compareDistance } from '../../src/protocol/replicas.ts'
import type { HolderLink } from '../../src/net/ports.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'

const NEAR_PEERS = 20
/** How finely simulated time is told. */
const STEP_MS = 10
const ADDRESSES = ['/ip4/8.8.8.8/tcp/1']

export interface SimLookup {
  /** Questions one after another until the nearest of all was found: 1 where the asker's own table named it. */
  readonly hops: number
  readonly queries: number
  /** Simulated, where the network has a round trip. */
  readonly ms: number
  /** Of the `count` nearest of the whole network, how many were found. */
  readonly found: number
}

export interface SimInit {
  readonly peers: number
  readonly rng: Rng
  /** Random finds that each peer makes after joining, as those who have mail to send do. */
  readonly findsEach: number
}

interface Call {
  readonly depths: Map<string, number>
  queries: number
  readonly delay: (peerId: string) => Promise<void>
}

export class RoutingSim {
  readonly dead = new Set<string>()
  readonly #ids: string[] = []
  readonly #rng: Rng
  readonly #clock = new VirtualClock()
  readonly #tables = new Map<string, LiveTable>()
  readonly #positions = new Map<string, Uint8Array>()
  readonly #never = new AbortController().signal

  private constructor(rng: Rng) {
    this.#rng = rng
  }

  static async grown({ peers, rng, findsEach }: SimInit): Promise<RoutingSim> {
    const sim = new RoutingSim(rng)
    for (let i = 0; i < peers; i++) await sim.#join(`peer ${i}`)
    // The keeper looks for itself again, when the network has grown.
    for (const id of sim.#ids) {
      await sim.#look(id, sim.#place(id), NEAR_PEERS)
      for (let i = 0; i < findsEach; i++) await sim.#look(id, rng.bytes(32), NEAR_PEERS)
    }
    return sim
  }

  /** A find of `count` by a peer drawn at random that lives; every answer takes `roundTripMs`, the dead never answer. */
  async lookup(
    count: number,
    options: { readonly alpha?: number; readonly roundTripMs?: number } = {},
  ): Promise<SimLookup> {
    const alive = this.#ids.filter((id) => !this.dead.has(id))
    const from = alive[randomBelow(this.#rng, alive.length)] ?? ''
    const target = this.#rng.bytes(32)
    const startMs = this.#clock.now()
    const { roundTripMs = 0 } = options
    const delay = async (): Promise<void> => {
      if (roundTripMs > 0) await new Promise<void>((resolve) => this.#clock.after(roundTripMs, resolve))
    }
    const call: Call = { depths: new Map(), queries: 0, delay }
    const finding = this.#look(from, target, count, call, options.alpha)
    const found = roundTripMs > 0 ? await this.#inTime(finding) : await finding
    const truth = this.#nearest(alive, target, count, from)
    return {
      hops: call.depths.get(truth[0] ?? '') ?? Number.POSITIVE_INFINITY,
      queries: call.queries,
      ms: this.#clock.now() - startMs,
      found: truth.filter((id) => found.some((record) => record.id === id)).length,
    }
  }

  /** A find by a peer of one's choice, in the simulated time of `roundTripMs`; whoever was asked is told to `met`. */
  async walk(from: string, target: Uint8Array, count: number, met: (peerId: string) => void, roundTripMs: number) {
    const delay = async (peerId: string): Promise<void> => {
      met(peerId)
      await new Promise<void>((resolve) => this.#clock.after(roundTripMs, resolve))
    }
    return this.#inTime(this.#look(from, target, count, { depths: new Map(), queries: 0, delay }))
  }

  get now(): number {
    return this.#clock.now()
  }

  get ids(): readonly string[] {
    return this.#ids
  }

  /** A newcomer that knows one peer. */
  async join(id: string): Promise<void> {
    await this.#join(id)
  }

  async #inTime<T>(finding: Promise<T>): Promise<T> {
    const state = { over: false }
    const done = finding.finally(() => (state.over = true))
    while (!state.over) await this.#clock.advance(STEP_MS)
    return done
  }

  #place(id: string): Uint8Array {
    return this.#positions.get(id) ?? new Uint8Array(32)
  }

  async #join(id: string): Promise<void> {
    this.#positions.set(id, createHash('sha256').update(id).digest())
    this.#tables.set(id, new LiveTable(id, (peerId) => this.#positions.get(peerId), this.#clock))
    const [bootstrap] = this.#ids.length === 0 ? [] : [this.#ids[randomBelow(this.#rng, this.#ids.length)]]
    this.#ids.push(id)
    if (bootstrap === undefined) return
    this.#meet(id, bootstrap)
    await this.#look(id, this.#place(id), NEAR_PEERS)
  }

  #meet(a: string, b: string): void {
    this.#tables.get(a)?.seen(b, ADDRESSES, true)
    this.#tables.get(b)?.seen(a, ADDRESSES, true)
  }

  async #look(
    from: string,
    target: Uint8Array,
    count: number,
    call: Call = { depths: new Map(), queries: 0, delay: async () => {} },
    alpha?: number,
  ): Promise<readonly PeerRecord[]> {
    const table = this.#tables.get(from)
    if (table === undefined) throw new TypeError('no such peer')
    for (const contact of table.nearestLive(target, count)) call.depths.set(contact.record.id, 1)
    const deps = {
      table,
      positionOf: (id: string) => this.#positions.get(id),
      clock: this.#clock as Clock,
      log: silentLogger,
      selfId: from,
      link: async (peer: PeerRecord) => this.#link(from, peer, call),
      clean: (records: readonly PeerRecord[]) => records.filter(({ id }) => id !== from && !table.hasFailed(id)),
      failed: (peer: PeerRecord) => void table.evict(peer.id),
      ...(alpha === undefined ? {} : { alpha }),
    }
    return find(deps, target, count, this.#never)
  }

  async #link(from: string, { id }: PeerRecord, call: Call): Promise<HolderLink> {
    call.queries++
    if (this.dead.has(id)) {
      await call.delay(id)
      throw new NetworkError('nobody is there')
    }
    this.#meet(from, id)
    return {
      peerId: id,
      challenge: new Uint8Array(32),
      alive: true,
      request: async (request) => {
        await call.delay(id)
        const target = request.kind === 9 ? request.body.target : new Uint8Array(32)
        const closer =
          this.#tables
            .get(id)
            ?.nearestLive(target, NEAR_PEERS)
            .map(({ record }) => record) ?? []
        const depth = (call.depths.get(id) ?? 1) + 1
        for (const record of closer) if (!call.depths.has(record.id)) call.depths.set(record.id, depth)
        return { status: 0, answer: { kind: 0, body: {} }, closer }
      },
    }
  }

  #nearest(ids: readonly string[], target: Uint8Array, count: number, except: string): string[] {
    const best: string[] = []
    for (const id of ids) {
      if (id === except) continue
      const place = this.#place(id)
      let at = best.length
      while (at > 0 && compareDistance(target, place, this.#place(best[at - 1] ?? '')) < 0) at--
      if (at < count) best.splice(at, 0, id)
      if (best.length > count) best.pop()
    }
    return best
  }
}
