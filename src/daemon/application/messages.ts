/** Conversations and messages, for the local API. */
import type {
  ConversationChange,
  ConversationView,
  MessageFlags,
  MessagesPart,
  MessageView,
  Page,
  SearchInput,
  WhyView,
} from '../../api/application/messages.ts'
import { fromHex } from '../../lib/bytes.ts'
import { CodecError, NotFoundError, UsageError } from '../../lib/errors.ts'
import { parseAccountId } from '../../protocol/account-id.ts'
import { choose, flag, starredPage } from '../../services/conversations/choices.ts'
import { clear, removeMessage } from '../../services/conversations/remove.ts'
import { deleteForBoth, editMessage, react, setTimer } from '../../services/outbox/operate.ts'
import type { OperateComponents } from '../../services/outbox/operate.ts'
import { send } from '../../services/outbox/send.ts'
import { takeBack } from '../../services/outbox/take-back.ts'
import { UNMARKED } from '../../store/marks.ts'
import type { Conversation, Message } from '../../store/records.ts'
import type { UnlockedRooms } from '../build-rooms.ts'
import type { Daemon } from '../daemon.ts'
import { conversationView, messageView, whyView } from '../views.ts'
import { fill, preview } from './answer-size.ts'
import { prefetch, roomsOf } from './rooms.ts'

export function messagesPart(daemon: Daemon): MessagesPart {
  return { ...conversationsPart(daemon), ...readingPart(daemon), ...writingPart(daemon) }
}

type ConversationsPart = Pick<
  MessagesPart,
  'conversations' | 'conversation' | 'updateConversation' | 'clearConversation' | 'markRead'
>
type ReadingPart = Pick<MessagesPart, 'messages' | 'message' | 'search' | 'starred' | 'why'>
type WritingPart = Omit<MessagesPart, keyof ConversationsPart | keyof ReadingPart>

function conversationsPart(daemon: Daemon): ConversationsPart {
  return {
    async conversations(): Promise<readonly ConversationView[]> {
      const rooms = roomsOf(daemon)
      const all = await rooms.conversations.all()
      return Promise.all(all.map(async (conversation) => conversationOf(rooms, conversation)))
    },

    async conversation(accountId: string): Promise<ConversationView> {
      const rooms = roomsOf(daemon)
      return conversationOf(rooms, await existing(rooms, parseAccountId(accountId)))
    },

    async updateConversation(accountId: string, change: ConversationChange): Promise<ConversationView> {
      const rooms = roomsOf(daemon)
      const contact = parseAccountId(accountId)
      await existing(rooms, contact)
      const { timerSeconds, ...choice } = change
      if (timerSeconds === 0) throw new UsageError('a timer is null, or 5 seconds to 4 weeks')
      if ((choice.draft ?? '') !== '') await prefetchFor(daemon, contact)
      if (timerSeconds !== undefined) await setTimer(operating(daemon), { contact, seconds: timerSeconds ?? 0 })
      return conversationOf(rooms, await choose(rooms.messages.talk, contact, choice))
    },

    async clearConversation(accountId: string): Promise<void> {
      const rooms = roomsOf(daemon)
      const contact = parseAccountId(accountId)
      await existing(rooms, contact)
      await clear(rooms.messages.talk, contact)
    },

    async markRead(accountId: string, input: { upTo?: string }): Promise<{ marked: number }> {
      const rooms = roomsOf(daemon)
      const contact = parseAccountId(accountId)
      const upTo = input.upTo === undefined ? undefined : idOf(input.upTo)
      const marked = await rooms.conversations.markRead(contact, upTo, (ids) => rooms.receipts.readOps(contact, ids))
      rooms.receipts.wake()
      return { marked }
    },
  }
}

