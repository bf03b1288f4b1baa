import { waitFor } from '@testing-library/preact'
import { describe, expect, test, vi } from 'vitest'
import { Desk } from '../../../src/web/screens/conversation/desk.ts'
import { MessageList } from '../../../src/web/screens/conversation/message-list.tsx'
import { Store } from '../../../src/web/state/store.ts'
import { BOB, conversationView, fakeApi, hexId, messageView } from '../support/fake-api.ts'
import { mountWith } from '../support/mount.tsx'

async function list(messages: ReturnType<typeof messageView>[], unread: number) {
  const api = fakeApi()
  api.messageList = messages
  api.conversationList = [conversationView(BOB, { unread })]
  const store = new Store(api)
  await store.readAll()
  const reads = () => api.calls.filter((call) => call.startsWith('read'))
  const view = mountWith(store, <MessageList desk={new Desk(store, BOB)} />)
  return { store, api, view, reads }
}

describe('the messages', () => {
  test('PR-15 nothing is marked as read before it is on the screen, and then up to the last one', async () => {
    vi.spyOn(document, 'hasFocus').mockReturnValue(true)
    const { store, reads } = await list([messageView(1, { outgoing: false }), messageView(2, { outgoing: false })], 2)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(reads()).toEqual([])
    await store.thread(BOB).refresh()
    await waitFor(() => {
      expect(reads()[0]).toBe(`read ${hexId(2)}`)
    })
  })

  test('in a window that has not the focus nothing is read', async () => {
    vi.spyOn(document, 'hasFocus').mockReturnValue(false)
    const { store, view, reads } = await list([messageView(1, { outgoing: false })], 1)
    await store.thread(BOB).refresh()
    expect(await view.findByRole('article')).toBeTruthy()
    expect(reads()).toEqual([])
  })

  test('PR-18 what was deleted, edited, reacted to or will disappear is said in words', async () => {
    const { store, view } = await list(
      [
        messageView(1, { gone: 'deleted', text: '' }),
        messageView(2, { editedAt: '2026-11-21T13:21:00.000Z' }),
        messageView(3, { outgoing: false, reactions: [{ own: true, emoji: '👍', at: '2026-11-21T13:21:00.000Z' }] }),
        messageView(4, { timerSeconds: 3_600 }),
      ],
      0,
    )
    await store.thread(BOB).refresh()
    expect(await view.findByText('Message deleted')).toBeTruthy()
    expect(view.getByText('edited')).toBeTruthy()
    expect(view.getByRole('button', { name: '👍, yours' })).toBeTruthy()
    expect(view.getByText('disappears 1 hour after it was read')).toBeTruthy()
    expect(view.getByRole('article', { name: /^Message from Bob, / })).toBeTruthy()
  })

  test('a text is never HTML', async () => {
    const { store, view } = await list([messageView(1, { text: '<img src=x onerror=alert(1)> & <b>bold</b>' })], 0)
    await store.thread(BOB).refresh()
    expect(await view.findByText('<img src=x onerror=alert(1)> & <b>bold</b>')).toBeTruthy()
    expect(view.container.querySelector('b, .message-text img')).toBeNull()
  })

  test('a reply shows what it answers, also where that is far away or not here', async () => {
    const { store, view, api } = await list(
      [
        messageView(1, { text: 'question' }),
        messageView(2, { replyTo: hexId(1) }),
        messageView(3, { replyTo: hexId(99) }),
      ],
      0,
    )
    await store.thread(BOB).refresh()
    expect(await view.findByRole('button', { name: /^Answers You.*question$/ })).toBeTruthy()
    expect(await view.findByText('The message that this answers is not here.')).toBeTruthy()
    expect(api.calls).toContain('message 99')
  })
})
