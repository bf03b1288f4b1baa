/** What the owner chose, and what follows from it between two people. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LockedError, UsageError } from '../../src/lib/errors.ts'
import { MINUTE_MS } from '../../src/lib/time.ts'
import { DEFAULT_SETTINGS } from '../../src/services/settings/values.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const pair = async () => {
  const world = await World.of(['alice', 'bob'])
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const delivered = async (world: World, from: Person, to: Person, text: string): Promise<string> => {
  const id = await from.send(to, text)
  await world.must(async () => (await from.status(id)) === 'delivered', `${text} is delivered`)
  return id
}
const everRead = async (who: Person): Promise<number> => (await who.events('message:read')).length

test('PR-05 who has switched read receipts off is never seen to have read, over the stream and over the mailbox; delivery is told', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.app.updateSettings({ readReceipts: false })
  await delivered(world, alice, bob, 'over the stream')
  world.block(alice, bob)
  await delivered(world, alice, bob, 'over the mailbox')
  assert.equal((await bob.app.markRead(alice.address, {})).marked, 2, 'they are read here')
  await world.clock.pass(60 * MINUTE_MS)
  world.unblock(alice, bob)
  await world.clock.pass(10 * MINUTE_MS)
  assert.equal(await everRead(alice), 0)
  await bob.app.updateSettings({ readReceipts: true })
  await world.clock.pass(10 * MINUTE_MS)
  assert.equal(await everRead(alice), 0, 'what was read in silence stays so')
  const id = await delivered(world, alice, bob, 'now')
  await bob.app.markRead(alice.address, {})
  await world.must(async () => (await alice.status(id)) === 'read', 'it is told again')
})

test('PR-05 who tells nothing is told nothing: what others read shows as delivered', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await alice.app.updateSettings({ readReceipts: false })
  const id = await delivered(world, alice, bob, 'hello')
  await bob.app.markRead(alice.address, {})
  await world.must(() => bob.rooms.outbox.queue.size === 0, 'the receipt arrives')
  await world.clock.pass(10_000)
  assert.equal(await alice.status(id), 'delivered')
  // The word that it was read may be the first that comes.
  world.block(alice, bob)
  const late = await alice.send(bob, 'late')
  await world.must(async () => (await bob.read(alice)).includes('late'), 'it is collected')
  await bob.app.markRead(alice.address, {})
  await world.must(async () => (await alice.status(late)) === 'delivered', 'delivery is shown')
  await world.clock.pass(10 * MINUTE_MS)
  assert.equal(await alice.status(late), 'delivered')
  assert.equal(await everRead(alice), 0)
})

test('PR-05 a receipt that is not under way yet when they are switched off never leaves', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await delivered(world, alice, bob, 'hello')
  await world.clock.pass(1_000)
  await bob.app.markRead(alice.address, {})
  await bob.app.updateSettings({ readReceipts: false })
  await world.clock.pass(10 * MINUTE_MS)
  assert.equal(await everRead(alice), 0)
  assert.equal(bob.rooms.outbox.queue.size, 0)
  assert.deepEqual(await bob.rooms.store.receiptsDue.all(), [])
})

test('settings survive a restart, are told once per change, and refuse what is out of bounds', async () => {
  const { world, alice } = await pair()
  await using _ = world
  assert.deepEqual(await alice.app.settings(), DEFAULT_SETTINGS)
  const chosen = { readReceipts: false, typing: false, presence: true, retentionDays: 30, defaultTimerSeconds: 60 }
  const after = await alice.app.updateSettings(chosen)
  assert.deepEqual(after, { ...DEFAULT_SETTINGS, ...chosen })
  assert.deepEqual(await alice.app.updateSettings(chosen), after)
  assert.deepEqual(
    (await alice.events('settings:changed')).map(({ data }) => data),
    [{ ...after }],
  )
  await assert.rejects(alice.app.updateSettings({ typing: true, retentionDays: 0 }), UsageError)
  await alice.stop()
  await alice.start()
  assert.deepEqual(await alice.app.settings(), after)
  assert.equal((await alice.app.updateSettings({ retentionDays: null })).retentionDays, null)
  const { journal, store } = alice.rooms
  const damaged = store.settings.put('user-settings', '{"presence":1,"typing":false')
  await journal.commit(() => ({ ops: damaged, facts: [], result: undefined }))
  await alice.stop()
  await alice.start()
  assert.deepEqual(await alice.app.settings(), DEFAULT_SETTINGS)
})

test('auto-lock seals the keys after the chosen time without a request, and mail waits until they are open', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await alice.app.updateSettings({ autoLockMinutes: 10 })
  await world.clock.pass(9 * MINUTE_MS)
  void alice.app.noteUse?.()
  await world.clock.pass(9 * MINUTE_MS)
  assert.notEqual(alice.daemon.state(), 'locked')
  await bob.send(alice, 'while it is open, a message does not count')
  await world.clock.pass(2 * MINUTE_MS)
  assert.equal(alice.daemon.state(), 'locked')
  void alice.app.noteUse?.()
  const id = await bob.send(alice, 'while it is locked')
  await world.clock.pass(30 * MINUTE_MS)
  assert.notEqual(await bob.status(id), 'delivered')
  await alice.unlock()
  await world.must(async () => (await bob.status(id)) === 'delivered', 'it is collected')
  await world.clock.pass(11 * MINUTE_MS)
  assert.equal(alice.daemon.state(), 'locked', 'unlocking begins the time anew, and it counts again')
})

test('SE-05 LS-20 sealing the keys ends a backup that is under way, also one that nobody reads on', async () => {
  const { world, alice } = await pair()
  await using _ = world
  const whole = alice.app.backup({ current: 'correct horse', passphrase: 'paper key' })
  let size = 0
  for await (const chunk of whole) size += chunk.length
  assert.ok(size > 0)
  const backup = alice.app.backup({ current: 'correct horse', passphrase: 'paper key' })[Symbol.asyncIterator]()
  assert.equal((await backup.next()).done, false)
  await alice.app.lock()
  await assert.rejects(backup.next(), LockedError)
  assert.equal((await backup.next()).done, true)
})
