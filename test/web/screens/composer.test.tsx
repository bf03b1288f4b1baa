import { fireEvent, waitFor } from '@testing-library/preact'
import { describe, expect, test } from 'vitest'
import { DaemonError } from '../../../src/lib/errors.ts'
import { Composer } from '../../../src/web/screens/conversation/composer.tsx'
import { Desk } from '../../../src/web/screens/conversation/desk.ts'
import { MessageList } from '../../../src/web/screens/conversation/message-list.tsx'
import { Store } from '../../../src/web/state/store.ts'
import { StoreContext } from '../../../src/web/state/context.ts'
import { render } from '@testing-library/preact'
import type { FakeApi } from '../support/fake-api.ts'
import { BOB, contactView, fakeApi, messageView } from '../support/fake-api.ts'

async function compose(api: FakeApi) {
  const store = new Store(api)
  await store.readAll()
  await store.thread(BOB).refresh()
  const desk = new Desk(store, BOB)
  const view = render(
    <StoreContext.Provider value={store}>
      <MessageList desk={desk} />
      <Composer desk={desk} />
    </StoreContext.Provider>,
  )
  const box = view.getByRole('textbox', { name: 'Message to Bob' }) as HTMLTextAreaElement
  const type = (text: string) => fireEvent.input(box, { target: { value: text } })
  const press = (key: string, more = {}) => fireEvent.keyDown(box, { key, ...more })
  return { store, desk, view, box, type, press }
}

describe('the composer', () => {
  test('Enter sends and empties the box; Shift and Enter, and Enter of an input method, do not', async () => {
    const api = fakeApi()
    const { box, type, press } = await compose(api)
    type('hello')
    press('Enter', { shiftKey: true })
    press('Enter', { isComposing: true })
    expect(api.calls.filter((call) => call.startsWith('send'))).toEqual([])
    press('Enter')
    expect(box.value).toBe('')
    await waitFor(() => {
      expect(api.calls).toContain('send hello')
    })
  })

  test('nothing but white space is not sent', async () => {
    const api = fakeApi()
    const { type, press } = await compose(api)
    type('  \n ')
    press('Enter')
    expect(api.calls.some((call) => call.startsWith('send'))).toBe(false)
  })

  test('until the daemon has answered it says “sending…”, and no state beyond that', async () => {
    const api = fakeApi()
    const { send } = api
    let answer = (): void => {}
    api.send = async (contact, input) => {
      await new Promise<void>((resolve) => (answer = resolve))
      return send(contact, input)
    }
    const { view, type, press } = await compose(api)
    type('hello')
    press('Enter')
    expect(await view.findByText('sending…')).toBeTruthy()
    expect(view.queryByRole('button', { name: /^Status/ })).toBeNull()
    answer()
    expect(await view.findByRole('button', { name: 'Status: queued' })).toBeTruthy()
    expect(view.queryByText('sending…')).toBeNull()
    expect(view.getAllByText('hello').length).toBe(1)
  })

  test('a message that the daemon did not take stays, goes again, or comes back into the box', async () => {
    const api = fakeApi({ send: () => Promise.reject(new DaemonError('the daemon does not answer')) })
    const { view, box, type, press, store } = await compose(api)
    type('precious')
    press('Enter')
    fireEvent.click(await view.findByRole('button', { name: 'Back into the box' }))
    await waitFor(() => {
      expect(box.value).toBe('precious')
    })
    expect(store.outgoing.list.value).toEqual([])
  })

  test('a reply names what it answers, and Escape ends it without losing the text', async () => {
    const api = fakeApi()
    api.messageList = [messageView(1, { outgoing: false, text: 'question' })]
    const { view, desk, type, press, box } = await compose(api)
    type('answer')
    const [question] = api.messageList
    if (question === undefined) throw new Error('no message')
    desk.reply(question)
    expect(await view.findByText('Reply to Bob')).toBeTruthy()
    press('Escape')
    await waitFor(() => {
      expect(view.queryByText('Reply to Bob')).toBeNull()
    })
    expect(box.value).toBe('answer')
  })

  test('↑ in the empty box edits the last own message; the draft is left alone', async () => {
    const api = fakeApi()
    api.messageList = [messageView(1, { text: 'teh first' }), messageView(2, { outgoing: false })]
    const { box, type, press, store } = await compose(api)
    press('ArrowUp')
    await waitFor(() => {
      expect(box.value).toBe('teh first')
    })
    type('the first')
    press('Enter')
    await waitFor(() => {
      expect(api.calls).toContain('edit the first')
    })
    expect(store.drafts.of(BOB).value).toBe('')
  })

  test('PR-04 typing is told at most every three seconds, and that it ended', async () => {
    const api = fakeApi()
    const { type } = await compose(api)
    type('a')
    type('ab')
    type('')
    expect(api.calls.filter((call) => call.startsWith('typing'))).toEqual(['typing true', 'typing false'])
  })

  test('PR-04 typing is told to nobody where it is switched off', async () => {
    const api = fakeApi()
    const { store, type } = await compose(api)
    const settings = store.settings.value
    if (settings !== null) store.settings.value = { ...settings, typing: false }
    type('a')
    expect(api.calls.filter((call) => call.startsWith('typing'))).toEqual([])
  })

  test('ID-10 nothing can be written while the contact’s key contradicts the pin', async () => {
    const api = fakeApi()
    api.contactList = [contactView(BOB, 'Bob', { changed: true })]
    const { box } = await compose(api)
    expect(box.disabled).toBe(true)
  })
})
