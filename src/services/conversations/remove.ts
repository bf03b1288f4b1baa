/** Taking messages away from this device only: one of them, a whole conversation, or what is older than the user keeps. */
import { toHex } from '../../lib/bytes.ts'
import { NotFoundError } from '../../lib/errors.ts'
import { emptyConversation } from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import { PAGE_MAX } from '../../store/messages.ts'
import type { Message } from '../../store/records.ts'
import type { Change, Fact } from '../events/journal.ts'
import { removeOps, withLast } from './gone.ts'
import type { ConversationComponents } from './ports.ts'

/** Messages that one batch removes. */
export const REMOVED_AT_ONCE = 200

/** Removes messages of one conversation, inside a journal change. */
export async function removed(
  c: ConversationComponents,
  contact: Uint8Array,
  messages: readonly Message[],
  facts: readonly Fact[],
): Promise<Change<number>> {
  let conversation = (await c.store.conversations.get(contact)) ?? emptyConversation(contact)
  const ops: StoreOp[] = []
  for (const message of messages) {
    const step = await removeOps(c, conversation, message)
    conversation = step.conversation
    ops.push(...step.ops)
  }
  conversation = await withLast(c, conversation, messages)
  c.wiping.wiped(contact)
  return { ops: [...ops, ...c.store.conversations.put(conversation)], facts, result: messages.length }
}

/** Ends what this user said and is still on its way; `done` once that is on disk. */
type CallOff = (
  contact: Uint8Array,
  ids: readonly Uint8Array[],
) => Promise<{ readonly ops: readonly StoreOp[]; readonly done: () => void }>

/** Removes a message from this device; an own one that nobody has yet is not sent any more. Throws NotFoundError. */
export async function removeMessage(c: ConversationComponents, id: Uint8Array, callOff: CallOff): Promise<void> {
  await c.journal.commit(async () => {
    const message = await c.store.messages.get(id)
    if (message === undefined) throw new NotFoundError('no such message')
    const { contact } = message
    const data = { id: toHex(id), contact: toHex(contact), own: true, here: true }
    const off = await callOff(contact, message.outgoing ? [id] : [])
    const change = await removed(c, contact, [message], [{ type: 'message:deleted', data }])
    return { ...change, ops: [...off.ops, ...change.ops], done: off.done }
  })
}

/**
 * Removes every message of a conversation that is there now, in batches, and at the end what was begun to be written and what
 * waits for messages that have not come; a crash in between leaves the rest for the next call.
 */
export async function clear(c: ConversationComponents, contact: Uint8Array): Promise<void> {
  let before = ((await c.store.conversations.get(contact))?.lastOrder ?? 0) + 1
  let found = true
  while (found) {
    found = await c.journal.commit(async () => {
      const messages = await c.store.messages.step(contact, { before, newest: true, limit: REMOVED_AT_ONCE })
      before = messages.at(-1)?.order ?? before
      if (messages.length === 0) return cleared(c, contact)
      return { ...(await removed(c, contact, messages, [])), result: true }
    })
  }
}

async function cleared(c: ConversationComponents, contact: Uint8Array): Promise<Change<boolean>> {
  const conversation = await c.store.conversations.get(contact)
  const fact: Fact = { type: 'conversation:changed', data: { contact: toHex(contact), cleared: true } }
  return {
    ops: [
      ...(await c.store.marks.forget(contact)),
      ...(conversation === undefined ? [] : c.store.conversations.put({ ...conversation, draft: '' })),
    ],
    facts: conversation === undefined ? [] : [fact],
    result: false,
  }
}

/** What one step looked at: those that were kept since before the cutoff, and where the next step goes on, if it is to. */
export interface OldOnes {
  readonly old: readonly Message[]
  readonly next: number | undefined
}

/**
 * Messages of a conversation that were kept since before `cutoff` (ms), from the order `from` on: as many as one batch removes
 * among the next thousand. What came late stands among older ones, so no message says anything of those behind it.
 */
export async function olderThan(
  c: Pick<ConversationComponents, 'store'>,
  contact: Uint8Array,
  cutoff: number,
  from = 0,
): Promise<OldOnes> {
  const looked = await c.store.messages.step(contact, { from, limit: PAGE_MAX })
  const old = looked.filter(({ committedAt }) => committedAt < cutoff).slice(0, REMOVED_AT_ONCE)
  const last = old.length < REMOVED_AT_ONCE ? looked.at(-1) : old.at(-1)
  return { old, next: last === undefined ? undefined : last.order + 1 }
}
