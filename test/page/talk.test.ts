/** Two people with two daemons and nothing but their browsers, from the first run to messages that wait for one who is away. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { startAll, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { launch, Person } from './browser.ts'
import { choose, createAccount, goTo, messageOf, PASSPHRASE, restore, say, standsAt } from './steps.ts'

/** With the two of them, as many as an address has holders. */
const HOLDERS = 4

let bed: Testbed
let browser: Browser
let alices: Daemon
let bobs: Daemon
let alice: Person
let bob: Person
let words: readonly string[] = []

before(async () => {
  bed = new Testbed()
  const first = bed.daemon('holder0', { passphrase: null })
  await first.start()
  const holders = Array.from({ length: HOLDERS - 1 }, (_, i) => bed.daemon(`holder${i + 1}`, { passphrase: null }))
  alices = bed.daemon('alice', { passphrase: null })
  bobs = bed.daemon('bob', { passphrase: null })
  await startAll([...holders, alices, bobs])
  browser = await launch()
})

after(async () => {
  await browser.close()
  await bed.close()
})

afterEach(async (context) => {
  if ('passed' in context && context.passed) return
  await Promise.all([alice.picture('failed-alice'), bob.picture('failed-bob')])
})

/** Nothing that axe calls serious, at either width. */
async function looksRight(person: Person, name: string): Promise<void> {
  assert.deepEqual(await person.look(name), [], name)
}

test('AP-35 first run: an account is made, the 24 words are written down and checked', async () => {
  alice = await Person.at(browser, alices)
  await alice.page.getByRole('button', { name: 'Create an account' }).waitFor()
  await looksRight(alice, 'first-run')
  words = await createAccount(alice)
  assert.equal(words.length, 24)
  await looksRight(alice, 'no-contacts')
  bob = await Person.at(browser, bobs)
  await createAccount(bob)
})

test('AP-35 PR-16 a contact by an invite link: asked, accepted, and the first message is delivered', async () => {
  await goTo(bob, 'Contacts')
  await bob.page.getByRole('link', { name: 'Add a contact' }).first().click()
  await bob.page.getByRole('img', { name: 'QR code of your invite link' }).waitFor()
  await looksRight(bob, 'invite')
  const link = await bob.page.getByRole('textbox', { name: 'Your invite link' }).inputValue()
  assert.match(link, /^sotto:/)
  await goTo(alice, 'Contacts')
  await alice.page.getByRole('link', { name: 'Add a contact' }).first().click()
  await alice.page.getByLabel('Invite link or account id').fill(link)
  await alice.page.getByLabel('Your name for them').fill('Bob')
  await alice.page.getByRole('button', { name: 'Send request' }).click()
  await alice.page.getByRole('textbox', { name: 'Message to Bob' }).waitFor()
  await goTo(bob, 'Contacts')
  await bob.page
    .getByRole('link', { name: /sotto1/ })
    .first()
    .click()
  await looksRight(bob, 'request')
  await bob.page.getByRole('button', { name: 'Accept' }).click()
  await bob.page.getByLabel('Your name for them').fill('Alice')
  await bob.page.getByRole('button', { name: 'Save the name' }).click()
  await bob.page.getByRole('link', { name: 'Write' }).click()
  await say(alice, 'Hello Bob, this is the page.')
  await messageOf(bob, 'Hello Bob, this is the page.').waitFor()
  await standsAt(alice, 'Hello Bob, this is the page.', /^Status: (delivered|read)$/)
  await say(bob, 'Hello Alice!')
  await messageOf(alice, 'Hello Alice!').waitFor()
})

test('AP-35 PR-11 PR-13 PR-18 replies, reactions, edits, stars, pins and deleting for both, seen on both sides', async () => {
  await choose(bob, 'Hello Bob, this is the page.', 'Reply')
  await say(bob, 'I see it')
  await messageOf(alice, 'I see it').filter({ hasText: 'this is the page' }).waitFor()
  await choose(alice, 'I see it', 'React…')
  await alice.page.getByRole('dialog').getByRole('button', { name: 'heart' }).click()
  await messageOf(bob, 'I see it').getByRole('button', { name: '❤️, from Alice' }).waitFor()
  await say(alice, 'A typo hree')
  await messageOf(bob, 'A typo hree').waitFor()
  await choose(alice, 'A typo hree', 'Edit')
  await say(alice, 'A typo here, mended')
  await messageOf(bob, 'A typo here, mended').filter({ hasText: 'edited' }).waitFor()
  await choose(alice, 'A typo here, mended', 'Star')
  await choose(alice, 'A typo here, mended', 'Pin')
  await messageOf(alice, 'A typo here, mended').filter({ hasText: 'starred' }).filter({ hasText: 'pinned' }).waitFor()
  await say(alice, 'Forget this one')
  await messageOf(bob, 'Forget this one').waitFor()
  await choose(alice, 'Forget this one', 'Delete…')
  await alice.page.getByRole('button', { name: 'Delete for both' }).click()
  await messageOf(bob, 'Forget this one').waitFor({ state: 'detached' })
  await looksRight(alice, 'conversation')
  await alice.page.emulateMedia({ colorScheme: 'dark' })
  await looksRight(alice, 'conversation-dark')
  await alice.page.emulateMedia({ colorScheme: 'light' })
})

test('AP-35 a reload keeps the place, the messages and the draft', async () => {
  await alice.page.getByRole('textbox', { name: 'Message to Bob' }).fill('Half a sente')
  await alice.page.waitForTimeout(1_500)
  await alice.page.reload()
  await messageOf(alice, 'Hello Alice!').waitFor()
  const box = alice.page.getByRole('textbox', { name: 'Message to Bob' })
  assert.equal(await box.inputValue(), 'Half a sente')
  await box.fill('')
})

