/**
 * Looks after stored letters (protocol §4: the sender is the sixth replica). What one device waits for is looked for together;
 * where fewer than W holders have a letter it is put again, and where that did not last, at another rung.
 */
import { toHex } from '../../lib/bytes.ts'
import { sleep } from '../../lib/clock.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { hourPassed } from '../../protocol/mailbox-rules.ts'
import type { OutboxItem } from '../../store/records.ts'
import type { Letter, Rung } from '../../wire/letter.ts'
import {
  AUDITS_MAX,
  LOOK_AHEAD_MS,
  LOOK_BYTES_MAX,
  LOOK_GATHER_MS,
  LOOK_ITEMS_MAX,
  LOOK_PAUSE_MS,
  LOOKS_AT_ONCE,
  PUT_BUDGET_MS,
  W,
} from './limits.ts'
import type { LookOutcome, Update } from './ports.ts'
import { recheckMs } from './putter.ts'
import { isStored } from './queue.ts'
import type { Entry, Lane } from './queue.ts'
import { Slots } from './slots.ts'
import { traced } from './trace.ts'
import { noted, within } from './work.ts'
import type { Work, WorkerComponents } from './work.ts'

/** A stored item and its letter. */
interface Stored {
  readonly work: Work
  readonly item: OutboxItem
  readonly id: Uint8Array
  readonly letter: Letter
}

interface Round {
  readonly entries: Set<Entry>
  readonly done: Promise<void>
}

export interface LooksInit {
  readonly components: WorkerComponents
  /** Puts the item's letter (again). Does not reject. */
  readonly putAgain: (work: Work) => Promise<void>
  /** What a letter becomes that was deleted although no receipt came. */
  readonly afresh: (work: Work, item: OutboxItem) => OutboxItem
}

export class Looks {
  readonly #c: WorkerComponents
  readonly #init: LooksInit
  readonly #slots = new Slots(LOOKS_AT_ONCE)
  /** By lane: what waits for its look. */
  readonly #gathering = new Map<string, Round>()

  constructor(init: LooksInit) {
    this.#init = init
    this.#c = init.components
  }

  /** Looks for the letter of an item that is marked busy, with others of its lane; resolves when what follows is done, too. */
  async at(lane: Lane, entry: Entry): Promise<void> {
    const gathering = this.#gathering.get(lane.key)
    if (gathering !== undefined) {
      gathering.entries.add(entry)
      return gathering.done
    }
    const entries = new Set([entry])
    const done = this.#round(lane, entries)
    this.#gathering.set(lane.key, { entries, done })
    return done
  }

  async #round(lane: Lane, entries: Set<Entry>): Promise<void> {
    const joined: Entry[] = []
    try {
      await sleep(this.#c.clock, LOOK_GATHER_MS, this.#c.outbox.signal)
      const again = await this.#slots.run(async () => {
        this.#closed(lane, entries)
        joined.push(...this.#join(lane, entries))
        return this.#lookAtAll([...entries])
      })
      await Promise.all(again.map(this.#init.putAgain))
    } finally {
      this.#closed(lane, entries)
      for (const entry of joined) entry.busy = false
    }
  }

  /** Who comes from now on makes the next round. */
  #closed(lane: Lane, entries: Set<Entry>): void {
    if (this.#gathering.get(lane.key)?.entries === entries) this.#gathering.delete(lane.key)
  }

  /** What would be due soon comes along. */
  #join(lane: Lane, entries: Set<Entry>): readonly Entry[] {
    const until = this.#c.clock.now() + LOOK_AHEAD_MS
    const more = [...lane.entries.values()].filter(
      (entry) => !entry.busy && isStored(entry) && entry.nextAt <= until && !entries.has(entry),
    )
    for (const entry of more) {
      entry.busy = true
      entries.add(entry)
    }
    return more
  }

