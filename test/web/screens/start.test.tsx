import { fireEvent, render, waitFor } from '@testing-library/preact'
import { describe, expect, test, vi } from 'vitest'
import { PassphraseError, RateError } from '../../../src/lib/errors.ts'
import { App } from '../../../src/web/app/app.tsx'
import { PhraseCheck } from '../../../src/web/screens/start/phrase-check.tsx'
import { StoreContext } from '../../../src/web/state/context.ts'
import { takeCode } from '../../../src/web/state/session.ts'
import { Store } from '../../../src/web/state/store.ts'
import type { FakeApi } from '../support/fake-api.ts'
import { BOB, fakeApi } from '../support/fake-api.ts'

const PHRASE = Array.from({ length: 24 }, (_, at) => `word${at + 1}`).join(' ')

async function open(api: FakeApi) {
  const store = new Store(api)
  store.door.value = 'in'
  await store.readStatus()
  return {
    store,
    view: render(
      <StoreContext.Provider value={store}>
        <App />
      </StoreContext.Provider>,
    ),
  }
}
const inState = (state: 'empty' | 'locked', more: Partial<FakeApi> = {}): FakeApi => {
  const api = fakeApi(more)
  const { status } = api
  api.status = async () => ({ ...(await status()), state })
  return api
}
const disabled = (element: HTMLElement) => (element as HTMLButtonElement).disabled
const fill = (element: HTMLElement, value: string) => fireEvent.input(element, { target: { value } })

describe('being let in', () => {
  test('AP-09 the code leaves the address and the history at once, and only a code is one', () => {
    const replaceState = vi.fn()
    const address = (hash: string) => ({ hash, pathname: '/' }) as Location
    expect(takeCode(address('#code=abcDEF_-12345'), { replaceState } as unknown as History)).toBe('abcDEF_-12345')
    expect(replaceState).toHaveBeenCalledWith(null, '', '/#/')
    expect(takeCode(address('#/c/sotto1x'), { replaceState } as unknown as History)).toBeUndefined()
  })

  test('who is shut out is told what to run', async () => {
    const { store, view } = await open(fakeApi())
    store.door.value = 'refused'
    expect(await view.findByText('sotto open')).toBeTruthy()
  })

  test('AP-09 a tab whose daemon went is let in again by a link to this very place, with what was typed in it', async () => {
    const codes: string[] = []
    const { store, view } = await open(fakeApi({ enter: async (code) => void codes.push(code) }))
    store.drafts.type(BOB, 'half a sente')
    store.door.value = 'anew'
    expect((await view.findByRole('alert')).textContent).toMatch(/nothing was sent/)
    expect(view.getByText(/kept in this tab/)).toBeTruthy()
    const enter = (link: string) => {
      fill(view.getByLabelText('Link of sotto open --print'), link)
      fireEvent.click(view.getByRole('button', { name: 'Let this tab in' }))
    }
    enter('http://127.0.0.1:1/#code=abcdefgh1234')
    expect(await view.findByText(/at another address now/)).toBeTruthy()
    expect(codes).toEqual([])
    enter(`${location.origin}/#code=abcdefgh1234`)
    await waitFor(() => {
      expect(store.door.value).toBe('in')
    })
    expect(codes).toEqual(['abcdefgh1234'])
    expect(store.drafts.of(BOB).value).toBe('half a sente')
  })
})

describe('first run', () => {
  test('ID-22 a passphrase twice, the words once, three of them checked, and only then the account is shown', async () => {
    const made: string[] = []
    const api = inState('empty', {
      createIdentity: async ({ passphrase }) => {
        made.push(passphrase)
        api.status = fakeApi().status
        return { identity: await api.identity(), phrase: PHRASE, recovered: null }
      },
    })
    const { store, view } = await open(api)
    fireEvent.click(view.getByRole('button', { name: 'Create an account' }))
    fill(await view.findByLabelText('Passphrase'), 'maple orbit candle')
    fill(view.getByLabelText('Passphrase again'), 'maple orbit candle')
    await waitFor(() => {
      expect(disabled(view.getByRole('button', { name: 'Create account' }))).toBe(false)
    })
    fireEvent.submit(view.getByRole('button', { name: 'Create account' }).closest('form') ?? view.container)
    const list = await view.findByRole('list', { name: 'Recovery words' })
    expect(list.querySelectorAll('li').length).toBe(24)
    // Another face of the daemon says that it is ready: the words stay all the same.
    await store.readStatus()
    expect(view.getByRole('list', { name: 'Recovery words' })).toBeTruthy()
    fireEvent.click(view.getByRole('button', { name: 'I have written them down' }))
    expect(await view.findByText('Check three of them')).toBeTruthy()
    expect(made).toEqual(['maple orbit candle'])
  })

  test('two passphrases that differ cannot be sent', async () => {
    const { view } = await open(inState('empty'))
    fireEvent.click(view.getByRole('button', { name: 'Create an account' }))
    fill(await view.findByLabelText('Passphrase'), 'maple orbit candle')
    fill(view.getByLabelText('Passphrase again'), 'maple orbit cradle')
    expect(await view.findByText('The two differ.')).toBeTruthy()
    expect(disabled(view.getByRole('button', { name: 'Create account' }))).toBe(true)
  })
})

describe('the check of the words', () => {
  test('a wrong word is named by its place, right ones pass', async () => {
    const passed = vi.fn()
    const view = render(<PhraseCheck phrase={PHRASE} onBack={() => {}} onPassed={passed} />)
    const fields = view.getAllByRole('textbox')
    expect(fields.length).toBe(3)
    const submit = () => fireEvent.submit(view.container.querySelector('form') ?? view.container)
    for (const field of fields) fill(field, 'wrong')
    submit()
    expect((await view.findAllByText(/This is not word \d+\./)).length).toBe(3)
    expect(passed).not.toHaveBeenCalled()
    for (const label of view.container.querySelectorAll('label')) {
      const place = Number(/\d+/.exec(label.textContent ?? '')?.[0])
      fill(view.getByLabelText(`Word ${place}`), ` WORD${place}`)
    }
    submit()
    await waitFor(() => {
      expect(passed).toHaveBeenCalledOnce()
    })
  })
})

describe('unlocking', () => {
  test('ID-16 a wrong passphrase is said in words, too many say how long to wait', async () => {
    let fault: Error = new PassphraseError('the passphrase does not open the keys')
    const { view } = await open(inState('locked', { unlock: () => Promise.reject(fault) }))
    const field = view.getByLabelText('Passphrase')
    const submit = () => fireEvent.submit(field.closest('form') ?? view.container)
    fill(field, 'wrong')
    submit()
    expect(await view.findByText(/does not open the keys\. Look at Caps Lock/)).toBeTruthy()
    fault = new RateError('too many wrong passphrases', 30_000)
    submit()
    expect(await view.findByText(/Try again in 30 s/)).toBeTruthy()
  })
})
