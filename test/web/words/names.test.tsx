import { describe, expect, test } from 'vitest'
import { ContactCard } from '../../../src/web/screens/contacts/contact-card.tsx'
import { ChatList } from '../../../src/web/screens/chats/chat-list.tsx'
import { nameOf, namesakes } from '../../../src/web/words/names.ts'
import { ALICE, BOB, contactView, conversationView, fakeApi } from '../support/fake-api.ts'
import { mount } from '../support/mount.tsx'

const mom = contactView(ALICE, 'Mom')
const liar = contactView(BOB, '', { profileName: 'Mom', profileNumber: 1 })

describe('names', () => {
  test('TE-08 PR-07 what somebody calls itself is marked, and never looks like the user’s own word', () => {
    expect(nameOf(mom, ALICE)).toBe('Mom')
    expect(nameOf(liar, BOB)).toBe('~Mom')
    expect(nameOf(undefined, BOB)).toBe(`${BOB.slice(0, 14)}…`)
  })

  test('TE-08 names that look alike are the same one, whatever hides between the letters', () => {
    for (const profileName of ['Mom', 'mom', ' M o m', 'Mo\u200bm', 'ＭＯＭ', 'Móm', '~Mom']) {
      expect(namesakes({ ...liar, profileName }, [mom, liar]), profileName).toEqual([mom])
    }
    expect(namesakes({ ...liar, profileName: 'Tom' }, [mom, liar])).toEqual([])
    expect(namesakes({ ...liar, profileName: '' }, [contactView(ALICE, ''), liar])).toEqual([])
  })

  test('TE-08 a contact that calls itself as another is called is warned of', async () => {
    const api = fakeApi()
    api.contactList = [mom, liar]
    const { view } = await mount(api, <ContactCard accountId={BOB} />)
    expect(view.getByRole('heading', { name: '~Mom' })).toBeTruthy()
    expect(view.getByRole('alert').textContent).toMatch(/another contact of yours/)
    view.unmount()
    const own = await mount(api, <ContactCard accountId={ALICE} />)
    expect(own.view.queryByRole('alert')).toBeNull()
  })

  test('TE-08 the list of chats shows the mark', async () => {
    const api = fakeApi()
    api.contactList = [mom, liar]
    api.conversationList = [conversationView(ALICE), conversationView(BOB)]
    const { view } = await mount(api, <ChatList chosen={null} />)
    const names = [...view.container.querySelectorAll('.chat-row strong')].map(({ textContent }) => textContent)
    expect(new Set(names)).toEqual(new Set(['Mom', '~Mom']))
  })
})