  /** Which have to be put again. */
  async #lookAtAll(entries: readonly Entry[]): Promise<readonly Work[]> {
    const again: Work[] = []
    for (let at = 0; at < entries.length;) {
      this.#c.outbox.signal.throwIfAborted()
      const batch: Stored[] = []
      for (let bytes = 0; at < entries.length && batch.length < LOOK_ITEMS_MAX && bytes < LOOK_BYTES_MAX; at++) {
        const found = await this.#stored(entries[at] as Entry)
        if (found === undefined) continue
        if ('letter' in found) {
          batch.push(found)
          bytes += found.letter.ciphertext.length
        } else again.push(found)
      }
      for (const group of Map.groupBy(batch, ({ item }) => item.ladder.rung)) {
        again.push(...(await this.#lookAt(group[0], group[1])))
      }
      await sleep(this.#c.clock, LOOK_PAUSE_MS, this.#c.outbox.signal)
    }
    return again
  }

  /** The item with its letter, or only what is to be put where the letter is at its end; none where there is nothing to send. */
  async #stored(entry: Entry): Promise<Stored | Work | undefined> {
    const item = await this.#c.outbox.peek(entry)
    if (item?.sealed === undefined) return undefined
    const work = { entry, envelopeId: toHex(item.sealed.envelopeId) }
    const { letter, letterId: id } = item
    const live = letter !== undefined && id !== undefined && !hourPassed(letter.expiry, this.#c.clock.now() + HOUR_MS)
    return live ? { work, item, id, letter } : work
  }

  async #lookAt(rung: Rung, batch: readonly Stored[]): Promise<readonly Work[]> {
    const sought = batch.map(({ id, letter, item }) => ({ id, letter, receipts: item.receipts }))
    const looks = await within(this.#c, PUT_BUDGET_MS, async (signal) => this.#c.mail.look(sought, { rung, signal }))
    const again: Work[] = []
    const updates = batch.map((stored, i): Update => {
      const look = looks[i] ?? { holding: [], dead: false, answers: 0 }
      if (!look.dead && look.holding.length < W) {
        again.push(stored.work)
        return this.#tooFew(stored, look)
      }
      return this.#well(stored, look)
    })
    await this.#c.outbox.updateAll(updates)
    return again
  }

  /** Enough have it; or it was deleted, and its receipt is on the way or lost. */
  #well({ work, id }: Stored, look: LookOutcome): Update {
    const { entry } = work
    const now = this.#c.clock.now()
    const change = (item: OutboxItem): OutboxItem | undefined => {
      if (!isLetter(item, id)) return undefined
      entry.nextAt = Math.min(now + recheckMs(item.attempts), entry.expiresAt)
      const next = { ...item, attempts: Math.min(item.attempts + 1, 65_535), nextAt: entry.nextAt }
      if (look.dead) return this.#init.afresh(work, traced(next, now, 'deleted'))
      return { ...this.#proved(next, look, now), ladder: { ...item.ladder, audits: 0 } }
    }
    return noted(work, change, look.dead ? undefined : async (item) => this.#shown(work, item))
  }

  /** Too few have it, or too few say so: it is put again, and where that was done the last time, at the next rung. */
  #tooFew({ work, id }: Stored, look: LookOutcome): Update {
    const now = this.#c.clock.now()
    const heard = look.answers >= W
    const change = (item: OutboxItem): OutboxItem | undefined => {
      if (!isLetter(item, id)) return undefined
      work.entry.receipts = 0
      const proved = heard ? this.#proved(item, look, now) : traced(item, now, 'not-checked', `${look.answers} answers`)
      const next = { ...proved, receipts: [], attempts: 0, ladder: heard ? audited(item.ladder) : item.ladder }
      const climbed = next.ladder.rung === item.ladder.rung ? '' : `rung ${next.ladder.rung}`
      return { ...traced(next, now, 're-put', climbed), rungs: item.rungs | (1 << next.ladder.rung) }
    }
    return noted(work, change, heard ? async (item) => this.#shown(work, item) : undefined)
  }

  #proved(item: OutboxItem, { holding }: LookOutcome, now: number): OutboxItem {
    const holders = Math.min(holding.length, 255)
    return { ...traced(item, now, 'checked', `${holders} hold it`), proved: { at: now, holders } }
  }

  /** The message says what was proved last, also where it is less than before. */
  async #shown({ entry }: Work, item: OutboxItem): ReturnType<WorkerComponents['messages']['advanceOps']> {
    if (entry.quiet || item.proved === undefined) return { ops: [], facts: [] }
    const way = { path: item.path, receipts: item.proved.holders }
    return this.#c.messages.advanceOps(item.contact, [item.messageId], 'stored', way)
  }
}

const isLetter = (item: OutboxItem, id: Uint8Array): boolean =>
  item.letterId !== undefined && toHex(item.letterId) === toHex(id)

/** After a look that found too few: the second in a row speaks against the zone. */
function audited(ladder: OutboxItem['ladder']): OutboxItem['ladder'] {
  if (ladder.audits + 1 < AUDITS_MAX) return { ...ladder, audits: ladder.audits + 1 }
  return { ...ladder, audits: 0, rung: ((ladder.rung + 1) % 3) as Rung }
}
