/**
 * Puts sealed items on holders: makes their letters, has them stamped where a box asks for it, counts receipts, and climbs
 * the fallback ladder where a zone does not take or does not keep what it is given (protocol §4).
 */
import { backoffMs } from '../../lib/backoff.ts'
import { toHex } from '../../lib/bytes.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import { LETTER_KIND, RUNGS } from '../../wire/letter.ts'
import type { Letter, PutProof, Receipt, Rung } from '../../wire/letter.ts'
import { letterId } from '../../protocol/mailbox-rules.ts'
import { OUTBOX_PATH } from '../../store/records.ts'
import type { OutboxItem } from '../../store/records.ts'
import { destination, isGood, LaneKeys, letterFor, proofFor, withoutLane, withoutLetter } from './letters.ts'
import type { Destination } from './letters.ts'
import {
  PUT_BACKOFF,
  PUT_BUDGET_MS,
  PUTS_AT_ONCE,
  RECHECK_MS,
  RESTAMP_BITS,
  RESTAMPS_MAX,
  SHORT_PUTS_MAX,
  SHORT_PUTS_MS,
  STAMP_BUDGET_MS,
  UNREADY_MS,
  W,
} from './limits.ts'
import type { PutOutcome } from './ports.ts'
import { Slots } from './slots.ts'
import { traced } from './trace.ts'
import { noted, within } from './work.ts'
import type { Target, Work, WorkerComponents } from './work.ts'

/** A letter on its way, with what shows that it may go there. */
interface Sending {
  readonly letter: Letter
  readonly proof: PutProof
  readonly ladder: OutboxItem['ladder']
}

/** Receipts in an item: the most that there is any use in keeping. */
const RECEIPTS_MAX = 20

export class Putter {
  readonly #c: WorkerComponents
  readonly #slots = new Slots(PUTS_AT_ONCE)
  readonly #keys: LaneKeys

  constructor(components: WorkerComponents) {
    this.#c = components
    this.#keys = new LaneKeys(components.crypto)
  }

