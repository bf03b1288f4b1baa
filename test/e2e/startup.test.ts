/** What can go wrong at the start, and from outside: one clear line, the right exit code, nothing lost. */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { IdentityView } from '../../src/api/application/account.ts'
import type { ContactView } from '../../src/api/application/contacts.ts'
import { encodeAccountId } from '../../src/protocol/account-id.ts'
import { befriend, pause, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon, Outcome } from '../support/daemons.ts'

const bed = new Testbed()
let alice: Daemon
let bob: Daemon

before(async () => {
  const people = await startNetwork(bed, 3, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
})
after(() => bed.close())

/** One line on stderr that says something, nothing on stdout, and the code. */
function refused(outcome: Outcome, code: number, says: RegExp): void {
  const lines = outcome.stderr.trimEnd().split('\n')
  assert.deepEqual(
    { code: outcome.code, lines: lines.length, stdout: outcome.stdout },
    { code, lines: 1, stdout: '' },
    outcome.stderr,
  )
  assert.match(lines[0] ?? '', says)
}

/** `sotto daemon` with the flags of this home and more, to its end. */
async function tryDaemon(daemon: Daemon, flags: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return bed.run(['daemon', '--home', daemon.home, ...daemon.flags, '--log-level', 'silent', ...flags], { env })
}

/** With Bob's daemon stopped, `attempt` is refused; then the home opens as before. */
async function nothingLost(attempt: () => Promise<void>): Promise<void> {
  const identity = await bob.api<IdentityView>('GET', '/identity')
  await bob.stop()
  try {
    await attempt()
  } finally {
    await bob.start()
  }
  assert.deepEqual(await bob.api('GET', '/identity'), identity)
}

test('ID-08 a bad bootstrap entry is skipped with a warning, the good one serves', async () => {
  const good = bed.daemons[0]?.address ?? assert.fail()
  const newcomer = bed.daemon('newcomer', { bootstrap: ['nonsense', '/ip4/127.0.0.1/tcp/1', good], passphrase: null })
  await newcomer.start()
  await until('it joins', async () => (await newcomer.status()).peers > 0)
  assert.match(newcomer.log, /bootstrap address 1 of 3 .*skipped/)
  assert.ok(!newcomer.log.includes('nonsense'))
  await newcomer.stop()
})

test('a second daemon on one home is refused, and the first one does not notice', async () => {
  const before = await alice.status()
  refused(await tryDaemon(alice, ['--listen', '/ip4/127.0.0.1/tcp/0']), 1, /already runs on this home/)
  const after = await alice.status()
  assert.deepEqual([after.peerId, after.state], [before.peerId, 'ready'])
})

test('a busy API port is said in one line; the home opens as before', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  try {
    await until('the port is taken', async () => server.listening)
    const { port } = server.address() as AddressInfo
    await nothingLost(async () => {
      refused(await tryDaemon(bob, ['--api-port', String(port)]), 3, /port .*busy/)
    })
  } finally {
    server.close()
  }
})

test('a busy peer port is said in one line; the home opens as before', async () => {
  const taken = /tcp\/(\d+)/.exec(alice.address)?.[1] ?? assert.fail()
  const own = bob.flags.filter((flag, i) => flag !== '--listen' && bob.flags[i - 1] !== '--listen')
  const flags = [...own, '--log-level', 'silent', '--listen', `/ip4/127.0.0.1/tcp/${taken}`]
  await nothingLost(async () => {
    refused(await bed.run(['daemon', '--home', bob.home, ...flags]), 3, /listen/)
  })
})

test('ID-16 ID-22 a wrong passphrase opens nothing, is said in one line, and spoils nothing', async () => {
  await nothingLost(async () => {
    refused(await tryDaemon(bob, [], { SOTTO_PASSPHRASE: 'not the passphrase' }), 1, /passphrase/)
  })
})

test('ID-16 the home is the owner’s alone', () => {
  const loose = readdirSync(alice.home, { withFileTypes: true })
    .map((entry) => join(alice.home, entry.name))
    .filter((path) => (statSync(path).mode & 0o077) !== 0)
  assert.deepEqual(loose, [])
  assert.equal(statSync(alice.home).mode & 0o777, 0o700)
})

