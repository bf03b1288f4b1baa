import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DaemonError } from '../../../src/lib/errors.ts'
import { follow } from '../../../src/web/state/feed.ts'
import { Store } from '../../../src/web/state/store.ts'
import type { FakeApi } from '../support/fake-api.ts'
import { BOB, conversationView, fakeApi, hexId, messageView } from '../support/fake-api.ts'

const event = (type: string, data: unknown) =>
  ({ type: 'event', event: { number: 1, at: '2026-11-21T13:20:00.000Z', type, data } }) as const

describe('the feed', () => {
  let end = new AbortController()
  beforeEach(() => {
    vi.useFakeTimers()
    end = new AbortController()
  })
  afterEach(() => {
    end.abort()
    vi.useRealTimers()
  })
  const start = async (api: FakeApi): Promise<Store> => {
    const store = new Store(api)
    store.door.value = 'in'
    void follow(store, end.signal)
    await vi.advanceTimersByTimeAsync(20)
    return store
  }

  test('AP-06 reads everything on the hello, and what an event names once for many events', async () => {
    const api = fakeApi()
    api.messageList = [messageView(1), messageView(2)]
    const store = await start(api)
    expect(store.loaded.value).toBe(true)
    expect(store.link.value).toBe('live')
    await store.thread(BOB).refresh()
    api.calls.length = 0
    api.messageList[0] = messageView(1, { status: 'delivered' })
    for (let times = 0; times < 5; times++) api.emit(event('message:delivered', { id: hexId(1), contact: BOB }))
    await vi.advanceTimersByTimeAsync(200)
    expect(store.thread(BOB).messages.value[0]?.status).toBe('delivered')
    expect(api.calls).toEqual(['message 1'])
  })

  test('a new message is shown in its place and announced by name, never by its text', async () => {
    const api = fakeApi()
    const store = await start(api)
    await store.thread(BOB).refresh()
    api.messageList.push(messageView(7, { outgoing: false, text: 'secret' }))
    api.conversationList = [conversationView(BOB, { unread: 1 })]
    api.emit(event('message:received', { id: hexId(7), contact: BOB }))
    await vi.advanceTimersByTimeAsync(200)
    expect(store.thread(BOB).messages.value.map(({ text }) => text)).toEqual(['secret'])
    expect(store.notices.announced.value).toBe('New message from Bob')
    expect(store.unread.value).toBe(1)
  })

  test('PR-04 typing ends by itself, and with the message', async () => {
    const api = fakeApi()
    const store = await start(api)
    const typing = { type: 'live', event: { type: 'typing', contact: BOB, typing: true } } as const
    api.emit(typing)
    await vi.advanceTimersByTimeAsync(10)
    expect(store.typing.value.has(BOB)).toBe(true)
    await vi.advanceTimersByTimeAsync(8_000)
    expect(store.typing.value.has(BOB)).toBe(false)
    api.emit(typing)
    api.emit(event('message:received', { id: hexId(1), contact: BOB }))
    await vi.advanceTimersByTimeAsync(10)
    expect(store.typing.value.has(BOB)).toBe(false)
  })

  test('presence is what a live frame says', async () => {
    const api = fakeApi()
    const store = await start(api)
    api.emit({ type: 'live', event: { type: 'presence', contact: BOB, online: true } })
    await vi.advanceTimersByTimeAsync(10)
    expect(store.byAccount.value.get(BOB)?.online).toBe(true)
  })

  test('when the daemon goes away it says so, tries again, and reads everything anew', async () => {
    const answers = { gone: false }
    const api = fakeApi()
    const { status } = api
    api.status = async () => {
      if (answers.gone) throw new DaemonError('the daemon does not answer')
      return status()
    }
    const store = await start(api)
    answers.gone = true
    api.cut()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(store.link.value).toBe('away')
    api.conversationList = [conversationView(BOB, { unread: 3 })]
    answers.gone = false
    await vi.advanceTimersByTimeAsync(3_000)
    expect(store.link.value).toBe('live')
    expect(store.unread.value).toBe(3)
  })

  test('LS-01 locked elsewhere: every message leaves the tab, and comes back with the unlocking', async () => {
    const api = fakeApi()
    const { status } = api
    let state: 'ready' | 'locked' = 'ready'
    api.status = async () => ({ ...(await status()), state })
    api.messageList = [messageView(1)]
    const store = await start(api)
    await store.thread(BOB).refresh()
    state = 'locked'
    api.cut()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(store.status.value?.state).toBe('locked')
    expect(store.contacts.value).toEqual([])
    expect(store.thread(BOB).messages.value).toEqual([])
    state = 'ready'
    await vi.advanceTimersByTimeAsync(4_000)
    expect(store.contacts.value.length).toBe(1)
  })

  test('AP-09 where the daemon has gone nothing is asked but whether anybody answers, and then the tab is closed to them', async () => {
    const there = { yes: false }
    const api = fakeApi({ answers: async () => there.yes })
    api.messageList = [messageView(1)]
    const store = await start(api)
    await store.thread(BOB).refresh()
    store.drafts.type(BOB, 'mine')
    await vi.advanceTimersByTimeAsync(700)
    store.drafts.type(BOB, 'mine, and more')
    store.door.value = 'lost'
    api.cut()
    await vi.advanceTimersByTimeAsync(100)
    api.calls.length = 0
    api.updateConversation = () => Promise.reject(new DaemonError('nothing is sent'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect([store.link.value, store.loaded.value, api.calls]).toEqual(['away', true, []])
    there.yes = true
    await vi.advanceTimersByTimeAsync(2_000)
    expect(store.door.value).toBe('anew')
    expect([store.status.value, store.contacts.value, store.thread(BOB).messages.value]).toEqual([null, [], []])
    expect(store.drafts.of(BOB).value).toBe('mine, and more')
    expect(api.calls).toEqual([])
    await store.enter('code')
    await vi.advanceTimersByTimeAsync(200)
    expect([store.link.value, store.contacts.value.length]).toEqual(['live', 1])
    expect(store.drafts.of(BOB).value).toBe('mine, and more')
  })

  test('AP-35 news of the account stand on the screen once, until they are dismissed', async () => {
    const api = fakeApi()
    const store = await start(api)
    for (let times = 0; times < 3; times++) api.emit(event('recovery:none', {}))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.notices.list.value.map(({ kind }) => kind)).toEqual(['news'])
  })
})
