/**
 * Peers that were caught lying, for a week each, with what they were caught by. One's own judgement: it is told to nobody,
 * since nobody would have to believe it. Shared by the rooms that catch liars (mailbox, repair) and those that choose peers.
 */
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { DAY_MS } from '../../lib/time.ts'
import { EVIDENCE_BYTES_MAX } from '../../store/peer-notes.ts'
import type { Evidence, Offence } from '../../store/peer-notes.ts'

/** How long a liar is left out. */
export const DISTRUST_MS = 7 * DAY_MS
/** Liars that are remembered; the one caught first goes for another. */
export const DISTRUSTED_MAX = 1_024

/** Where evidence outlives the process (`store/peer-notes`). */
export interface EvidenceStore {
  all(): Promise<readonly Evidence[]>
  save(evidence: Evidence): Promise<void>
  remove(peerIds: readonly string[]): Promise<void>
}

export interface DistrustDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Without one it is forgotten with the process. */
  readonly store?: EvidenceStore | undefined
}

export class Distrust implements Startable {
  readonly #deps: DistrustDeps
  /** In the order in which they were caught, the latest offence of each. */
  readonly #evidence = new Map<string, Evidence>()
  #writing: Promise<void> = Promise.resolve()

  constructor(deps: DistrustDeps) {
    this.#deps = deps
  }

  /** Reads what is still in force. A disk that fails leaves us as trusting as on the first day. */
  async start(): Promise<void> {
    try {
      const all = (await this.#deps.store?.all()) ?? []
      for (const evidence of all.toSorted((a, b) => a.at - b.at)) this.#remember(evidence)
    } catch (error) {
      this.#deps.log.warn('who was distrusted could not be read', { error: nameOf(error) })
    }
  }

  /** Resolves when everything that was noted is on the disk. */
  async stop(): Promise<void> {
    await this.#writing
  }

  /** Whether the peer was caught within the last week. */
  has(peerId: string): boolean {
    const evidence = this.#evidence.get(peerId)
    if (evidence === undefined) return false
    // A clock that was set back must not distrust anybody for longer than a week.
    if (Math.abs(this.#deps.clock.now() - evidence.at) < DISTRUST_MS) return true
    this.#forget([peerId])
    return false
  }

  /** The peer was caught; `bytes` show by what. Never throws. */
  note(peerId: string, kind: Offence, bytes: Uint8Array): void {
    const evidence = { peerId, kind, at: this.#deps.clock.now(), bytes: bytes.slice(0, EVIDENCE_BYTES_MAX) }
    this.#remember(evidence)
    this.#write(async () => this.#deps.store?.save(evidence))
  }

  /** Who is distrusted now, and for what. */
  list(): readonly Evidence[] {
    return [...this.#evidence.values()].filter(({ peerId }) => this.has(peerId))
  }

  #remember(evidence: Evidence): void {
    this.#evidence.delete(evidence.peerId)
    this.#evidence.set(evidence.peerId, evidence)
    const [oldest] = this.#evidence.keys()
    if (this.#evidence.size > DISTRUSTED_MAX && oldest !== undefined) this.#forget([oldest])
  }

  #forget(peerIds: readonly string[]): void {
    for (const peerId of peerIds) this.#evidence.delete(peerId)
    this.#write(async () => this.#deps.store?.remove(peerIds))
  }

  #write(job: () => Promise<void>): void {
    this.#writing = this.#writing.then(job).catch((error: unknown) => {
      this.#deps.log.warn('evidence could not be written', { error: nameOf(error) })
    })
  }
}