function readingPart(daemon: Daemon): ReadingPart {
  return {
    async messages(accountId: string, input: { cursor?: string; limit: number }): Promise<Page<MessageView>> {
      const rooms = roomsOf(daemon)
      const contact = parseAccountId(accountId)
      let before = input.cursor === undefined ? {} : { before: cursorOf(input.cursor) }
      const older = async (limit: number): Promise<readonly Message[]> => {
        const found = await rooms.conversations.page(contact, { ...before, limit })
        const last = found.at(-1)
        if (last !== undefined) before = { before: last.order }
        return found
      }
      const { items, more } = await fill(older, async (messages) => viewsOf(rooms, messages), input.limit)
      return { items, next: more ? (items.at(-1)?.cursor ?? null) : null }
    },

    async message(id: string): Promise<MessageView> {
      const rooms = roomsOf(daemon)
      return viewOf(rooms, await rooms.conversations.require(idOf(id)))
    },

    async search(input: SearchInput): Promise<Page<MessageView>> {
      const rooms = roomsOf(daemon)
      const { query, limit, cursor } = input
      const where = input.contact === undefined ? {} : { contact: parseAccountId(input.contact) }
      const from = cursor === undefined ? {} : { before: cursor }
      const find = async (most: number) =>
        found(async () => rooms.store.search.find(query, { ...where, ...from, limit: most }))
      const { ids, next } = await find(limit)
      return pageOf(rooms, ids, next, async (count) => (await find(count)).next)
    },

    async starred(input: { cursor?: string; limit: number }): Promise<Page<MessageView>> {
      const rooms = roomsOf(daemon)
      const before = input.cursor === undefined ? {} : { before: cursorOf(input.cursor) }
      const { stars, next } = await starredPage(rooms.messages.talk, { ...before, limit: input.limit })
      const ids = stars.map(({ messageId }) => messageId)
      const end = next === undefined ? null : String(next)
      return pageOf(rooms, ids, end, async (count) => String(stars[count - 1]?.order ?? ''))
    },

    async why(id: string): Promise<WhyView> {
      const rooms = roomsOf(daemon)
      const message = await rooms.conversations.require(idOf(id))
      return whyView(message, await rooms.outbox.itemsOf(message.id, message.contact))
    },
  }
}

function writingPart(daemon: Daemon): WritingPart {
  const changed = async (id: string): Promise<MessageView> => {
    const rooms = roomsOf(daemon)
    return viewOf(rooms, await rooms.conversations.require(idOf(id)))
  }
  return {
    async send(accountId: string, input: { text: string; replyTo?: string; id?: string }): Promise<MessageView> {
      const message = await send(operating(daemon), {
        contact: parseAccountId(accountId),
        text: input.text,
        ...(input.replyTo === undefined ? {} : { replyTo: idOf(input.replyTo) }),
        ...(input.id === undefined ? {} : { id: idOf(input.id) }),
      })
      return viewOf(roomsOf(daemon), message)
    },

    async editMessage(id: string, input: { text: string; operation?: string }): Promise<MessageView> {
      await editMessage(operating(daemon), { id: idOf(id), text: input.text, ...operationOf(input) })
      return changed(id)
    },

    async react(id: string, input: { emoji: string | null; operation?: string }): Promise<MessageView> {
      await react(operating(daemon), { id: idOf(id), emoji: input.emoji ?? '', ...operationOf(input) })
      return changed(id)
    },

    async flagMessage(id: string, flags: MessageFlags): Promise<MessageView> {
      const rooms = roomsOf(daemon)
      await flag(rooms.messages.talk, await rooms.conversations.require(idOf(id)), flags)
      return changed(id)
    },

    async deleteMessage(id: string, input: { for: 'both' | 'me'; operation?: string }): Promise<void> {
      if (input.for === 'both') await deleteForBoth(operating(daemon), { id: idOf(id), ...operationOf(input) })
      else await removeOnly(daemon, idOf(id))
    },

    async takeBack(id: string): Promise<MessageView> {
      const rooms = roomsOf(daemon)
      const { journal, conversations, outbox, mailbox } = rooms
      const { tombstones } = mailbox
      return viewOf(rooms, await takeBack({ journal, conversations, outbox, tombstones }, idOf(id)))
    },
  }
}

async function removeOnly(daemon: Daemon, id: Uint8Array): Promise<void> {
  const { talk, callOff } = roomsOf(daemon).messages
  await removeMessage(talk, id, callOff)
}

