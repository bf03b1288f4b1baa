/** What two people on real daemons see of one another: profile, presence, typing, receipts. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ContactView } from '../../src/api/application/contacts.ts'
import type { ProfileView } from '../../src/api/application/profile.ts'
import type { SettingsView } from '../../src/api/application/settings.ts'
import { ApiFault } from '../support/local-api.ts'
import { befriend, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { png } from '../support/pictures.ts'

/** Silence is noticed after 55 s, and looked for until then. */
const SILENCE_MS = 90_000
const bed = new Testbed()
let alice: Daemon
let bob: Daemon
let aliceId = ''
let bobId = ''

before(async () => {
  const people = await startNetwork(bed, 4, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
  aliceId = await alice.accountId()
  bobId = await bob.accountId()
  await befriend(alice, bob)
})
after(() => bed.close())

const refused = async (status: number, asking: Promise<unknown>): Promise<void> =>
  assert.rejects(asking, (error) => error instanceof ApiFault && error.status === status)
const talk = async (text: string): Promise<void> => {
  const { id } = await alice.send(bobId, text)
  await alice.reaches(id, 'delivered')
}
const sees = async (who: Daemon, id: string, wanted: boolean, timeoutMs?: number): Promise<ContactView> =>
  until(
    `${who.name} sees it ${wanted ? 'online' : 'offline'}`,
    async () => {
      const contact = await who.contact(id)
      return contact.online === wanted ? contact : undefined
    },
    timeoutMs,
  )

test('PR-07 PR-08 a profile with a picture goes to the contact, and what is too long is refused', async () => {
  const avatar = { type: 'image/png', data: Buffer.from(png(256, 256, 20_000)).toString('base64') }
  const own = await alice.api<ProfileView>('PATCH', '/profile', { name: 'Alice', bio: 'hello', avatar })
  const arrived = async (): Promise<boolean> => (await bob.contact(aliceId)).profileNumber === own.number
  await until('it arrives', arrived)
  assert.deepEqual(await bob.api('GET', `/contacts/${aliceId}/profile`), own)
  await refused(422, alice.api('PATCH', '/profile', { bio: 'b'.repeat(513) }))
})

test('PR-01 PR-03 PR-04 PR-05 presence is off until both want it; who falls silent is offline; typing needs no more than a stream', async () => {
  assert.equal((await alice.api<SettingsView>('GET', '/settings')).presence, false)
  await talk('a stream is open')
  assert.equal((await alice.contact(bobId)).online, false)
  for (const person of [alice, bob]) await person.api('PATCH', '/settings', { presence: true, readReceipts: false })
  await sees(alice, bobId, true)
  await sees(bob, aliceId, true)
  await alice.api('POST', `/conversations/${bobId}/typing`, { typing: true })
  await bob.freeze()
  const silent = await sees(alice, bobId, false, SILENCE_MS)
  assert.ok(silent.lastSeenAt !== null)
  await bob.thaw()
  await talk('are you back?')
  await sees(alice, bobId, true)
  await bob.kill()
  await sees(alice, bobId, false)
  await bob.start()
  await bob.api('POST', `/conversations/${aliceId}/read`)
  await talk('and again')
  await sees(alice, bobId, true)
  assert.ok((await alice.messages(bobId)).every(({ status }) => status !== 'read'))
})
