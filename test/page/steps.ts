/** What people do on the page, in the words that they see there. */
import type { Locator } from 'playwright-core'
import type { Person } from './browser.ts'

export const PASSPHRASE = 'four unrelated words here'

/** Makes an account on an empty home: passphrase, the 24 words, three of them again. Gives the words. */
export async function createAccount({ page }: Person): Promise<readonly string[]> {
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE)
  await page.getByLabel('Passphrase again').fill(PASSPHRASE)
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByRole('list', { name: 'Recovery words' }).waitFor()
  const words = await page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem').allInnerTexts()
  await page.getByRole('button', { name: 'I have written them down' }).click()
  await answerCheck({ page } as Person, words)
  return words.map((word) => word.trim())
}

/** Types the words that the page asks for. */
async function answerCheck({ page }: Person, words: readonly string[]): Promise<void> {
  await page.getByRole('heading', { name: 'Check three of them' }).waitFor()
  for (const field of await page.getByRole('textbox', { name: /^Word \d+$/ }).all()) {
    const label = (await field.evaluate((input) => (input as HTMLInputElement).labels?.[0]?.textContent)) ?? ''
    const place = Number(/\d+/.exec(label)?.[0])
    await field.fill((words[place - 1] ?? '').trim())
  }
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
}

export async function restore({ page }: Person, words: readonly string[]): Promise<void> {
  await page.getByRole('button', { name: 'Restore with 24 words' }).click()
  await page.getByLabel('Recovery words').fill(words.join(' '))
  await page.getByLabel('New passphrase', { exact: true }).fill(PASSPHRASE)
  await page.getByLabel('New passphrase again').fill(PASSPHRASE)
  await page.getByRole('button', { name: 'Restore', exact: true }).click()
}

/** A screen, by its name in the navigation. */
export async function goTo(
  { page }: Person,
  name: 'Chats' | 'Contacts' | 'Network' | 'Settings' | 'Guide',
): Promise<void> {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click()
}

export async function say({ page }: Person, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: /^Message to/ })
  await field.fill(text)
  await field.press('Enter')
}

/** The message with this text, once it is there. */
export function messageOf({ page }: Person, text: string): Locator {
  return page.getByRole('article').filter({ hasText: text })
}

/** Waits until the message says that this is how it stands with it. */
export async function standsAt(person: Person, text: string, status: string | RegExp): Promise<void> {
  const name = typeof status === 'string' ? `Status: ${status}` : status
  await messageOf(person, text).getByRole('button', { name }).waitFor()
}

/** Chooses from the menu of a message. */
export async function choose(person: Person, text: string, option: string): Promise<void> {
  const message = messageOf(person, text)
  await message.hover()
  await message.getByRole('button', { name: 'Message options' }).click()
  await person.page.getByRole('menuitem', { name: option }).click()
}
