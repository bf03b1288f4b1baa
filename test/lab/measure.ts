/** What a pair of daemons achieves: which way the messages go, how soon, how fast. All of it is asked of their APIs. */
import type { PeerView } from '../../src/api/application/network.ts'
import type { ApiClient } from '../../src/api/client.ts'
import { pause } from '../support/daemons.ts'

/** `punch`: neither end's address is one that the other listens on; `dial`: one is. */
export type Path = 'direct-punch' | 'direct-webrtc' | 'direct-dial' | 'relay' | 'mailbox' | 'none'

export interface Figures {
  readonly path: Path
  /** From "both have joined" until B has A's first message. */
  readonly firstMessageMs: number | null
  /** From "both have joined" until a connection without a relay stands. */
  readonly directMs: number | null
  /** Median, from the order to send until the proof of delivery. */
  readonly rttMs: number | null
  readonly throughputMbit: number | null
}

export const UNREACHED: Figures = {
  path: 'none',
  firstMessageMs: null,
  directMs: null,
  rttMs: null,
  throughputMbit: null,
}

/** One end: its daemon, its account and the port that it listens on. */
export interface End {
  readonly api: ApiClient
  readonly accountId: string
  readonly peerId: string
  readonly listens: number
}

export interface Limits {
  /** For the first message in each direction. */
  readonly reachMs: number
  /** For a direct connection to come about. */
  readonly directMs: number
}

const LOOK_EVERY_MS = 50
const TALK_EVERY_MS = 500
const RTT_SAMPLES = 9
const RTT_MS = 12_000
const TEXT_BYTES = 65_536
/** A few show whether many would end in time. */
const FEW = 4
const MANY = 64
const MANY_WITHIN_MS = 400
const BULK_MS = 12_000

/** Listens to a daemon's events, so that times are those of the events and not of questions. */
class Ear {
  readonly #seen = new Map<string, number>()
  readonly #waiting = new Map<string, (at: number) => void>()
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(api: ApiClient, since: number) {
    this.#done = this.#listen(api, since)
  }

  static async of(api: ApiClient): Promise<Ear> {
    return new Ear(api, (await api.eventsSince(Number.MAX_SAFE_INTEGER, 1)).last)
  }

  /** When that happened to the message, by `performance.now()`; undefined where it does not in time. */
  async hears(type: 'received' | 'delivered', id: string, timeoutMs: number): Promise<number | undefined> {
    const key = `message:${type} ${id}`
    const known = this.#seen.get(key)
    if (known !== undefined) return known
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(key)
        resolve(undefined)
      }, timeoutMs)
      this.#waiting.set(key, (at) => {
        clearTimeout(timer)
        resolve(at)
      })
    })
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#done.catch(() => {})
  }

  async #listen(api: ApiClient, since: number): Promise<void> {
    for await (const item of api.events(since, this.#stop.signal)) {
      if (item.type !== 'event') continue
      const { id } = (item.event.data ?? {}) as { id?: string }
      if (id === undefined) continue
      const key = `${item.event.type} ${id}`
      const now = performance.now()
      this.#seen.set(key, now)
      this.#waiting.get(key)?.(now)
      this.#waiting.delete(key)
    }
  }
}

export const isRelayed = (peer: Pick<PeerView, 'address'>): boolean => peer.address.includes('/p2p-circuit')

interface Direct {
  readonly at: number
  readonly path: Path
}

/** How a direct connection came about, from what both ends see of it. */
export function pathOf(
  seen: Pick<PeerView, 'address' | 'direction'>,
  seenByOther: Pick<PeerView, 'address' | 'direction'> | undefined,
  listens: { readonly own: number; readonly other: number },
): Path {
  if (/\/webrtc/.test(seen.address)) return 'direct-webrtc'
  const portOf = (address: string | undefined): number => Number(/\/tcp\/(\d+)/.exec(address ?? '')?.[1])
  const dialled = portOf(seen.address) === listens.other || portOf(seenByOther?.address) === listens.own
  return dialled ? 'direct-dial' : 'direct-punch'
}

async function directBetween(a: End, b: End): Promise<Path | undefined> {
  const [fromA, fromB] = await Promise.all([a.api.peers(), b.api.peers()])
  const own = fromA.find((peer) => peer.peerId === b.peerId && !isRelayed(peer))
  const other = fromB.find((peer) => peer.peerId === a.peerId && !isRelayed(peer))
  if (own === undefined || other === undefined) return undefined
  return pathOf(own, other, { own: a.listens, other: b.listens })
}

