import { describe, expect, test } from 'vitest'
import { PAGE_SIZE, Thread } from '../../../src/web/state/thread.ts'
import { BOB, fakeApi, hexId, messageView } from '../support/fake-api.ts'

const withMessages = (count: number) => {
  const api = fakeApi()
  api.messageList = Array.from({ length: count }, (_, at) => messageView(at))
  return { api, thread: new Thread(BOB, api) }
}

describe('a thread', () => {
  test('LS-10 shows the newest page, then older ones by cursor to the first message', async () => {
    const { api, thread } = withMessages(2 * PAGE_SIZE + 7)
    await thread.refresh()
    expect(thread.messages.value.length).toBe(PAGE_SIZE)
    await thread.loadOlder()
    await thread.loadOlder()
    await thread.loadOlder()
    expect(thread.messages.value.map(({ id }) => id)).toEqual(api.messageList.map(({ id }) => id))
    expect(thread.complete.value).toBe(true)
  })

  test('a message that arrives while one reads older ones joins at the end', async () => {
    const { api, thread } = withMessages(PAGE_SIZE + 20)
    await thread.refresh()
    await thread.loadOlder()
    api.messageList.push(messageView(900))
    await thread.update(new Set([hexId(900)]), true)
    expect(thread.messages.value.length).toBe(PAGE_SIZE + 21)
    expect(thread.messages.value.at(-1)?.id).toBe(hexId(900))
  })

  test('a changed status is read, not guessed', async () => {
    const { api, thread } = withMessages(3)
    await thread.refresh()
    api.messageList[1] = messageView(1, { status: 'stored', stored: 4 })
    await thread.update(new Set([hexId(1)]), false)
    expect(thread.messages.value[1]).toMatchObject({ status: 'stored', stored: 4 })
    expect(api.calls).toContain('message 1')
  })

  test('a message that is gone goes', async () => {
    const { api, thread } = withMessages(3)
    await thread.refresh()
    api.messageList.splice(1, 1)
    await thread.update(new Set([hexId(1)]), false)
    expect(thread.messages.value.length).toBe(2)
  })

  test('a jump reads on to its target; far away it opens a window there, and comes back', async () => {
    const near = withMessages(3 * PAGE_SIZE)
    await near.thread.reach(hexId(2))
    expect(near.thread.detached.value).toBe(false)
    expect(near.thread.messages.value[2]?.id).toBe(hexId(2))

    const far = withMessages(20 * PAGE_SIZE)
    await far.thread.reach(hexId(120))
    expect(far.thread.detached.value).toBe(true)
    expect(far.thread.messages.value.at(-1)?.id).toBe(hexId(120))
    await far.thread.backToNewest()
    expect(far.thread.detached.value).toBe(false)
    expect(far.thread.messages.value.at(-1)?.id).toBe(hexId(20 * PAGE_SIZE - 1))
  })
})
