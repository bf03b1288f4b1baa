/** A person loses everything but 24 words, and has another machine that belongs to it a minute later. Real daemons. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { CreatedIdentity } from '../../src/api/application/account.ts'
import type { PrekeysView } from '../../src/api/application/account.ts'
import type { SettingsView } from '../../src/api/application/settings.ts'
import { befriend, PASSPHRASE, pause, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

/** Until what changed is with the holders: ten seconds, and the way there. */
const KEPT_MS = 15_000
const BACK_MS = 60_000

const bed = new Testbed()
let bob: Daemon

before(async () => {
  bob = (await startNetwork(bed, 5, ['bob']))[0] ?? assert.fail()
})
after(() => bed.close())

async function begins(name: string, phrase?: string): Promise<{ daemon: Daemon; created: CreatedIdentity }> {
  const daemon = bed.daemon(name, { flags: ['--no-holder'], passphrase: null })
  await daemon.start()
  const body = phrase === undefined ? { passphrase: PASSPHRASE } : { passphrase: PASSPHRASE, phrase }
  const created = await daemon.api<CreatedIdentity>('POST', '/identity', body)
  return { daemon, created }
}

test('G22 SY-10 24 words on a new machine: account, contacts, settings and what nobody had delivered', async () => {
  const { daemon: alice, created } = await begins('alice')
  assert.equal(created.recovered, null)
  await until(
    'alice is published',
    async () => (await alice.api<{ receipts: number }>('POST', '/identity/publish')).receipts >= 3,
  )
  await befriend(alice, bob)
  const [aliceId, bobId] = [await alice.accountId(), await bob.accountId()]
  await alice.api('PATCH', `/contacts/${bobId}`, { name: 'Robert' })
  await alice.api('PATCH', '/settings', { retentionDays: 60 })
  const before = await alice.api<PrekeysView>('GET', '/prekeys')
  const rotated = await alice.api<PrekeysView>('POST', '/prekeys/rotate')
  assert.ok(Date.parse(rotated.lastRotatedAt ?? '') >= Date.parse(before.lastRotatedAt ?? ''))
  await pause(KEPT_MS)
  await alice.kill()
  const waiting = await bob.send(aliceId, 'where are you?')
  await bob.reaches(waiting.id, 'stored')

  const began = Date.now()
  const { daemon: again, created: back } = await begins('alice2', created.phrase)
  assert.deepEqual(back.recovered, { card: true, contacts: 1, settings: true })
  assert.equal(back.identity.accountId, aliceId)
  assert.equal((await again.contact(bobId)).name, 'Robert')
  assert.equal((await again.api<SettingsView>('GET', '/settings')).retentionDays, 60)
  await until('what waited comes', async () => again.receives(bobId, 'where are you?'), BACK_MS)
  await bob.reaches(waiting.id, 'delivered')
  assert.ok(Date.now() - began < BACK_MS, `within a minute: ${Date.now() - began} ms`)
  await again.send(bobId, 'here, with a new machine')
  await bob.receives(aliceId, 'here, with a new machine')
  await bob.send(aliceId, 'good to see you')
  await again.receives(bobId, 'good to see you')
  assert.equal((await bob.contact(aliceId)).state, 'accepted')
})
