/** What surrounds the screens: keys, title, notices, announcements. */
import { act, fireEvent, waitFor } from '@testing-library/preact'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LiveRegion } from '../../src/web/app/live-region.tsx'
import { NoticeList } from '../../src/web/app/notice-list.tsx'
import { parseRoute, route, to } from '../../src/web/app/routes.ts'
import { Shortcuts } from '../../src/web/app/shortcuts.tsx'
import { titleOf } from '../../src/web/app/title.ts'
import { OwnInvite } from '../../src/web/screens/contacts/own-invite.tsx'
import { setSingleKeys } from '../../src/web/state/keys.ts'
import { Store } from '../../src/web/state/store.ts'
import { newsOf } from '../../src/web/words/news.ts'
import { BOB, conversationView, fakeApi } from './support/fake-api.ts'
import { mount } from './support/mount.tsx'

describe('keys', () => {
  beforeEach(() => {
    location.hash = '#/'
    setSingleKeys(false, localStorage)
  })
  const press = (init: KeyboardEventInit) => fireEvent.keyDown(document.body, init)
  const pressed = (init: KeyboardEventInit): string => {
    location.hash = '#/'
    press(init)
    return location.hash
  }

  test('AP-35 WCAG 2.1.4: a letter alone does nothing until the user wants it; with Alt it always works', async () => {
    await mount(fakeApi(), <Shortcuts />)
    expect(pressed({ key: 's' })).toBe('#/')
    expect(pressed({ key: 's', altKey: true })).toBe(to.settings)
    expect(pressed({ key: 'ß', code: 'KeyS', altKey: true })).toBe(to.settings)
    setSingleKeys(true, localStorage)
    expect(pressed({ key: 's' })).toBe(to.settings)
  })

  test('AP-35 what is held, composed or was taken already is no shortcut', async () => {
    await mount(fakeApi(), <Shortcuts />)
    setSingleKeys(true, localStorage)
    expect(pressed({ key: 's', repeat: true })).toBe('#/')
    expect(pressed({ key: 's', isComposing: true })).toBe('#/')
    expect(pressed({ key: 's', ctrlKey: true })).toBe('#/')
    const take = (event: Event): void => {
      event.preventDefault()
    }
    document.body.addEventListener('keydown', take)
    expect(pressed({ key: 's' })).toBe('#/')
    document.body.removeEventListener('keydown', take)
  })

  test('AP-35 a bare l never locks', async () => {
    const lock = vi.fn(async () => {})
    await mount(fakeApi({ lock }), <Shortcuts />)
    setSingleKeys(true, localStorage)
    press({ key: 'l' })
    press({ key: 'l', altKey: true })
    await waitFor(() => {
      expect(lock).toHaveBeenCalledOnce()
    })
  })
})

describe('the title of the tab', () => {
  test('AP-35 WCAG 2.4.2: it names the screen or the contact, and nobody while the keys are sealed', async () => {
    const api = fakeApi()
    api.conversationList = [conversationView(BOB, { unread: 2 })]
    const store = new Store(api)
    const at = (hash: string) => titleOf(store, parseRoute(hash))
    expect(at(to.chat(BOB))).toBe('Sotto')
    await store.readAll()
    expect(at(to.chat(BOB))).toBe('(2) Bob – Sotto')
    expect(at(to.verify(BOB))).toBe('(2) Verify Bob – Sotto')
    expect(at(to.settings)).toBe('(2) Settings – Sotto')
    expect(at(to.addContact)).toBe('(2) Add a contact – Sotto')
    store.forget()
    expect(at(to.chat(BOB))).toBe('Sotto')
  })
})

describe('notices', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('AP-35 WCAG 2.2.1: none goes by itself while the focus or the pointer is on one', async () => {
    const { store, view } = await mount(fakeApi(), <NoticeList />)
    const region = view.getByRole('region', { name: 'Notices' })
    await act(() => {
      store.notices.done('Saved.')
    })
    fireEvent.mouseEnter(region)
    await act(() => void vi.advanceTimersByTime(60_000))
    expect(view.queryByText('Saved.')).toBeTruthy()
    fireEvent.mouseLeave(region)
    await act(() => void vi.advanceTimersByTime(5_000))
    expect(view.queryByText('Saved.')).toBeNull()
  })

  test('AP-35 WCAG 2.4.3: a dismissed notice gives the focus to the next one, the last to where it was', async () => {
    const { store, view } = await mount(
      fakeApi(),
      <>
        <button type="button">before</button>
        <NoticeList />
      </>,
    )
    await act(() => {
      store.notices.news('one', '')
      store.notices.news('two', '')
    })
    const before = view.getByRole('button', { name: 'before' })
    before.focus()
    const [one, two] = view.getAllByRole('button', { name: 'Dismiss' })
    one?.focus()
    await act(async () => one?.click())
    expect(document.activeElement).toBe(two)
    await act(async () => two?.click())
    expect(document.activeElement).toBe(before)
  })

  test('AP-35 WCAG 4.1.3: the same words twice are two announcements', async () => {
    const { store, view } = await mount(fakeApi(), <LiveRegion />)
    const said = () => view.getByRole('status').firstElementChild
    await act(async () => {
      store.notices.announce('New message from Bob')
    })
    const first = said()
    await act(async () => {
      store.notices.announce('New message from Bob')
    })
    expect([said()?.textContent, said() === first]).toEqual(['New message from Bob', false])
  })

  test('AP-35 what happened to the account by itself is said, with what to do', () => {
    const types = ['recovery:found', 'recovery:none', 'recovery:replaced', 'account:expiring']
    const news = types.map((type) =>
      newsOf(type, { contacts: 2, settings: true, expiresAt: '2026-11-21T13:20:00.000Z' }),
    )
    expect(new Set(news.map((each) => each?.text)).size).toBe(4)
    expect(news.every((each) => each !== undefined && each.next !== '')).toBe(true)
    expect(news[0]?.text).toMatch(/2 contacts and your settings/)
    expect(newsOf('message:received', {})).toBeUndefined()
  })
})

describe('the invite', () => {
  test('AS-08 a one-time pass is made only for who switches it on', async () => {
    const asked: boolean[] = []
    const invite = async ({ token }: { token: boolean }) => {
      asked.push(token)
      return { link: 'sotto:x' }
    }
    const { view } = await mount(fakeApi({ invite }), <OwnInvite />)
    await view.findByRole('textbox', { name: 'Your invite link' })
    expect(asked).toEqual([false])
    fireEvent.click(view.getByRole('switch', { name: 'For one guest' }))
    await waitFor(() => {
      expect(asked).toEqual([false, true])
    })
    expect(route.value.screen).toBe('chats')
  })
})
