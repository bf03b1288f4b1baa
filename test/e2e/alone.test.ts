/** The smallest network there is: two people and nobody else, as whoever tries Sotto first meets it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { befriend, Testbed, until } from '../support/daemons.ts'

const bed = new Testbed()
after(() => bed.close())

test('ID-01 AP-05 two daemons alone find each other, become contacts and talk', async () => {
  const [alice, bob] = [bed.daemon('alice'), bed.daemon('bob')]
  await alice.start()
  await bob.start()
  await until('they know each other', async () => (await bob.status()).peers >= 1)
  await Promise.all([alice.createIdentity(1), bob.createIdentity(1)])
  await befriend(alice, bob, 'account')
  const sent = await alice.send(await bob.accountId(), 'just the two of us')
  assert.equal((await alice.reaches(sent.id, 'delivered')).path, 'direct')
  await bob.receives(await alice.accountId(), 'just the two of us')
})
