import { describe, expect, test } from 'vitest'
import { parseRoute, to } from '../../../src/web/app/routes.ts'
import { ChatList } from '../../../src/web/screens/chats/chat-list.tsx'
import { dayGroups, firstUnread, isRun } from '../../../src/web/screens/conversation/day-groups.ts'
import { sortedChats } from '../../../src/web/screens/chats/order.ts'
import { ALICE, BOB, contactView, conversationView, fakeApi, messageView } from '../support/fake-api.ts'
import { mount } from '../support/mount.tsx'

describe('the list of conversations', () => {
  test('LS-07 unread, muted, pinned, draft, last message and presence are in the row’s words', async () => {
    const api = fakeApi()
    api.contactList = [contactView(BOB, 'Bob', { online: true }), contactView(ALICE, 'Alice')]
    api.conversationList = [
      conversationView(BOB, {
        unread: 3,
        muted: true,
        lastMessage: messageView(5, { outgoing: false, text: 'see you' }),
      }),
      conversationView(ALICE, { pinned: true, draft: 'dear Alice', lastMessage: messageView(1, { contact: ALICE }) }),
    ]
    const { view } = await mount(api, <ChatList chosen={null} />)
    const [first, second] = view.getAllByRole('link').filter((link) => link.classList.contains('chat-row'))
    expect(first?.textContent).toMatch(/Alice.*pinned.*Draft: dear Alice/)
    expect(second?.textContent).toMatch(/Bob, online muted.*see you3 unread/)
  })

  test('pinned ones first, then by the last message', () => {
    const chat = (contact: string, number: number, pinned = false) =>
      conversationView(contact, { pinned, lastMessage: messageView(number, { contact }) })
    const order = sortedChats([chat('a', 1), chat('b', 9), chat('c', 5, true)]).map(({ contact }) => contact)
    expect(order).toEqual(['c', 'b', 'a'])
  })
})

describe('messages in days', () => {
  test('the order is the API’s: a clock that went wrong moves nothing and opens no day', () => {
    const at = (day: number, id: number) => messageView(id, { sentAt: new Date(2026, 10, day, 12).toISOString() })
    const groups = dayGroups([at(20, 1), at(3, 2), at(20, 3), at(21, 4)])
    expect(groups.map(({ messages }) => messages.map(({ id }) => Number.parseInt(id, 16)))).toEqual([[1, 2, 3], [4]])
  })
  test('the line “new messages” stands before the first that was not read', () => {
    const list = [1, 2, 3].map((number) => messageView(number, { outgoing: number === 2 }))
    expect(firstUnread(list, 1)).toBe(list[2]?.id)
    expect(firstUnread(list, 2)).toBe(list[0]?.id)
    expect(firstUnread(list, 99)).toBe(list[0]?.id)
    expect(firstUnread(list, 0)).toBeNull()
  })
  test('messages of one side close together are a run', () => {
    expect(isRun(messageView(1), messageView(2))).toBe(true)
    expect(isRun(messageView(1), messageView(2, { outgoing: false }))).toBe(false)
    expect(isRun(messageView(1), messageView(1_000))).toBe(false)
    expect(isRun(undefined, messageView(1))).toBe(false)
  })
})

describe('addresses', () => {
  test('each screen has one, and reads back from it', () => {
    expect(parseRoute(to.message(BOB, 'ab'))).toEqual({ screen: 'chats', contact: BOB, message: 'ab' })
    expect(parseRoute(to.verify(BOB))).toEqual({ screen: 'contacts', contact: BOB, part: 'verify' })
    expect(parseRoute(to.search('a b&c'))).toEqual({ screen: 'search', query: 'a b&c' })
    expect(parseRoute(to.guidePage('threats'))).toEqual({ screen: 'guide', page: 'threats' })
    expect(parseRoute('#/%E0%A4%A/x')).toEqual({ screen: 'chats', contact: null, message: null })
    expect(parseRoute('')).toEqual({ screen: 'chats', contact: null, message: null })
  })
})
