/**
 * Sotto's own find: the peers nearest to a target, each of which answered.
 *
 * 1. The shortlist begins with the nearest live peers and the nearest candidates of the table.
 * 2. Up to α = 5 queries (verb FIND) run side by side, the nearest unasked peer first. Among the `WIDTH` nearest
 *    everyone is asked; farther off only who is not known to be alive, until one fails that was: then all are asked.
 * 3. An answer's closer peers join the shortlist as candidates. Who fails leaves it and the table.
 * 4. It ends when nobody is left to ask among the `count` nearest. A query that takes long does not hold up the others, and
 *    after a while it is not waited for: who is late is not in the result, and is judged when its own deadline passes.
 */
import type { Clock } from '../../lib/clock.ts'
import { messageOf, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import { compareDistance } from '../../protocol/replicas.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Contact, LiveTable } from './live-table.ts'
import type { HolderLink } from '../ports.ts'
import type { PositionOf } from '../peer-id.ts'
import { within } from '../signals.ts'

/** Nearest peers that are asked whatever we know of them. */
export const FIND_WIDTH = 8
const ALPHA = 5
/** A connected peer that says nothing for this long is out; one that has to be dialled first gets more. */
const QUERY_DEADLINE_MS = 2_000
const DIAL_AND_QUERY_DEADLINE_MS = 5_000
/** After this a query no longer counts against α. */
const SLOW_QUERY_MS = 250
/** After this nobody waits for it, so that frozen peers cost a find a second, and those that have to be dialled two. */
const LATE_MS = 1_000
const LATE_DIAL_MS = 2_000
/** Peers that one find asks at most: liars may name new peers without end. */
const QUERIES_MAX = 64

export interface FindDeps {
  readonly table: LiveTable
  readonly positionOf: PositionOf
  readonly clock: Clock
  readonly log: Logger
  readonly selfId: string
  /** A link to the peer; the host evicts on failure. */
  readonly link: (peer: PeerRecord, signal: AbortSignal) => Promise<HolderLink>
  /** Keeps what an answer names, cleaned by the profile's rules. */
  readonly clean: (records: readonly PeerRecord[]) => readonly PeerRecord[]
  /** It failed: once reached, or before that. */
  readonly failed: (peer: PeerRecord, reached: boolean) => void
  /** Queries side by side, other than 5: for measurements. */
  readonly alpha?: number
}

type State = 'unasked' | 'asked' | 'late' | 'answered' | 'failed'

interface Listed extends Contact {
  state: State
}

/** Up to `count` peers nearest to `target` that are alive, nearest first. Ends early, with what it has, on the signal. */
export async function find(
  deps: FindDeps,
  target: Uint8Array,
  count: number,
  signal: AbortSignal,
): Promise<readonly PeerRecord[]> {
  const walk = new Walk(deps, target, count, signal)
  await walk.run()
  return walk.result()
}

class Walk {
  readonly #deps: FindDeps
  readonly #target: Uint8Array
  readonly #count: number
  readonly #signal: AbortSignal
  /** Nearest first, the failed ones left out. */
  #list: Listed[] = []
  readonly #seen = new Set<string>()
  /** One that we took for live did not answer: then the others are not believed to be either. */
  #doubt = false
  #running = 0
  #slow = 0
  #queries = 0
  #wake: (() => void) | undefined

  constructor(deps: FindDeps, target: Uint8Array, count: number, signal: AbortSignal) {
    this.#deps = deps
    this.#target = target
    this.#count = count
    this.#signal = signal
  }

  async run(): Promise<void> {
    const reach = Math.max(this.#count, FIND_WIDTH)
    for (const contact of this.#deps.table.nearestLive(this.#target, reach)) this.#insert(contact)
    for (const contact of this.#deps.table.nearestCandidates(this.#target, reach)) this.#insert(contact)
    const onAbort = (): void => this.#wake?.()
    this.#signal.addEventListener('abort', onAbort)
    const alpha = this.#deps.alpha ?? ALPHA
    while (!this.#signal.aborted) {
      const next = this.#running - this.#slow < alpha ? this.#next() : undefined
      if (next !== undefined) void this.#ask(next)
      else if (this.#running === 0 || this.#settled()) break
      else await this.#change()
    }
    this.#signal.removeEventListener('abort', onAbort)
  }

  result(): readonly PeerRecord[] {
    // Where nobody answered at all it is we who are cut off, and nobody is late.
    const cutOff = !this.#list.some((item) => item.state === 'answered')
    const alive = this.#list.filter(
      ({ state, record }) =>
        state === 'answered' || ((cutOff || state !== 'late') && this.#deps.table.isLive(record.id)),
    )
    return alive.slice(0, this.#count).map((item) => this.#deps.table.record(item.record.id) ?? item.record)
  }

  /** The nearest peer that has to be asked. */
  #next(): Listed | undefined {
    if (this.#queries >= QUERIES_MAX) return undefined
    return this.#reachable().find((item) => item.state === 'unasked')
  }

  /** Whether the nearest are all known: a slow query farther off is not waited for. */
  #settled(): boolean {
    const spent = this.#queries >= QUERIES_MAX
    return this.#reachable().every(({ state }) => state !== 'asked' && (spent || state !== 'unasked'))
  }

  /** Those among the nearest that a query can still tell us something about. */
  #reachable(): Listed[] {
    const inTime = this.#list.filter((item) => item.state !== 'late')
    const near = inTime.slice(0, Math.max(this.#count, FIND_WIDTH))
    const width = this.#doubt ? near.length : FIND_WIDTH
    return near.filter((item, rank) => rank < width || !this.#deps.table.isLive(item.record.id))
  }

  async #ask(item: Listed): Promise<void> {
    item.state = 'asked'
    this.#running++
    this.#queries++
    let slow = false
    const { clock, table } = this.#deps
    const connected = table.isConnected(item.record.id)
    const wasLive = table.isLive(item.record.id)
    const notSlow = clock.after(SLOW_QUERY_MS, () => {
      slow = true
      this.#slow++
      this.#wake?.()
    })
    const notLate = clock.after(connected ? LATE_MS : LATE_DIAL_MS, () => {
      item.state = 'late'
      this.#doubt ||= wasLive
      this.#wake?.()
    })
    const ok = await this.#query(item.record, connected ? QUERY_DEADLINE_MS : DIAL_AND_QUERY_DEADLINE_MS)
    notSlow()
    notLate()
    if (slow) this.#slow--
    this.#running--
    item.state = ok ? 'answered' : 'failed'
    this.#doubt ||= !ok && wasLive
    if (!ok) this.#list = this.#list.filter((other) => other !== item)
    this.#wake?.()
  }

  async #query(peer: PeerRecord, deadlineMs: number): Promise<boolean> {
    const { link, clean, failed, log } = this.#deps
    let reached = false
    try {
      const signal = within(deadlineMs, this.#signal)
      const open = await link(peer, signal)
      reached = true
      const response = await open.request({ kind: HOLDER_VERB.find, body: { target: this.#target } }, signal)
      for (const record of clean(response.closer)) this.#listRecord(record)
      return response.status === HOLDER_STATUS.ok
    } catch (error) {
      if (this.#signal.aborted) return false // our caller gave up: says nothing about the peer
      log.debug('a peer did not answer', { error: nameOf(error), text: messageOf(error) })
      failed(peer, reached)
      return false
    }
  }

  #listRecord(record: PeerRecord): void {
    const position = this.#deps.positionOf(record.id)
    if (position !== undefined && record.id !== this.#deps.selfId) this.#insert({ record, position })
  }

  #insert(contact: Contact): void {
    if (this.#seen.has(contact.record.id)) return
    this.#seen.add(contact.record.id)
    let at = this.#list.length
    while (at > 0 && compareDistance(this.#target, contact.position, this.#positionAt(at - 1)) < 0) at--
    this.#list.splice(at, 0, { ...contact, state: 'unasked' })
  }

  #positionAt(index: number): Uint8Array {
    return this.#list[index]?.position ?? this.#target
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}
