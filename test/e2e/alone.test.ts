/** The smallest network there is: two people and nobody else, as whoever tries Sotto first meets it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { befriend, Testbed, until } from '../support/daemons.ts'

const QUICK_START_S = 30
const bed = new Testbed()
after(() => bed.close())

test('ID-01 AP-05 OP-13 two daemons alone find each other, become contacts and talk, within half a minute of the first start', async (t) => {
  const beganMs = performance.now()
  const [alice, bob] = [bed.daemon('alice'), bed.daemon('bob')]
  await alice.start()
  await bob.start()
  await until('they know each other', async () => (await bob.status()).peers >= 1)
  await Promise.all([alice.createIdentity(1), bob.createIdentity(1)])
  await befriend(alice, bob, 'account')
  const sent = await alice.send(await bob.accountId(), 'just the two of us')
  assert.equal((await alice.reaches(sent.id, 'delivered')).path, 'direct')
  await bob.receives(await alice.accountId(), 'just the two of us')
  const seconds = (performance.now() - beganMs) / 1_000
  t.diagnostic(`${seconds.toFixed(1)} s`)
  assert.ok(seconds < QUICK_START_S, `${seconds} s`)
})
