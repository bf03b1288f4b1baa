/** A daemon of plain lists behind the page's port. What a test does not give is refused by name. */
import type { ContactView } from '../../../src/api/application/contacts.ts'
import type { ConversationView, MessageView } from '../../../src/api/application/messages.ts'
import type { StreamItem } from '../../../src/api/client/follow.ts'
import { NotFoundError } from '../../../src/lib/errors.ts'
import type { PageApi } from '../../../src/web/state/port.ts'

const AT = '2026-11-21T13:20:00.000Z'
export const ALICE = `sotto1${'a'.repeat(58)}`
export const BOB = `sotto1${'q'.repeat(58)}`
export const hexId = (number: number): string => number.toString(16).padStart(32, '0')

export function contactView(accountId: string, name: string, more: Partial<ContactView> = {}): ContactView {
  return {
    accountId,
    name,
    state: 'accepted',
    verified: false,
    changed: false,
    pinSource: 'network',
    note: '',
    favourite: false,
    direct: 'always',
    addedAt: AT,
    lastSeenAt: null,
    online: false,
    profileName: '',
    profileNumber: 0,
    devices: 1,
    ...more,
  }
}

export function messageView(number: number, more: Partial<MessageView> = {}): MessageView {
  const at = new Date(new Date(AT).getTime() + number * 1_000).toISOString()
  return {
    id: hexId(number),
    contact: BOB,
    outgoing: true,
    kind: 'text',
    text: `message ${number}`,
    replyTo: null,
    sentAt: at,
    committedAt: at,
    status: 'queued',
    stored: 0,
    storedOf: 5,
    path: 'none',
    editedAt: null,
    gone: 'no',
    reactions: [],
    starred: false,
    pinned: false,
    timerSeconds: null,
    expiresAt: null,
    cursor: String(number),
    ...more,
  }
}

export function conversationView(contact: string, more: Partial<ConversationView> = {}): ConversationView {
  const rest = { unread: 0, muted: false, pinned: false, markedUnread: false, timerSeconds: null, draft: '', pins: [] }
  return { contact, name: '', lastMessage: null, ...rest, ...more }
}

export interface FakeApi extends PageApi {
  /** Oldest first. */
  messageList: MessageView[]
  conversationList: ConversationView[]
  contactList: ContactView[]
  readonly calls: string[]
  /** Hands an item to whoever follows the events. */
  emit(item: StreamItem): void
  /** Ends the open connection. */
  cut(): void
}

export function fakeApi(given: Partial<PageApi> = {}): FakeApi {
  const calls: string[] = []
  const feed = new Feed()
  let serial = 10_000
  const find = (id: string): MessageView => {
    const found = fake.messageList.find((message) => message.id === id)
    if (found === undefined) throw new NotFoundError('no such message')
    return found
  }
  const own: Partial<FakeApi> = {
    messageList: [],
    conversationList: [conversationView(BOB)],
    contactList: [contactView(BOB, 'Bob')],
    calls,
    emit: (item) => {
      feed.add(item)
    },
    cut: () => {
      feed.cut()
    },
    events: () => feed.items(),
    answers: async () => {
      calls.push('answers')
      return true
    },
    enter: async () => {},
    noteUse: async () => {
      calls.push('use')
    },
    status: async () => status,
    identity: async () => ({ accountId: ALICE, deviceId: hexId(1), cardNumber: 1, devices: [] }),
    profile: async () => ({ name: '', bio: '', avatar: null, number: 0 }),
    contactProfile: async () => ({ name: '', bio: '', avatar: null, number: 0 }),
    settings: async () => ({ ...settings }),
    contacts: async () => fake.contactList,
    conversations: async () => fake.conversationList,
    updateConversation: async (contact, change) => {
      calls.push(`update ${JSON.stringify(change)}`)
      return conversationView(contact, change)
    },
    messages: async (contact, { cursor, limit }) => {
      calls.push(`messages ${cursor ?? 'newest'}`)
      const newest = fake.messageList.filter((message) => message.contact === contact).toReversed()
      const start = cursor === undefined ? 0 : newest.findIndex((message) => message.cursor === cursor) + 1
      const items = newest.slice(start, start + limit)
      return { items, next: start + limit < newest.length ? (items.at(-1)?.cursor ?? null) : null }
    },
    message: async (id) => {
      calls.push(`message ${Number.parseInt(id, 16)}`)
      return find(id)
    },
    send: async (contact, { text, replyTo = null }) => {
      calls.push(`send ${text}`)
      const sent = messageView(++serial, { contact, text, replyTo })
      fake.messageList.push(sent)
      return sent
    },
    editMessage: async (id, { text }) => {
      calls.push(`edit ${text}`)
      return { ...find(id), text, editedAt: AT }
    },
    setTyping: async (_contact, typing) => {
      calls.push(`typing ${typing}`)
    },
    markRead: async (_contact, { upTo = 'all' }) => {
      calls.push(`read ${upTo}`)
      return { marked: 1 }
    },
  }
  const fake = new Proxy({ ...own, ...given } as FakeApi, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      (() => Promise.reject(new Error(`the fake daemon was asked for ${String(name)}, which no test gave it`))),
  })
  return fake
}

const status = {
  version: '0.1.0',
  network: 'local',
  state: 'ready',
  accountId: ALICE,
  deviceId: hexId(1),
  peerId: '12D3KooW',
  addresses: [],
  peers: 1,
  reach: { reachability: 'public', relays: 0 },
  holder: { serving: true, records: 0, bytes: 0 },
  outbox: { waiting: 0 },
  mailbox: { lastSweepAt: null, complete: false, unread: 0 },
  uptimeSeconds: 1,
} as const

const settings = {
  readReceipts: true,
  typing: true,
  presence: true,
  retentionDays: null,
  autoLockMinutes: null,
  defaultTimerSeconds: null,
}

/** One connection at a time. */
class Feed {
  #items: StreamItem[] = []
  #ended = false
  #wake = (): void => {}

  add(item: StreamItem): void {
    this.#items.push(item)
    this.#wake()
  }
  cut(): void {
    this.#ended = true
    this.#wake()
  }
  async *items(): AsyncGenerator<StreamItem> {
    this.#ended = false
    this.#items = [{ type: 'hello', first: 1, last: 0, since: 0 }]
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) yield item
      else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}