  async put(work: Work, target: Target): Promise<void> {
    await this.#slots.run(async () => {
      this.#c.outbox.signal.throwIfAborted()
      const to = destination(this.#c.crypto, target.contact, target.device, this.#c.clock.now(), this.#c.profile)
      if (to === undefined) await this.#noAddress(work)
      else await this.#putTo(work, target, to)
    })
  }

  async #putTo(work: Work, target: Target, to: Destination): Promise<void> {
    const sending = await this.#letter(work, to)
    if (sending === undefined) return
    const first = await this.#putOnce(work, target, sending, sending.ladder.rung)
    const tried = await this.#stampedIfAsked(work, target, sending, first)
    if (tried === undefined) return
    const outcome = await this.#climb(work, target, tried.sending, tried.outcome)
    if (outcome !== undefined) await this.#afterPut(work, outcome)
  }

  async #noAddress({ entry }: Work): Promise<void> {
    const now = this.#c.clock.now()
    entry.nextAt = Math.min(now + UNREADY_MS, entry.expiresAt)
    await this.#c.outbox.update({
      entry,
      change: (item) => ({ ...traced(item, now, 'no-address'), nextAt: entry.nextAt }),
    })
  }

  /** The letter kept from the last time while it is good for the same box, else a new one. */
  async #letter(work: Work, to: Destination): Promise<Sending | undefined> {
    const item = await this.#c.outbox.peek(work.entry)
    if (item?.sealed === undefined || toHex(item.sealed.envelopeId) !== work.envelopeId) return undefined
    const { letter: known, proof, ladder } = item
    const now = this.#c.clock.now()
    if (known !== undefined && proof !== undefined && isGood(known, to, now)) return { letter: known, proof, ladder }
    const plain = letterFor(this.#c.crypto, this.#keys, item, to, now, this.#c.profile)
    if (to.laneSeed !== undefined) return this.#keep(work, plain, to, 'letter')
    await this.#c.outbox.update(noted(work, (each) => traced(each, now, 'stamping')))
    return this.#keep(work, await this.#stamp(plain), to, 'letter')
  }

  async #stamp(letter: Letter, extraBits = 0): Promise<Letter> {
    return within(this.#c, STAMP_BUDGET_MS, async (signal) => this.#c.mail.stamp(letter, signal, extraBits))
  }

  /** On disk before it is put: what was put is known, and can be taken back. None where the letter is not wanted any more. */
  async #keep(
    work: Work,
    letter: Letter,
    to: Destination | undefined,
    event: string,
    more?: Partial<OutboxItem['ladder']>,
  ): Promise<Sending | undefined> {
    const id = letterId(this.#c.crypto, letter)
    const proof: PutProof =
      to === undefined ? { kind: 2, body: { reserved: 0 } } : proofFor(this.#c.crypto, this.#keys, letter, id, to)
    const kept = await this.#c.outbox.update(
      noted(work, (item) => {
        work.entry.receipts = 0
        const ladder = { ...item.ladder, ...more }
        const bare = withoutLetter(this.#c.crypto, traced(item, this.#c.clock.now(), event))
        return { ...bare, letter, letterId: id, proof, rungs: 1 << ladder.rung, ladder, receipts: [] }
      }),
    )
    return kept === undefined ? undefined : { letter, proof, ladder: kept.ladder }
  }

  async #putOnce(work: Work, { device }: Target, { letter, proof }: Sending, rung: Rung): Promise<PutOutcome> {
    const { entry } = work
    const off = new AbortController()
    entry.callOff = () => {
      off.abort()
    }
    if (!this.#c.outbox.queue.has(entry)) off.abort()
    const receipts: Receipt[] = []
    const exclude = device.grant === undefined ? [] : [device.grant.peerId]
    const onReceipt = (receipt: Receipt): void => {
      receipts.push(receipt)
      if (receipts.length === W) void this.#stored(work, [...receipts]).catch(() => {})
    }
    try {
      return await within(this.#c, PUT_BUDGET_MS, async (signal) =>
        this.#c.mail.put(letter, proof, { rung, exclude, onReceipt, signal: AbortSignal.any([signal, off.signal]) }),
      )
    } finally {
      entry.callOff = undefined
    }
  }

  /** Put with a stamp where the lane is refused, and with a dearer one where the box is full of cheaper ones. */
  async #stampedIfAsked(
    work: Work,
    target: Target,
    first: Sending,
    outcome: PutOutcome,
  ): Promise<{ readonly sending: Sending; readonly outcome: PutOutcome } | undefined> {
    if (isEnough(outcome)) return { sending: first, outcome }
    const { refused } = outcome
    const stamped = first.letter.kind === LETTER_KIND.stamp
    const full = stamped && refused === 'full' && first.ladder.restamps < RESTAMPS_MAX
    if (!full && refused !== 'stamp' && (stamped || refused !== 'lane')) return { sending: first, outcome }
    const restamps = full ? first.ladder.restamps + 1 : first.ladder.restamps
    const bare = withoutLane(first.letter, this.#c.clock.now(), this.#c.profile)
    const letter = await this.#stamp(bare, restamps * RESTAMP_BITS)
    const sending = await this.#keep(work, letter, undefined, full ? 'stamped-dearer' : 'lane-refused', { restamps })
    if (sending === undefined) return undefined
    const next = await this.#putOnce(work, target, sending, sending.ladder.rung)
    return full ? this.#stampedIfAsked(work, target, sending, next) : { sending, outcome: next }
  }

  /**
   * A zone that gave too few receipts three times over an hour: the other rungs are tried as well, and the letter stays where
   * it is taken. Where none of them does better, it may be our own network that is gone, and nothing changes.
   */
  async #climb(work: Work, target: Target, sending: Sending, outcome: PutOutcome): Promise<PutOutcome | undefined> {
    if (isEnough(outcome) || outcome.refused === 'gone') return outcome
    const now = this.#c.clock.now()
    const before = sending.ladder
    const shortSince = before.shorts === 0 ? now : before.shortSince
    const due = before.shorts + 1 >= SHORT_PUTS_MAX && now - shortSince >= SHORT_PUTS_MS
    const shorts = due ? 0 : Math.min(before.shorts + 1, 255)
    await this.#c.outbox.update(noted(work, (item) => ({ ...item, ladder: { ...item.ladder, shorts, shortSince } })))
    if (!due) return outcome
    for (const rung of RUNGS.filter((each) => each !== before.rung)) {
      const kept = await this.#c.outbox.update(noted(work, (item) => ({ ...item, rungs: item.rungs | (1 << rung) })))
      if (kept === undefined) return undefined
      const next = await this.#putOnce(work, target, sending, rung)
      if (!isEnough(next)) continue
      await this.#c.outbox.update(
        noted(work, (item) => ({
          ...traced(item, this.#c.clock.now(), 'other-zone', `rung ${rung}`),
          ladder: { ...item.ladder, rung, audits: 0, shorts: 0 },
        })),
      )
      return next
    }
    return outcome
  }

  async #afterPut(work: Work, outcome: PutOutcome): Promise<void> {
    const { entry } = work
    this.#c.outbox.signal.throwIfAborted()
    const enough = outcome.receipts.length >= W
    if (enough && entry.contentKind === CONTENT_KIND.receipt) {
      // Nobody answers a receipt. If all copies are lost, the sender asks again and is told again.
      await this.#c.outbox.end(entry, undefined)
      return
    }
    const now = this.#c.clock.now()
    const gone = outcome.refused === 'gone'
    await this.#stored(work, outcome.receipts, (item) => {
      const wait = enough || gone ? recheckMs(item.attempts) : backoffMs(PUT_BACKOFF, item.attempts, this.#c.rng)
      entry.nextAt = Math.min(now + wait, entry.expiresAt)
      const step = outcome.refused === 'none' ? item : traced(item, now, 'put-failed', outcome.refused)
      const next = { ...step, attempts: Math.min(item.attempts + 1, 65_535), nextAt: entry.nextAt }
      return gone ? this.afresh(work, next) : next
    })
  }

  /** Somebody has deleted it who knew how, yet no receipt came: the next letter is another one, which is answered anew. */
  afresh({ entry }: Work, item: OutboxItem): OutboxItem {
    entry.receipts = 0
    return { ...withoutLetter(this.#c.crypto, item), receipts: [] }
  }

  /** Takes receipts in, and whatever else `finish` changes in the same batch. */
  async #stored(work: Work, receipts: readonly Receipt[], finish?: (item: OutboxItem) => OutboxItem): Promise<void> {
    const { entry } = work
    const change = (item: OutboxItem): OutboxItem | undefined => {
      const known = new Set(item.receipts.map(({ holder }) => holder))
      const fresh = receipts.filter(({ holder }) => !known.has(holder))
      if (fresh.length === 0) return finish?.(item)
      const merged = [...item.receipts, ...fresh].slice(0, RECEIPTS_MAX)
      const enough = merged.length >= W
      entry.receipts = merged.length
      const next = {
        ...traced(item, this.#c.clock.now(), 'stored', `${merged.length} receipts`),
        receipts: merged,
        proved: undefined,
        path: OUTBOX_PATH.mailbox,
        // From here on the count is that of the looks at a stored letter.
        attempts: item.receipts.length < W && enough ? 0 : item.attempts,
        ladder: enough ? { ...item.ladder, shorts: 0 } : item.ladder,
      }
      return finish?.(next) ?? next
    }
    await this.#c.outbox.update(noted(work, change, async (item) => this.#shown(work, item)))
  }

  /** A message is stored once each of its parts is. */
  async #shown({ entry }: Work, item: OutboxItem): ReturnType<WorkerComponents['messages']['advanceOps']> {
    const parts = this.#c.outbox.queue.ofMessage(entry.messageId, entry.contact, entry.deviceId)
    const least = Math.min(...parts.map((part) => part.receipts))
    if (entry.quiet || least < W) return { ops: [], facts: [] }
    return this.#c.messages.advanceOps(item.contact, [item.messageId], 'stored', { path: item.path, receipts: least })
  }
}

const isEnough = ({ receipts }: PutOutcome): boolean => receipts.length >= W

/** When a stored letter is looked for after so many looks. */
export function recheckMs(looks: number): number {
  return RECHECK_MS[Math.min(looks, RECHECK_MS.length - 1)] ?? RECHECK_MS[0]
}