/** What it takes to say something to a contact. */
function operating(daemon: Daemon): OperateComponents & Parameters<typeof send>[0] {
  const { clock, rng } = daemon.base
  const { journal, contacts, conversations, outbox, messages } = roomsOf(daemon)
  const { callOff, named } = messages
  return { journal, contacts, conversations, outbox, clock, rng, callOff, named }
}

/** The messages of these ids that are there still, as far as a page has room; `nextAfter` says where to go on behind so many ids. */
async function pageOf(
  rooms: UnlockedRooms,
  ids: readonly Uint8Array[],
  next: string | null,
  nextAfter: (count: number) => Promise<string | null>,
): Promise<Page<MessageView>> {
  const there: Found[] = []
  let place = 0
  const source = async (count: number) => {
    const step: Found[] = []
    for (; step.length < count && place < ids.length; place++) {
      const message = await rooms.conversations.find(ids[place] ?? NO_ID)
      if (message !== undefined) step.push({ message, place })
    }
    there.push(...step)
    return step
  }
  const view = async (step: readonly Found[]) =>
    viewsOf(
      rooms,
      step.map(({ message }) => message),
    )
  const { items, more } = await fill(source, view, ids.length)
  const last = there[items.length - 1]
  return { items, next: more && last !== undefined ? await nextAfter(last.place + 1) : next }
}
const NO_ID = new Uint8Array(16)
interface Found {
  readonly message: Message
  /** Among the ids. */
  readonly place: number
}

async function viewsOf(rooms: UnlockedRooms, messages: readonly Message[]): Promise<readonly MessageView[]> {
  const marks = await rooms.store.marks.ofAll(messages)
  return messages.map((message, index) => messageView(message, marks[index] ?? UNMARKED))
}

async function viewOf(rooms: UnlockedRooms, message: Message): Promise<MessageView> {
  return messageView(message, await rooms.store.marks.of(message))
}

async function conversationOf(rooms: UnlockedRooms, conversation: Conversation): Promise<ConversationView> {
  const contact = await rooms.contacts.get(conversation.contact)
  const { lastMessage } = conversation
  const last = lastMessage === undefined ? undefined : await rooms.conversations.find(lastMessage)
  const shown = last === undefined ? null : preview(await viewOf(rooms, last))
  return conversationView(conversation, contact?.name ?? '', shown)
}

/** Throws NotFoundError for an account that is no contact and was none that was written with. */
async function existing(rooms: UnlockedRooms, contact: Uint8Array): Promise<Conversation> {
  const conversation = await rooms.conversations.get(contact)
  const isKnown = conversation.lastAt > 0 || (await rooms.contacts.get(contact)) !== undefined
  if (!isKnown) throw new NotFoundError('no such conversation')
  return conversation
}

async function found<T>(search: () => Promise<T>): Promise<T> {
  try {
    return await search()
  } catch (error) {
    if (error instanceof CodecError) throw new UsageError(WRONG_CURSOR)
    throw error
  }
}
const WRONG_CURSOR = 'this cursor is none that we gave out'

const operationOf = ({ operation }: { operation?: string }): { operation?: Uint8Array } =>
  operation === undefined ? {} : { operation: idOf(operation) }

/** Whoever begins to write may send it: what a new session begins with is fetched ahead. Reading fetches nothing, so it tells nobody. */
export async function prefetchFor(daemon: Daemon, accountId: Uint8Array): Promise<void> {
  const contact = await roomsOf(daemon).contacts.get(accountId)
  for (const { prekeys } of contact?.devices ?? []) if (prekeys !== undefined) prefetch(daemon, accountId, prekeys)
}

function idOf(text: string): Uint8Array {
  const id = fromHex(text)
  if (id?.length !== 16) throw new UsageError('a message id has 32 hexadecimal digits')
  return id
}

function cursorOf(text: string): number {
  const order = Number(text)
  if (!Number.isSafeInteger(order) || order < 0) throw new UsageError(WRONG_CURSOR)
  return order
}
