/**
 * The peers that Sotto's own find walks over: *live* ones (holders that are connected or answered lately) and
 * *candidates* (named by others, believed by nobody until they answer). Bounded; no I/O.
 */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { compareDistance } from '../../protocol/replicas.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { PositionOf } from '../peer-id.ts'

/** Live peers; above it the unconnected one farthest from us goes. */
export const LIVE_PEERS_MAX = 1_000
/** Candidates; above it the oldest goes. */
export const CANDIDATES_MAX = 1_000
/** How long a peer counts as live after it was last connected or answered. */
export const LIVE_FOR_MS = 10 * 60_000
const CANDIDATE_FOR_MS = 30 * 60_000
/**
 * How long a peer that failed is not believed on the word of others: twice as long with every further failure, until those who have
 * not noticed do not take it for live themselves.
 */
const FAILED_FOR_MS = 20_000
const FAILED_FOR_MAX_MS = LIVE_FOR_MS
/** How long a peer that has not paid for its id is not looked at. */
const REFUSED_FOR_MS = 10 * 60_000

interface Entry {
  readonly id: string
  readonly position: Uint8Array
  addresses: readonly string[]
  connected: boolean
  seenAtMs: number
}

interface Failure {
  readonly times: number
  readonly atMs: number
  readonly untilMs: number
}

interface Candidate extends Contact {
  /** The addresses are its own word, of the time when it was live. */
  readonly own?: true
}

/** A peer under consideration: nearest first is by its position. */
export interface Contact {
  readonly record: PeerRecord
  readonly position: Uint8Array
}

export class LiveTable {
  readonly #selfId: string
  readonly #self: Uint8Array
  readonly #positionOf: PositionOf
  readonly #clock: Clock
  readonly #live = new Map<string, Entry>()
  readonly #candidates: ExpiringMap<string, Candidate>
  readonly #candidateIds = new Set<string>()
  readonly #failures: ExpiringMap<string, Failure>
  readonly #refused: ExpiringMap<string, true>

  constructor(selfId: string, positionOf: PositionOf, clock: Clock) {
    const self = positionOf(selfId)
    if (self === undefined) throw new TypeError('not a peer id of ours')
    this.#selfId = selfId
    this.#self = self
    this.#positionOf = positionOf
    this.#clock = clock
    this.#candidates = new ExpiringMap(clock, CANDIDATE_FOR_MS, CANDIDATES_MAX)
    this.#failures = new ExpiringMap(clock, 2 * FAILED_FOR_MAX_MS, LIVE_PEERS_MAX)
    this.#refused = new ExpiringMap(clock, REFUSED_FOR_MS, LIVE_PEERS_MAX)
  }

  /** Where we stand ourselves. */
  get selfPosition(): Uint8Array {
    return this.#self
  }

  get size(): number {
    return this.#live.size
  }