test('ID-02 an account that nobody knows: exit code 8 within ten seconds', async () => {
  const unknown = encodeAccountId(new Uint8Array(32).fill(7))
  const startedMs = performance.now()
  refused(await alice.cli(['key', 'get', unknown]), 8, /not-found|not found|nobody/i)
  refused(await alice.cli(['contact', 'add', unknown]), 8, /not-found|not found|nobody/i)
  assert.ok(performance.now() - startedMs < 20_000)
  assert.deepEqual(
    (await alice.api<{ items: ContactView[] }>('GET', '/contacts')).items.filter((one) => one.accountId === unknown),
    [],
  )
})

test('ID-01 ID-02 keys of an account are found by anyone, in under a second', async () => {
  const bobId = await bob.accountId()
  await until('it is found', () => alice.lookup(bobId))
  const startedMs = performance.now()
  const keys = await alice.lookup(bobId)
  assert.ok(performance.now() - startedMs < 1_000)
  assert.deepEqual([keys.accountId, keys.suite, keys.devices.length], [bobId, 1, 1])
  assert.deepEqual(keys.sizes, { ed25519: 32, mldsa65: 1_952, x25519: 32, kem: 1_568 })
})

test('a client verb without a daemon: exit code 6', async () => {
  const nobody = bed.daemon('nobody')
  refused(await nobody.cli(['status']), 6, /daemon/)
})

test('wrong usage: exit code 1; a wait that is in vain: exit code 7', async () => {
  refused(await alice.cli(['send', 'no-such-contact', 'x']), 8, /contact/)
  refused(await alice.cli(['frobnicate']), 1, /unknown command/)
  refused(await alice.cli(['wait', '--for=peers=1000', '--timeout', '1']), 7, /time/)
})

test('LS-13 two homes side by side know nothing of one another', async () => {
  await befriend(alice, bob)
  const carol = bed.daemon('carol')
  await carol.start()
  const identity = await carol.createIdentity()
  const contacts = await carol.api<{ items: ContactView[] }>('GET', '/contacts')
  assert.deepEqual(contacts.items, [])
  assert.equal(new Set([identity.accountId, await alice.accountId(), await bob.accountId()]).size, 3)
  assert.equal(new Set([carol.peerId, alice.peerId, bob.peerId]).size, 3)
  await carol.stop()
})

test('LS-06 PR-09 a contact is kept with its name, favourite, note and times; renamed, blocked, removed', async () => {
  const [aliceId, bobId] = [await alice.accountId(), await bob.accountId()]
  const renamed = await alice.api<ContactView>('PATCH', `/contacts/${bobId}`, { name: 'Bobby', favourite: true })
  assert.deepEqual([renamed.name, renamed.favourite, renamed.state], ['Bobby', true, 'accepted'])
  assert.ok(Date.parse(renamed.addedAt) > 0)
  await alice.stop()
  await alice.start()
  const { lastSeenAt: _, ...kept } = await alice.contact(bobId)
  const { lastSeenAt: __, ...before } = renamed
  assert.deepEqual(kept, before)
  assert.equal((await bob.contact(aliceId)).note, 'alice here')
  await alice.api('POST', `/contacts/${bobId}/block`)
  assert.equal((await alice.contact(bobId)).state, 'blocked')
  await alice.api('DELETE', `/contacts/${bobId}`)
  await assert.rejects(alice.contact(bobId), { status: 404 })
})

test('ID-12 a rotated account is followed: its last card names the next one, and contacts still reach it', async () => {
  const old = await bob.accountId()
  const dave = bed.daemon('dave')
  await dave.start()
  await dave.createIdentity()
  await befriend(dave, bob)
  const rotated = await bob.verb<{ accountId: string; phrase: string }>('id', 'rotate')
  assert.notEqual(rotated.accountId, old)
  assert.equal(rotated.phrase.split(' ').length, 24)
  await bob.ready()
  // A stranger's answer is kept for an hour, so Alice must not ask before the old account's last card is out.
  await pause(4_000)
  const found = await alice.lookup(old)
  assert.ok(found.accountId === rotated.accountId || found.successor !== null, JSON.stringify(found))
  const { id } = await dave.send(old, 'still you?')
  await dave.reaches(id, 'delivered')
  await bob.stop()
  await bob.start()
  assert.equal(await bob.accountId(), rotated.accountId)
})
