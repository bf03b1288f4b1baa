/**
 * How long we ourselves have known peers to answer: what copies go by (Rhea and others 2004; Carbonite 2006). Nobody's word
 * about himself or others counts. A gap shorter than `gapMs` is no leave; a longer one starts anew.
 */
import { dropOldest } from '../../lib/bounded.ts'
import type { Clock } from '../../lib/clock.ts'
import { SIGHTINGS_MAX } from '../../store/peer-notes.ts'
import type { Sighting } from '../../store/peer-notes.ts'

interface Seen {
  first: number
  last: number
  /** It has answered us as a holder does. Who only connects may be a person, and is noted nowhere. */
  holder: boolean
}

export class Ages {
  readonly #clock: Clock
  readonly #gapMs: number
  /** The one seen the longest ago first. */
  readonly #seen = new Map<string, Seen>()
  readonly #connected = new Set<string>()

  constructor(clock: Clock, gapMs: number) {
    this.#clock = clock
    this.#gapMs = gapMs
  }

  /** The peer answered. */
  seen(peerId: string): void {
    this.#note(peerId, true)
  }

  #note(peerId: string, answered: boolean): void {
    const now = this.#clock.now()
    const known = this.#seen.get(peerId)
    const first = known === undefined || this.#broken(peerId, known, now) ? now : Math.min(known.first, now)
    this.#seen.delete(peerId)
    this.#seen.set(peerId, { first, last: now, holder: answered || known?.holder === true })
    dropOldest(this.#seen, SIGHTINGS_MAX)
  }

  /** Between the two the peer counts as seen all the while. */
  connected(peerId: string, up: boolean): void {
    this.#note(peerId, false)
    if (up) this.#connected.add(peerId)
    else this.#connected.delete(peerId)
  }

  isConnected(peerId: string): boolean {
    return this.#connected.has(peerId)
  }

  /** Ms for which the peer has been known to be there; 0 where it is not now. */
  of(peerId: string): number {
    const known = this.#seen.get(peerId)
    const now = this.#clock.now()
    return known === undefined || this.#broken(peerId, known, now) ? 0 : Math.max(0, now - known.first)
  }

  /** What is to outlive the process: the ages of holders. */
  list(): readonly Sighting[] {
    const now = this.#clock.now()
    const holders = [...this.#seen].filter(([, { holder }]) => holder)
    return holders.map(([peerId, { first, last }]) => {
      return { peerId, first, last: this.#connected.has(peerId) ? now : last }
    })
  }

  /** What an earlier process saw. The time that nobody looked counts neither for a peer nor against it. */
  restore(sightings: readonly Sighting[]): void {
    const now = this.#clock.now()
    const lastMs = Math.min(now, Math.max(0, ...sightings.map(({ last }) => last)))
    for (const { peerId, first, last } of sightings) {
      const [earlier, later] = [Math.min(first, last, lastMs), Math.min(last, lastMs)]
      if (!this.#seen.has(peerId))
        this.#seen.set(peerId, { first: earlier + (now - lastMs), last: later + (now - lastMs), holder: true })
    }
  }

  #broken(peerId: string, { last }: Seen, now: number): boolean {
    return !this.#connected.has(peerId) && now - last > this.#gapMs
  }
}
