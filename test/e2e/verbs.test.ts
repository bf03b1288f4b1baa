/** The same line by hand: the `sotto` executable and nothing else, as a person or a script would type it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { StatusView } from '../../src/api/application/account.ts'
import type { ContactView, VerifyView } from '../../src/api/application/contacts.ts'
import type { ConversationView, MessageView, Page, WhyView } from '../../src/api/application/messages.ts'
import type { PeerView, ZoneView } from '../../src/api/application/network.ts'
import { PASSPHRASE, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

const bed = new Testbed()
let alice: Daemon
let bob: Daemon

before(async () => {
  await startNetwork(bed, 5, [])
  alice = bed.daemon('alice')
  bob = bed.daemon('bob')
})
after(() => bed.close())

test('ID-21 ID-25 init makes an account before there is a daemon; a second one is refused', async () => {
  const made = await alice.verb<{ accountId: string; phrase: string }>('init')
  assert.match(made.accountId, /^sotto1[02-9ac-hj-np-z]{58}$/)
  assert.equal(made.phrase.split(' ').length, 24)
  await alice.start()
  assert.equal((await alice.verb<{ accountId: string }>('id')).accountId, made.accountId)
  const again = await alice.cli(['init'])
  assert.deepEqual([again.code, again.stdout], [1, ''])
  assert.match(again.stderr, /identity already/)
  const file = bed.file('passphrase', `${PASSPHRASE}\n`)
  await bob.start()
  const other = await bob.verb<{ accountId: string; phrase: string }>('init', '--passphrase-file', file)
  assert.notEqual(other.accountId, made.accountId)
  assert.notEqual(other.phrase, made.phrase)
})

test('wait, status, peers: when the daemon is ready, how it is, whom it knows', async () => {
  for (const person of [alice, bob]) {
    await person.verb('wait', '--for=ready')
    await person.verb('wait', '--for=peers=4')
  }
  const status = await alice.verb<StatusView>('status')
  assert.deepEqual([status.state, status.network, status.outbox.waiting], ['ready', 'local', 0])
  const peers = await alice.verb<{ items: PeerView[] }>('peers')
  assert.ok(peers.items.length >= 4 && peers.items.every((peer) => peer.encryption.length > 0))
})

test('ID-10 AP-05 an invite link makes a contact, once accepted; the pin says where it came from', async () => {
  const { link } = await bob.verb<{ link: string }>('invite', '--token')
  assert.match(link, /^sotto:/)
  const asked = await alice.verb<ContactView>('contact', 'add', link, 'Bob', '--note', 'Alice here')
  assert.deepEqual([asked.state, asked.name, asked.pinSource], ['requested', 'Bob', 'invite'])
  const aliceId = await alice.accountId()
  await bob.verb('wait', '--for=peers=1')
  const incoming = await waitForRequest(aliceId)
  assert.equal(incoming.note, 'Alice here')
  const accepted = await bob.verb<ContactView>('contact', 'accept', aliceId, 'Alice')
  assert.deepEqual([accepted.state, accepted.name], ['accepted', 'Alice'])
})

async function waitForRequest(aliceId: string): Promise<ContactView> {
  for (let i = 0; i < 60; i++) {
    const { items } = await bob.verb<{ items: ContactView[] }>('contact', 'list')
    const found = items.find((contact) => contact.accountId === aliceId && contact.state === 'incoming')
    if (found !== undefined) return found
  }
  return assert.fail('no request came')
}

test('DT-03 DT-06 send from an argument and from standard input, wait, read, why', async () => {
  const sent = await alice.verb<MessageView>('send', 'Bob', 'hello from the command line')
  await alice.verb('wait', `--for=delivered=${sent.id}`)
  const piped = await alice.cli(['send', 'bob'], { stdin: 'two\nlines\n' })
  assert.equal(piped.code, 0, piped.stderr)
  const second = JSON.parse(piped.stdout) as MessageView
  await alice.verb('wait', `--for=delivered=${second.id}`)
  const { items } = await bob.verb<Page<MessageView>>('read', 'Alice')
  assert.deepEqual(
    items.filter((message) => !message.outgoing).map((message) => message.text),
    ['hello from the command line', 'two\nlines'],
  )
  await alice.verb('wait', `--for=read=${sent.id}`)
  const read = await alice.verb<MessageView>('msg', 'show', sent.id)
  assert.deepEqual([read.status, read.path], ['read', 'direct'])
  const why = await alice.verb<WhyView>('msg', 'why', sent.id)
  assert.deepEqual([why.status, why.summary.length > 0], ['read', true])
})

test('LS-03 LS-09 what was said is found again, and all of it can be exported', async () => {
  const found = await bob.verb<{ items: MessageView[] }>('search', 'COMMAND line', '--contact', 'Alice')
  assert.deepEqual(
    found.items.map(({ text }) => text),
    ['hello from the command line'],
  )
  assert.deepEqual((await bob.verb<{ items: MessageView[] }>('search', 'never said')).items, [])
  const all = await bob.verb<{
    contacts: ContactView[]
    conversations: unknown[]
    messages: MessageView[]
    groups: []
  }>('export')
  assert.deepEqual([all.contacts.length, all.conversations.length, all.groups], [1, 1, []])
  assert.deepEqual(
    all.messages.map(({ text }) => text),
    ['hello from the command line', 'two\nlines'],
  )
})

test('CL-14 what is done to a message and to oneself reaches the other side', async () => {
  const sent = await alice.verb<MessageView>('send', 'Bob', 'see you at nien')
  await alice.verb('wait', `--for=delivered=${sent.id}`)
  assert.equal((await alice.verb<MessageView>('msg', 'edit', sent.id, 'see you at nine')).text, 'see you at nine')
  await bob.verb('msg', 'react', sent.id, '👍')
  await until('both have both', async () => {
    const [here, there] = await Promise.all([alice, bob].map((each) => each.verb<MessageView>('msg', 'show', sent.id)))
    return here?.reactions.length === 1 && there?.text === 'see you at nine' && there.reactions[0]?.own === true
  })
  await bob.verb('msg', 'star', sent.id)
  assert.equal((await bob.verb<Page<MessageView>>('starred')).items[0]?.id, sent.id)
  await alice.verb('msg', 'delete', sent.id, '--for-both')
  await until('it is gone', async () => (await bob.verb<MessageView>('msg', 'show', sent.id)).gone === 'deleted')
  await alice.verb('profile', 'set', '--name', 'Alice in Chains')
  await until('the profile came', async () => {
    const { name } = await bob.verb<{ name: string }>('profile', 'show', 'Alice')
    return name === 'Alice in Chains'
  })
  await bob.verb('conversation', 'mute', 'Alice', 'on')
  assert.equal((await bob.verb<ConversationView>('conversation', 'show', 'Alice')).muted, true)
  await bob.verb('conversation', 'mute', 'Alice', 'off')
})

test('MB-01 net zone: who stands near, where our mail is put, what lies here for others', async () => {
  const zone = await alice.verb<ZoneView>('net', 'zone')
  assert.match(zone.self, /^[0-9a-f]{64}$/)
  assert.ok(zone.holders.length >= 4)
  const distances = zone.holders.map(({ position }) => BigInt(`0x${position}`) ^ BigInt(`0x${zone.self}`))
  assert.deepEqual(
    distances,
    [...distances].sort((a, b) => (a < b ? -1 : 1)),
  )
  assert.ok(zone.holders.some(({ holdsForUs, connected }) => holdsForUs && connected))
  assert.ok(zone.mailboxes.length >= 1 && zone.mailboxes.every((position) => /^[0-9a-f]{64}$/.test(position)))
  const holder = bed.daemons[0] ?? assert.fail()
  const { held, mailboxes } = await holder.verb<ZoneView>('net', 'zone')
  assert.deepEqual([held.serving, mailboxes], [true, []])
  assert.ok(held.cards >= 4, `${held.cards} cards`)
  assert.ok(held.bytes > 0 && held.bytes < held.bytesMax)
})

test('CL-14 doctor finds nothing broken, and a bug report names nobody', async () => {
  const checked = await alice.cli(['doctor'])
  const { items } = JSON.parse(checked.stdout) as { items: { name: string; result: string; detail: string }[] }
  assert.deepEqual([checked.code, items.filter(({ result }) => result === 'fail')], [0, []])
  assert.deepEqual(
    items.map(({ name }) => name),
    [
      'node',
      'config',
      'home',
      'disk',
      'daemon',
      'socket',
      'version',
      'account',
      'network',
      'mailbox',
      'card',
      'prekeys',
      'clock',
    ],
  )
  const { stdout } = await alice.cli(['bugreport', '--log', alice.logFile])
  const status = await alice.status()
  const names = [status.accountId, status.deviceId, await bob.accountId(), 'Bob', alice.home, bed.root]
  const peers = bed.daemons.map(({ peerId }) => peerId)
  for (const secret of [...names, ...peers, '127.0.0.1']) assert.ok(!stdout.includes(secret ?? ''), secret ?? '')
  const report = JSON.parse(stdout) as { daemon: Record<string, { error?: string } | { metric: string }[]> }
  for (const [name, view] of Object.entries(report.daemon)) assert.ok(!('error' in view), name)
  assert.ok(Array.isArray(report.daemon['metrics']) && report.daemon['metrics'].length > 5)
})

test('CL-14 AP-12 a token for a program: made, used, revoked; a reader that is remembered', async () => {
  const { token, id } = await alice.verb<{ token: string; id: string }>('token', 'create', 'bot', '--scope', 'read')
  const authorization = { authorization: `Bearer ${token}` }
  assert.equal((await alice.api<StatusView>('GET', '/status', undefined, authorization)).state, 'ready')
  await assert.rejects(alice.api('POST', '/identity/lock', undefined, authorization), /403/)
  await alice.verb('token', 'revoke', 'bot')
  await assert.rejects(alice.api('GET', '/status', undefined, authorization), /401/)
  const { items } = await alice.verb<{ items: { id: string }[] }>('token', 'list')
  assert.ok(!items.some((each) => each.id === id))
  await alice.verb('search', 'nothing')
  assert.equal((await alice.cli(['tail', '--consumer', 'bot'])).stdout, '')
  await alice.verb('send', 'Bob', 'an event')
  const lines = (await alice.cli(['tail', '--consumer', 'bot', '--jsonl'])).stdout.trim().split('\n')
  assert.ok(lines.length >= 1 && lines[0]?.includes('"number"'))
  assert.equal((await alice.cli(['tail', '--consumer', 'bot'])).stdout, '')
})

test('CL-14 LS-03 a backup is written and makes the account again on an empty home', async () => {
  const file = join(bed.root, 'alice.backup')
  const its = bed.file('backup-passphrase', 'battery staple\n')
  await alice.verb('backup', 'create', file, '--backup-passphrase-file', its)
  const again = bed.daemon('alice-again', { passphrase: null })
  await again.start()
  const mine = bed.file('new-passphrase', 'a new passphrase\n')
  const flags = ['--backup-passphrase-file', its, '--passphrase-file', mine]
  const back = await again.verb<{ accountId: string; contacts: number; messages: number }>(
    'backup',
    'restore',
    file,
    ...flags,
  )
  assert.deepEqual([back.accountId, back.contacts], [await alice.accountId(), 1])
  assert.ok(back.messages >= 3)
  assert.equal((await again.cli(['backup', 'restore', file, ...flags])).code, 1)
  await again.stop()
})

test('LS-06 a contact is kept, renamed, starred and forgotten', async () => {
  const aliceId = await alice.accountId()
  await bob.verb('contact', 'rename', 'Alice', 'Alice B')
  const kept = await bob.verb<{ items: ContactView[] }>('contact', 'list')
  assert.deepEqual(
    kept.items.map(({ accountId, name, state, favourite }) => [accountId, name, state, favourite]),
    [[aliceId, 'Alice B', 'accepted', false]],
  )
  await bob.verb('contact', 'rename', 'Alice B', 'Alice')
})

test('ID-30 both ends see the same safety number', async () => {
  const here = await alice.verb<VerifyView>('contact', 'verify', 'Bob')
  const there = await bob.verb<VerifyView>('contact', 'verify', 'Alice')
  assert.match(here.digits, /^(\d{5} ){11}\d{5}$/)
  assert.equal(here.digits, there.digits)
  assert.equal((await alice.verb<ContactView>('contact', 'verify', 'Bob', '--confirm')).verified, true)
})

test('LS-11 a blocked contact is not heard', async () => {
  await bob.verb('contact', 'block', 'Alice')
  const sent = await alice.verb<MessageView>('send', 'Bob', 'are you there?')
  const waited = await alice.cli(['wait', `--for=delivered=${sent.id}`, '--timeout', '4'])
  assert.equal(waited.code, 7)
  const { items } = await bob.verb<Page<MessageView>>('read', 'Alice', '--peek')
  assert.ok(!items.some((message) => message.text === 'are you there?'))
})

test('MB-47 what was not delivered yet is taken back; what was delivered is not', async () => {
  const bobId = await bob.accountId()
  const sent = await alice.messages(bobId)
  const waiting = sent.find(({ text }) => text === 'are you there?')
  const delivered = sent.find(({ text }) => text === 'hello from the command line')
  assert.ok(waiting && delivered)
  assert.equal((await alice.verb<MessageView>('msg', 'take-back', waiting.id)).status, 'taken-back')
  assert.equal((await alice.verb<WhyView>('msg', 'why', waiting.id)).status, 'taken-back')
  const late = await alice.cli(['msg', 'take-back', delivered.id])
  assert.deepEqual([late.code, (JSON.parse(late.stderr) as { error: { code: string } }).error.code], [1, 'conflict'])
  assert.equal((await alice.cli(['msg', 'take-back', '00'.repeat(16)])).code, 8)
  const waited = await alice.cli(['wait', `--for=delivered=${waiting.id}`, '--timeout', '4'])
  assert.equal(waited.code, 3, 'nobody waits for what was taken back')
})
