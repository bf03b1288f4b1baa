/** What the user chooses for a conversation or a message on this device: nobody is told. */
import { equal, toHex, utf8 } from '../../lib/bytes.ts'
import { LimitError, UsageError } from '../../lib/errors.ts'
import { emptyConversation } from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import { DRAFT_BYTES_MAX, GONE, PINS_MAX } from '../../store/records.ts'
import type { Conversation, Message, StoredMarks } from '../../store/records.ts'
import type { Change } from '../events/journal.ts'
import type { ConversationComponents } from './ports.ts'

export interface ConversationChoice {
  readonly muted?: boolean
  readonly pinned?: boolean
  readonly markedUnread?: boolean
  readonly draft?: string
}
export interface MessageFlags {
  readonly starred?: boolean
  readonly pinned?: boolean
}

/** Throws LimitError for a draft over 64 KiB. Drafts alone are no event: they are as good as what stands in the field. */
export async function choose(
  c: ConversationComponents,
  contact: Uint8Array,
  choice: ConversationChoice,
): Promise<Conversation> {
  if (utf8(choice.draft ?? '').length > DRAFT_BYTES_MAX) throw new LimitError('a draft has at most 64 KiB')
  return c.journal.commit(async () => {
    const before = (await c.store.conversations.get(contact)) ?? emptyConversation(contact)
    const after = { ...before, ...choice }
    const { muted, pinned, markedUnread } = after
    const told = muted !== before.muted || pinned !== before.pinned || markedUnread !== before.markedUnread
    const data = { contact: toHex(contact), muted, pinned, markedUnread }
    if (!told && after.draft === before.draft) return { ops: [], facts: [], result: before }
    return {
      ops: c.store.conversations.put(after),
      facts: told ? [{ type: 'conversation:changed', data }] : [],
      result: after,
    }
  })
}

/** Stars and pins. Throws UsageError for a message that is gone, LimitError above 16 pins in a conversation. */
export async function flag(c: ConversationComponents, message: Message, flags: MessageFlags): Promise<void> {
  await c.journal.commit(async () => {
    const now = (await c.store.messages.get(message.id)) ?? message
    if (now.gone !== GONE.no) throw new UsageError('the message is gone')
    return flagged(c, now, flags)
  })
}

async function flagged(c: ConversationComponents, message: Message, flags: MessageFlags): Promise<Change<void>> {
  const before = await c.store.marks.of(message)
  const { pinned = before.pinned } = flags
  const star = await starred(c, message, before, flags.starred ?? before.starred > 0)
  const pins = pinned === before.pinned ? [] : await pinOps(c, message, pinned)
  if (star.place === before.starred && pins.length === 0) return { ops: [], facts: [], result: undefined }
  const { id, contact } = message
  const data = { id: toHex(id), contact: toHex(contact), starred: star.place > 0, pinned }
  return {
    ops: [
      ...c.store.marks.put(contact, id, { ...before, starred: star.place, pinned }),
      ...(message.marked ? [] : c.store.messages.put({ ...message, marked: true })),
      ...star.ops,
      ...pins,
    ],
    facts: [{ type: 'message:flagged', data }],
    result: undefined,
  }
}

async function starred(
  c: ConversationComponents,
  { id }: Message,
  before: StoredMarks,
  wanted: boolean,
): Promise<{ readonly place: number; readonly ops: readonly StoreOp[] }> {
  if (wanted === before.starred > 0) return { place: before.starred, ops: [] }
  if (!wanted) return { place: 0, ops: c.store.starred.delete(before.starred) }
  const place = await c.store.starred.next()
  return { place, ops: c.store.starred.put({ messageId: id, order: place }) }
}

async function pinOps(c: ConversationComponents, { id, contact }: Message, wanted: boolean): Promise<StoreOp[]> {
  const before = (await c.store.conversations.get(contact)) ?? emptyConversation(contact)
  const others = before.pins.filter((each) => !equal(each, id))
  if (wanted && others.length >= PINS_MAX)
    throw new LimitError(`a conversation has at most ${PINS_MAX} pinned messages`)
  return c.store.conversations.put({ ...before, pins: wanted ? [id, ...others] : others })
}

/** Starred messages by their ids, the newest star first; `next` is the place to go on from, as is each one's own. */
export async function starredPage(
  c: Pick<ConversationComponents, 'store'>,
  query: { readonly before?: number; readonly limit: number },
): Promise<{
  readonly stars: readonly { readonly messageId: Uint8Array; readonly order: number }[]
  readonly next: number | undefined
}> {
  const found = await c.store.starred.page({ ...query, limit: query.limit + 1 })
  const stars = found.slice(0, query.limit)
  return { stars, next: found.length > query.limit ? stars.at(-1)?.order : undefined }
}
