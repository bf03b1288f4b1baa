import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DaemonError, UsageError } from '../../../src/lib/errors.ts'
import { Drafts } from '../../../src/web/state/drafts.ts'
import { OutgoingMessages } from '../../../src/web/state/outgoing.ts'
import { BOB, fakeApi } from '../support/fake-api.ts'

describe('drafts', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('LS-07 what is typed goes to the daemon once the typing rests, and into no storage of the browser', async () => {
    const api = fakeApi()
    const drafts = new Drafts(api)
    for (const text of ['H', 'He', 'Hel']) drafts.type(BOB, text)
    expect(drafts.unsaved.value).toBe(true)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(api.calls).toEqual(['update {"draft":"Hel"}'])
    expect(drafts.unsaved.value).toBe(false)
    expect(sessionStorage.length + localStorage.length).toBe(0)
  })

  test('while the daemon is away the draft stays, and is saved later; the daemon’s older copy does not win', async () => {
    const api = fakeApi()
    const { updateConversation } = api
    api.updateConversation = () => Promise.reject(new DaemonError('away'))
    const drafts = new Drafts(api)
    drafts.type(BOB, 'not lost')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(drafts.unsaved.value).toBe(true)
    drafts.seed(BOB, 'old')
    drafts.forgetSaved()
    expect(drafts.of(BOB).value).toBe('not lost')
    api.updateConversation = updateConversation
    await drafts.flush()
    expect(drafts.unsaved.value).toBe(false)
  })

  test('a new tab begins with the daemon’s draft', () => {
    const drafts = new Drafts(fakeApi())
    drafts.seed(BOB, 'from before')
    expect(drafts.of(BOB).value).toBe('from before')
  })
})

describe('messages on their way', () => {
  test('a refused message stays with its fault, and goes again under the same key', async () => {
    const keys: (string | undefined)[] = []
    let refuse = true
    const api = fakeApi()
    const { send } = api
    api.send = (contact, input) => {
      keys.push(input.id)
      return refuse ? Promise.reject(new DaemonError('away')) : send(contact, input)
    }
    const shown: string[] = []
    const outgoing = new OutgoingMessages(api, async ({ text }) => {
      shown.push(text)
    })
    expect(await outgoing.send(BOB, 'hello', null)).toBe(false)
    expect(outgoing.list.value).toMatchObject([{ text: 'hello', fault: { message: 'away' } }])
    refuse = false
    const [message] = outgoing.list.value
    expect(await outgoing.again(message?.key ?? '')).toBe(true)
    expect(outgoing.list.value).toEqual([])
    expect(shown).toEqual(['hello'])
    expect(new Set(keys).size).toBe(1)
  })

  test('what was lost on the way goes again by itself; what was refused waits for the user', async () => {
    let fault: Error = new DaemonError('away')
    const tried: string[] = []
    const api = fakeApi({
      send: (_contact, { text }) => {
        tried.push(text)
        return Promise.reject(fault)
      },
    })
    const outgoing = new OutgoingMessages(api, () => Promise.resolve())
    await outgoing.send(BOB, 'lost', null)
    fault = new UsageError('the contact is blocked')
    await outgoing.send(BOB, 'refused', null)
    tried.length = 0
    await outgoing.resume()
    expect(tried).toEqual(['lost'])
  })
})