async function waitDirect(a: End, b: End, end: number): Promise<Direct | undefined> {
  do {
    const path = await directBetween(a, b)
    if (path !== undefined) return { at: performance.now(), path }
    await pause(LOOK_EVERY_MS)
  } while (performance.now() < end)
  return undefined
}

class Conversation {
  readonly #a: End
  readonly #b: End
  readonly #earA: Ear
  readonly #earB: Ear

  constructor(ends: readonly [End, End], ears: readonly [Ear, Ear]) {
    ;[this.#a, this.#b] = ends
    ;[this.#earA, this.#earB] = ears
  }

  /** When the first message of each reached the other. */
  async first(timeoutMs: number): Promise<readonly (number | undefined)[]> {
    const there = this.#send(this.#a, this.#b, 'hello')
    const back = this.#send(this.#b, this.#a, 'hello back')
    return Promise.all([
      there.then(async (id) => this.#earB.hears('received', id, timeoutMs)),
      back.then(async (id) => this.#earA.hears('received', id, timeoutMs)),
    ])
  }

  /** Something to say now and then: whoever does not talk needs no better way. */
  async talk(until: Promise<unknown>): Promise<void> {
    const state = { done: false }
    void until.finally(() => (state.done = true))
    while (!state.done) {
      await this.#send(this.#a, this.#b, 'still there?')
      await Promise.race([until, pause(TALK_EVERY_MS)])
    }
  }

  async rtt(): Promise<number | null> {
    const times: number[] = []
    const end = performance.now() + RTT_MS
    while (times.length < RTT_SAMPLES && performance.now() < end) {
      const began = performance.now()
      const id = await this.#send(this.#a, this.#b, 'ping')
      const at = await this.#earA.hears('delivered', id, RTT_MS)
      if (at === undefined) break
      times.push(at - began)
    }
    return times.length === 0 ? null : (times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)] ?? null)
  }

  async throughput(): Promise<number | null> {
    const few = await this.#bulk(FEW)
    if (few === undefined || few > MANY_WITHIN_MS) return rate(FEW, few)
    const many = await this.#bulk(MANY)
    return many === undefined ? rate(FEW, few) : rate(MANY, many)
  }

  /** The way that A's newest message took. */
  async lastPath(): Promise<string> {
    const { items } = await this.#a.api.messages(this.#b.accountId, { limit: 10 })
    return items.find((message) => message.outgoing && message.status !== 'queued')?.path ?? 'none'
  }

  async #bulk(count: number): Promise<number | undefined> {
    const text = 'x'.repeat(TEXT_BYTES)
    const began = performance.now()
    const ids = await Promise.all(Array.from({ length: count }, async () => this.#send(this.#a, this.#b, text)))
    const times = await Promise.all(ids.map(async (id) => this.#earA.hears('delivered', id, BULK_MS)))
    if (times.includes(undefined)) return undefined
    return Math.max(...times.map((at) => at ?? 0)) - began
  }

  async #send(from: End, to: End, text: string): Promise<string> {
    return (await from.api.send(to.accountId, { text })).id
  }
}

function rate(count: number, ms: number | undefined): number | null {
  return ms === undefined ? null : (count * TEXT_BYTES * 8) / ms / 1_000
}

/** Both daemons have just joined. */
export async function measure(a: End, b: End, limits: Limits): Promise<Figures> {
  const began = performance.now()
  const ears = [await Ear.of(a.api), await Ear.of(b.api)] as const
  const talk = new Conversation([a, b], ears)
  try {
    const waiting = waitDirect(a, b, began + limits.directMs)
    const [there, back] = await talk.first(limits.reachMs)
    if (there === undefined || back === undefined) return UNREACHED
    await talk.talk(waiting)
    const direct = await waiting
    const rttMs = await talk.rtt()
    const path = (await talk.lastPath()) === 'direct' ? ((await directBetween(a, b)) ?? 'relay') : 'mailbox'
    // Some take longer than they were given.
    const directAt = direct?.at ?? (path === 'relay' || path === 'mailbox' ? undefined : performance.now())
    const throughputMbit = await talk.throughput()
    return {
      path,
      firstMessageMs: there - began,
      directMs: directAt === undefined ? null : directAt - began,
      rttMs,
      throughputMbit,
    }
  } finally {
    await Promise.all(ears.map(async (ear) => ear.close()))
  }
}