  /** A holder showed itself: it is connected, or it answered. `addresses` are its own word; none keeps the old ones. */
  seen(id: string, addresses: readonly string[], connected: boolean): void {
    const position = this.#positionOf(id)
    if (position === undefined || id === this.#selfId || this.isRefused(id)) return
    this.#failures.delete(id)
    const known = this.#live.get(id)
    const named =
      addresses.length > 0 ? addresses : (known?.addresses ?? this.#candidates.get(id)?.record.addresses ?? [])
    this.#dropCandidate(id)
    const entry = known ?? { id, position, addresses: named, connected, seenAtMs: 0 }
    entry.addresses = named
    entry.connected = connected
    entry.seenAtMs = this.#clock.now()
    this.#live.set(id, entry)
    if (this.#live.size > LIVE_PEERS_MAX) this.#dropFarthest()
  }

  /** Its last connection closed; it stays live for a while unless it fails. */
  disconnected(id: string): void {
    const entry = this.#live.get(id)
    if (entry === undefined) return
    entry.connected = false
    entry.seenAtMs = this.#clock.now()
  }

  /**
   * It failed. A live one is put on the bench: once, and after a while, it is tried again as a candidate, since a busy
   * moment is no death. Who fails as a candidate is forgotten until it shows itself, or somebody names it after a time that
   * grows with every failure: those who have not noticed yet must not bring it back. Several questions to one peer fail
   * together: that is one failure. True where it was live.
   */
  evict(id: string): boolean {
    const entry = this.#live.get(id)
    if (entry === undefined && this.hasFailed(id)) return false
    this.#live.delete(id)
    this.#dropCandidate(id)
    this.#bench(id)
    if (entry === undefined) return false
    const { addresses, position } = entry
    if (addresses.length > 0) this.#addCandidate({ record: { id, addresses }, position, own: true })
    return true
  }

  /** It could not be reached at these addresses. Says nothing about an unconnected peer whose own were not all tried. */
  unreachable({ id, addresses }: PeerRecord): boolean {
    if (!this.isConnected(id) && !this.#own(id).every((own) => addresses.includes(own))) return false
    return this.evict(id)
  }

  /** The peer with every address that may be its: its own word first, then what was given, then what others said. */
  withKnown<T extends PeerRecord>(peer: T): T {
    const known = this.record(peer.id)?.addresses ?? []
    return { ...peer, addresses: [...new Set([...this.#own(peer.id), ...peer.addresses, ...known])] }
  }

  /** It is no holder any more. */
  remove(id: string): void {
    this.#live.delete(id)
    this.#dropCandidate(id)
  }

  /** It is no holder, whatever it and others say, for a while. */
  refuse(id: string): void {
    this.remove(id)
    this.#refused.set(id, true)
  }

  isRefused(id: string): boolean {
    return this.#refused.get(id) === true
  }

  /** It says itself that it holds, and nobody has looked yet: a candidate with addresses of its own. */
  introduce({ id, addresses }: PeerRecord): void {
    const position = this.#positionOf(id)
    if (position === undefined || id === this.#selfId || addresses.length === 0) return
    if (this.#isLive(id) || this.isRefused(id)) return
    this.#failures.delete(id)
    this.#addCandidate({ record: { id, addresses }, position, own: true })
  }

  /** Somebody named a peer. Says nothing new about one that is live, or failed a moment ago. */
  learn(record: PeerRecord): void {
    const { id } = record
    if (id === this.#selfId || record.addresses.length === 0) return
    if (this.#isLive(id) || this.hasFailed(id) || this.#candidates.get(id) !== undefined) return
    const position = this.#positionOf(id)
    if (position === undefined) return
    this.#addCandidate({ record, position })
  }

  /** What is known of a live peer or a candidate. */
  record(id: string): PeerRecord | undefined {
    const entry = this.#live.get(id)
    return entry === undefined ? this.#candidates.get(id)?.record : { id, addresses: entry.addresses }
  }

  /** Whether it failed a moment ago, or was refused, and others' word for it counts nothing. */
  hasFailed(id: string): boolean {
    const failure = this.#failures.get(id)
    return (failure !== undefined && failure.untilMs > this.#clock.now()) || this.isRefused(id)
  }

  /** Whether it failed so lately that it is not worth a dial. */
  failedLately(id: string): boolean {
    const failure = this.#failures.get(id)
    return failure !== undefined && this.#clock.now() - failure.atMs < FAILED_FOR_MS
  }

  /** The network was away: that nobody answered says nothing about anybody. */
  forgive(): void {
    this.#failures.clear()
  }

  isLive(id: string): boolean {
    return this.#isLive(id)
  }

  isConnected(id: string): boolean {
    return this.#live.get(id)?.connected ?? false
  }

  /** The live peers nearest to `target`, nearest first. */
  nearestLive(target: Uint8Array, count: number): Contact[] {
    const alive = [...this.#live.values()].filter((entry) => this.#isAlive(entry))
    return nearest(alive, target, count).map((entry) => ({
      record: { id: entry.id, addresses: entry.addresses },
      position: entry.position,
    }))
  }

  /** The candidates nearest to `target`, nearest first. */
  nearestCandidates(target: Uint8Array, count: number): Contact[] {
    const contacts: Contact[] = []
    for (const id of this.#candidateIds) {
      const contact = this.#candidates.get(id)
      if (contact !== undefined && !this.hasFailed(id)) contacts.push(contact)
    }
    return nearest(contacts, target, count)
  }

  /** Whether a candidate might belong to the `count` nearest to us: then a search is worth its cost. */
  hasNearCandidates(count: number): boolean {
    const [candidate] = this.nearestCandidates(this.#self, 1)
    if (candidate === undefined) return false
    return this.isNear(candidate.record.id, count)
  }

  /** Whether the peer stands, or would stand, among the `count` live ones nearest to us. */
  isNear(id: string, count: number): boolean {
    const position = this.#positionOf(id)
    const last = this.nearestLive(this.#self, count)[count - 1]
    return position !== undefined && (last === undefined || compareDistance(this.#self, position, last.position) <= 0)
  }

  /** The peers worth remembering over a restart, those seen last first. */
  remembered(count: number): readonly PeerRecord[] {
    const entries = [...this.#live.values()].filter((entry) => entry.addresses.length > 0)
    entries.sort((a, b) => Number(b.connected) - Number(a.connected) || b.seenAtMs - a.seenAtMs)
    return entries.slice(0, count).map(({ id, addresses }) => ({ id, addresses }))
  }

  #bench(id: string): void {
    const times = (this.#failures.get(id)?.times ?? 0) + 1
    const forMs = Math.min(FAILED_FOR_MS * 2 ** (times - 1), FAILED_FOR_MAX_MS)
    const atMs = this.#clock.now()
    this.#failures.set(id, { times, atMs, untilMs: atMs + forMs })
  }

  #own(id: string): readonly string[] {
    const candidate = this.#candidates.get(id)
    return this.#live.get(id)?.addresses ?? (candidate?.own === true ? candidate.record.addresses : [])
  }

  #isLive(id: string): boolean {
    const entry = this.#live.get(id)
    return entry !== undefined && this.#isAlive(entry)
  }

  #isAlive(entry: Entry): boolean {
    return entry.connected || this.#clock.now() - entry.seenAtMs < LIVE_FOR_MS
  }

  #addCandidate(contact: Candidate): void {
    this.#candidates.set(contact.record.id, contact)
    this.#candidateIds.add(contact.record.id)
    if (this.#candidateIds.size > 2 * CANDIDATES_MAX) this.#sweepCandidates()
  }

  #dropCandidate(id: string): void {
    this.#candidates.delete(id)
    this.#candidateIds.delete(id)
  }

  #sweepCandidates(): void {
    for (const id of this.#candidateIds) if (this.#candidates.get(id) === undefined) this.#candidateIds.delete(id)
  }

  #dropFarthest(): void {
    let worst: Entry | undefined
    for (const entry of this.#live.values()) {
      if (entry.connected) continue
      if (worst === undefined || compareDistance(this.#self, entry.position, worst.position) > 0) worst = entry
    }
    if (worst !== undefined) this.#live.delete(worst.id)
  }
}

/** The `count` nearest, nearest first: insertion into a short list, since the table is long and the answer is not. */
function nearest<T extends { readonly position: Uint8Array }>(
  from: readonly T[],
  target: Uint8Array,
  count: number,
): T[] {
  const best: T[] = []
  for (const item of from) {
    const last = best.at(-1)
    if (best.length >= count && last !== undefined && compareDistance(target, item.position, last.position) >= 0)
      continue
    let at = best.length
    while (at > 0 && compareDistance(target, item.position, best[at - 1]?.position ?? item.position) < 0) at--
    best.splice(at, 0, item)
    if (best.length > count) best.pop()
  }
  return best
}
