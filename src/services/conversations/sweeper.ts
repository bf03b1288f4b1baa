/**
 * Makes messages disappear when their time is over, and removes what is older than the user keeps. One timer for the next
 * end there is; all of them are read at the start, so a restart delays nothing. What was wiped leaves LevelDB's files by a
 * compaction of its key ranges a moment later.
 */
import { fromHex, toHex } from '../../lib/bytes.ts'
import { nameOf, StorageError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { emptyConversation } from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import { GONE } from '../../store/records.ts'
import type { Conversation, Message } from '../../store/records.ts'
import type { Change, Fact } from '../events/journal.ts'
import { authorOf, goneOps } from './gone.ts'
import type { ConversationComponents, Wiping } from './ports.ts'
import { olderThan, removed } from './remove.ts'

/** Messages that one batch lets disappear. */
const AT_ONCE = 128
/** The timer runs no longer than this, so that a clock that was set forward delays nothing for long. */
const TIMER_MAX_MS = 10 * 60_000
const RETRY_MS = 10_000
/** Wiped texts are gathered for this long before the files are rewritten; longer where that took long. */
export const COMPACT_AFTER_MS = 30_000
/** Steps of a thousand messages in which one round looks at a conversation behind its oldest ones. */
const LATE_STEPS = 16
/** Rewriting has at most one part in so many of the time. */
const COMPACT_SHARE = 20

export interface SweeperComponents extends Omit<ConversationComponents, 'wiping'> {
  /** Ends what this user said and is still on its way, in the batch of what is gone. */
  readonly callOff: (
    contact: Uint8Array,
    ids: readonly Uint8Array[],
  ) => Promise<{ readonly ops: readonly StoreOp[]; readonly done: () => void }>
  /** Rewrites the files that hold what these conversations said. */
  readonly compact: (contacts: readonly Uint8Array[]) => Promise<void>
  readonly log: Logger
}

export class Sweeper implements Startable, Wiping {
  readonly #c: SweeperComponents
  /** When (ms) messages (hex) disappear. */
  readonly #ends = new Map<string, number>()
  #timer: { readonly at: number; cancel(): void } | undefined
  #compaction: (() => void) | undefined
  #round: (() => void) | undefined
  #work: Promise<void> = Promise.resolve()
  #stopped = true
  /** Conversations (hex) whose old bytes are still in the files, and when (ms) these may be rewritten again. */
  readonly #wiped = new Set<string>()
  #compactFrom = 0
  /** By conversation (hex): the order from which the next round of retention looks for what came late. */
  readonly #looked = new Map<string, number>()

  constructor(components: SweeperComponents) {
    this.#c = components
  }

  async start(): Promise<void> {
    this.#stopped = false
    for await (const { messageId, at } of this.#c.store.expiries.all()) this.#ends.set(toHex(messageId), at)
    this.#schedule(this.#next())
    this.#retainLater(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#compaction?.()
    this.#round?.()
    this.#timer = this.#compaction = this.#round = undefined
    await this.#work
    this.#ends.clear()
  }

  expires(messageId: Uint8Array, at: number): void {
    if (this.#stopped) return
    this.#ends.set(toHex(messageId), at)
    if (this.#timer === undefined || at < this.#timer.at) this.#schedule(at)
  }

  wiped(contact: Uint8Array): void {
    this.#wiped.add(toHex(contact))
    if (this.#stopped || this.#compaction !== undefined) return
    const now = this.#c.clock.now()
    this.#compaction = this.#c.clock.after(Math.max(COMPACT_AFTER_MS, this.#compactFrom - now), () => {
      this.#compaction = undefined
      this.#run(async () => this.#compact())
    })
  }

  /** Retention is looked at now: the user chose another time. */
  retain(): void {
    this.#retainLater(0)
  }

  #next(): number {
    let next = Infinity
    for (const at of this.#ends.values()) next = Math.min(next, at)
    return next
  }

  #schedule(at: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#stopped || at === Infinity) return
    const delay = Math.min(Math.max(0, at - this.#c.clock.now()), TIMER_MAX_MS)
    const cancel = this.#c.clock.after(delay, () => {
      this.#timer = undefined
      this.#run(async () => this.#sweep())
    })
    this.#timer = { at, cancel }
  }

  /** One after another; what fails is tried again. */
  #run(job: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#stopped) return
      try {
        await job()
      } catch (error) {
        this.#c.log.warn('messages could not be wiped', { error: nameOf(error) })
        if (!this.#stopped) this.#schedule(this.#c.clock.now() + RETRY_MS)
      }
    })
  }

  async #sweep(): Promise<void> {
    const now = this.#c.clock.now()
    const due = [...this.#ends].filter(([, at]) => at <= now).map(([id]) => id)
    for (let i = 0; i < due.length && !this.#stopped; i += AT_ONCE)
      await this.#expireAll(due.slice(i, i + AT_ONCE), now)
    this.#schedule(this.#next())
  }

  /** One after another where the disk does not give them together, so that a record that is broken keeps no other. */
  async #expireAll(ids: readonly string[], now: number): Promise<void> {
    try {
      await this.#expire(ids, now)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      for (const id of ids) await this.#expireOne(id, now)
    }
  }

  async #expireOne(id: string, now: number): Promise<void> {
    try {
      await this.#expire([id], now)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#c.log.warn('a message could not be wiped, and is tried again later', { error: nameOf(error) })
      this.#ends.set(id, now + TIMER_MAX_MS)
    }
  }

  async #expire(ids: readonly string[], now: number): Promise<void> {
    const later = await this.#c.journal.commit(async () => {
      const messages = await Promise.all(ids.map(async (id) => this.#c.store.messages.get(fromHex(id) ?? NO_ID)))
      const over = messages.filter((message) => message !== undefined).filter((message) => isOver(message, now))
      const stray = ids.filter((_, i) => messages[i]?.expiresAt === 0 || messages[i] === undefined)
      const change = await this.#expired(over)
      const ops = [...change.ops, ...stray.flatMap((id) => this.#c.store.expiries.delete(fromHex(id) ?? NO_ID))]
      const kept = messages.filter((message) => message !== undefined && message.expiresAt > now)
      return { ...change, ops, result: new Map(kept.map((m) => [toHex(m?.id ?? NO_ID), m?.expiresAt ?? 0])) }
    })
    for (const id of ids) {
      const at = later.get(id)
      if (at === undefined) this.#ends.delete(id)
      else this.#ends.set(id, at)
    }
  }

  async #expired(messages: readonly Message[]): Promise<Change<undefined>> {
    const conversations = new Map<string, Conversation>()
    const ops: StoreOp[] = []
    const facts: Fact[] = []
    const done: (() => void)[] = []
    for (const message of messages) {
      const contact = toHex(message.contact)
      const before = conversations.get(contact) ?? (await this.#conversation(message.contact))
      const off = await this.#callOff(message)
      const step = await goneOps(this.#c, before, message, GONE.expired)
      conversations.set(contact, step.conversation)
      ops.push(...step.ops, ...off.ops)
      done.push(off.done)
      facts.push({ type: 'message:expired', data: { id: toHex(message.id), contact, timer: true } })
      this.wiped(message.contact)
    }
    for (const conversation of conversations.values()) ops.push(...this.#c.store.conversations.put(conversation))
    return { ops, facts, result: undefined, done: () => done.forEach((action) => action()) }
  }

  /** An edit of it that nobody has fetched yet is not sent any more. */
  async #callOff(message: Message): ReturnType<SweeperComponents['callOff']> {
    const { own } = await this.#c.store.marks.of(message)
    const edit = authorOf(message) === 'own' && own.edit !== undefined ? [own.edit.operation] : []
    return this.#c.callOff(message.contact, message.outgoing ? [message.id, ...edit] : [])
  }

  async #conversation(contact: Uint8Array): Promise<Conversation> {
    return (await this.#c.store.conversations.get(contact)) ?? emptyConversation(contact)
  }

  async #compact(): Promise<void> {
    const began = this.#c.clock.now()
    const contacts = [...this.#wiped].map((hex) => fromHex(hex) ?? NO_ID)
    this.#wiped.clear()
    try {
      await this.#c.compact(contacts)
    } catch (error) {
      for (const contact of contacts) this.wiped(contact)
      throw error
    }
    const ended = this.#c.clock.now()
    this.#compactFrom = ended + (ended - began) * COMPACT_SHARE
  }

  // --- retention

  #retainLater(delayMs: number): void {
    this.#round?.()
    this.#round = undefined
    if (this.#stopped) return
    this.#round = this.#c.clock.after(delayMs, () => {
      this.#round = undefined
      this.#run(async () => this.#retain().finally(() => this.#retainLater(HOUR_MS)))
    })
  }

  async #retain(): Promise<void> {
    const { store, journal, clock } = this.#c
    await Promise.all([store.operations.sweep(clock.now()), store.removed.sweep(clock.now())])
    await journal.commit(async () => ({ ops: await store.marks.sweep(clock.now()), facts: [], result: undefined }))
    const { retentionDays } = this.#c.choices()
    if (retentionDays === null) return
    const cutoff = clock.now() - retentionDays * DAY_MS
    for (const { contact } of await store.conversations.all()) await this.#removeOld(contact, cutoff)
  }

  /** From the oldest on as long as there is anything to remove; then a part of the rest, where what came late stands. */
  async #removeOld(contact: Uint8Array, cutoff: number): Promise<void> {
    const name = toHex(contact)
    let step = await this.#removeStep(contact, cutoff, 0)
    while (step.count > 0 && step.next !== undefined) step = await this.#removeStep(contact, cutoff, step.next)
    let next = step.next === undefined ? undefined : Math.max(step.next, this.#looked.get(name) ?? 0)
    for (let i = 0; i < LATE_STEPS && next !== undefined; i++) {
      next = (await this.#removeStep(contact, cutoff, next)).next
    }
    if (next === undefined) this.#looked.delete(name)
    else this.#looked.set(name, next)
  }

  async #removeStep(
    contact: Uint8Array,
    cutoff: number,
    from: number,
  ): Promise<{ readonly count: number; readonly next: number | undefined }> {
    if (this.#stopped) return { count: 0, next: undefined }
    return this.#c.journal.commit(async () => {
      const { old, next } = await olderThan(this.#c, contact, cutoff, from)
      if (old.length === 0) return { ops: [], facts: [], result: { count: 0, next } }
      const data = { contact: toHex(contact), removed: old.length }
      const facts = [{ type: 'conversation:changed', data }]
      const change = await removed({ ...this.#c, wiping: this }, contact, old, facts)
      return { ...change, result: { count: old.length, next } }
    })
  }
}

const NO_ID = new Uint8Array(16)
const isOver = ({ expiresAt, gone }: Message, now: number): boolean =>
  expiresAt > 0 && expiresAt <= now && gone === GONE.no