test('AP-35 LS-09 search finds what was said, over all conversations, and leads there', async () => {
  await goTo(alice, 'Chats')
  await alice.page.getByRole('searchbox', { name: 'Search messages and people' }).fill('typo mended')
  const found = alice.page.getByRole('link', { name: /A typo here, mended/ })
  await found.waitFor()
  await looksRight(alice, 'search')
  await found.first().click()
  await messageOf(alice, 'A typo here, mended').waitFor()
})

test('AP-35 lock and unlock: nothing is shown while the keys are sealed', async () => {
  await alice.page.getByRole('button', { name: 'Lock' }).click()
  await alice.page.getByRole('heading', { name: 'Unlock' }).waitFor()
  assert.equal(await alice.page.getByText('Hello Alice!').count(), 0)
  await looksRight(alice, 'locked')
  await alice.page.getByLabel('Passphrase').fill('not this one')
  await alice.page.getByRole('button', { name: 'Unlock' }).click()
  await alice.page
    .getByRole('alert')
    .filter({ hasText: /passphrase/i })
    .waitFor()
  await alice.page.getByLabel('Passphrase').fill(PASSPHRASE)
  await alice.page.getByRole('button', { name: 'Unlock' }).click()
  await messageOf(alice, 'Hello Alice!').waitFor()
})

test('AP-35 every other screen, by its name, at both widths', async () => {
  for (const name of ['Contacts', 'Network', 'Settings', 'Guide'] as const) {
    await goTo(alice, name)
    await alice.page.getByRole('heading', { name, exact: true }).first().waitFor()
    await looksRight(alice, name.toLowerCase())
  }
  await goTo(alice, 'Contacts')
  await alice.page.getByRole('link', { name: /Bob/ }).first().click()
  await alice.page.getByRole('link', { name: 'Verify' }).click()
  await alice.page
    .getByText(/^(\d{5}\s*){12}$/)
    .first()
    .waitFor()
  await looksRight(alice, 'safety-number')
  await alice.page.keyboard.press('Escape')
  await goTo(alice, 'Chats')
  await alice.page.keyboard.press('Alt+?')
  await alice.page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await looksRight(alice, 'keys')
  await alice.page.keyboard.press('Escape')
})

test('AP-09 AP-35 MB-13 Bob is away: the message is stored, says why, and is read when he is back', async () => {
  await bobs.stop()
  await bob.page.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor()
  await looksRight(bob, 'daemon-gone')
  const trusted: string[] = []
  bob.page.on('request', (request) => {
    if (request.headers()['authorization'] !== undefined) trusted.push(request.url())
  })
  await bob.page.getByRole('textbox', { name: 'Message to Alice' }).fill('Typed while nobody was there')
  const probed = bob.page.waitForRequest(/\/healthz$/)
  await goTo(alice, 'Chats')
  await alice.page.getByRole('link', { name: /Bob/ }).first().click()
  await say(alice, 'For when you are back')
  await standsAt(alice, 'For when you are back', /^Status: stored [3-5]\/5$/)
  await messageOf(alice, 'For when you are back')
    .getByRole('button', { name: /^Status/ })
    .click()
  await alice.page
    .getByRole('dialog')
    .getByText(/signed for it/)
    .first()
    .waitFor()
  await looksRight(alice, 'why')
  await alice.page.keyboard.press('Escape')
  await bobs.start()
  await probed
  assert.deepEqual(trusted, [], 'no token goes to whoever answers where the daemon was')
  await bob.open()
  await bob.page.getByLabel('Passphrase').fill(PASSPHRASE)
  await bob.page.getByRole('button', { name: 'Unlock' }).click()
  await goTo(bob, 'Chats')
  await bob.page.getByRole('link', { name: /Alice/ }).first().click()
  await messageOf(bob, 'For when you are back').waitFor()
  await standsAt(alice, 'For when you are back', 'read')
})

test('AP-35 PR-05 with read receipts off nobody learns what was read', async () => {
  await goTo(bob, 'Settings')
  await bob.page.getByRole('switch', { name: 'Read receipts' }).click()
  await goTo(bob, 'Chats')
  await bob.page.getByRole('link', { name: /Alice/ }).first().click()
  await say(alice, 'Did you read this?')
  await messageOf(bob, 'Did you read this?').waitFor()
  await standsAt(alice, 'Did you read this?', 'delivered')
})

test('AP-35 the 24 words alone bring Alice back on another computer, contacts and all', async () => {
  await alices.stop()
  await alice.close()
  const fresh = bed.daemon('alice2', { passphrase: null })
  await fresh.start()
  alice = await Person.at(browser, fresh)
  await restore(alice, words)
  await alice.page.getByRole('heading', { name: 'Your account is back' }).waitFor()
  await alice.page.getByText('Contacts found: 1.').waitFor()
  await looksRight(alice, 'restored')
  await alice.page.getByRole('button', { name: 'Go on' }).click()
  await goTo(alice, 'Contacts')
  await alice.page.getByRole('link', { name: /Bob/ }).first().click()
  await alice.page.getByRole('link', { name: 'Write' }).click()
  await say(alice, 'I am back, from paper')
  await messageOf(bob, 'I am back, from paper').waitFor()
  await say(bob, 'Welcome back')
  await messageOf(alice, 'Welcome back').waitFor()
})

test('AP-35 SE-07 nothing went wrong unseen: no exception, no breach of the policy, no request beyond this machine', () => {
  assert.deepEqual([...alice.complaints, ...bob.complaints], [])
})
