import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { toHex } from '../../../src/lib/bytes.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/lib/time.ts'
import { cardHolds, cardKey, cardVersion, compareVersions } from '../../../src/protocol/mailbox-rules.ts'
import {
  openRecovery,
  recoveryAddressOf,
  RECOVERY_NUMBER_MAX,
  sealRecovery,
} from '../../../src/protocol/recovery-rules.ts'
import { createAccount } from '../../../src/services/account/create.ts'
import { formerRecovery, newRecovery } from '../../../src/services/account/recovery-secret.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import { contentOf, entriesOf } from '../../../src/services/recovery/entries.ts'
import type { FoundHow, RecoveryContent, RecoveryHome, RecoveryNetwork } from '../../../src/services/recovery/ports.ts'
import { readRecovery } from '../../../src/services/recovery/read.ts'
import { RecoveryRoom } from '../../../src/services/recovery/recovery.ts'
import { FILE_SYSTEM } from '../../../src/store/atomic-file.ts'
import { RECOVERY_STATE } from '../../../src/store/recovery.ts'
import { openStore } from '../../../src/store/store.ts'
import type { Store } from '../../../src/store/store.ts'
import { CARD_KIND } from '../../../src/wire/holder.ts'
import type { CardRecord } from '../../../src/wire/holder.ts'
import type { RecoveredContact, RecoveryChunk } from '../../../src/wire/recovery.ts'
import { Disk, SimClock, simCrypto, temporaryDirectory } from '../../support/sim.ts'

const PASSPHRASE = 'correct horse'
const directory = temporaryDirectory()
const disks: Disk[] = []
after(async () => {
  for (const disk of disks) await disk.database.close()
  directory.remove()
})
const never = new AbortController().signal

/** One memory in place of the holders: the highest number stays. */
class Holders implements RecoveryNetwork {
  readonly #clock: SimClock
  readonly records = new Map<string, CardRecord>()
  /** What is shown instead; null: nothing. */
  readonly lies = new Map<string, CardRecord | null>()
  readonly published: CardRecord[] = []
  up = true

  constructor(clock: SimClock) {
    this.#clock = clock
  }

  async publish(record: CardRecord): Promise<{ receipts: number; stale: boolean }> {
    if (!this.up) return { receipts: 0, stale: false }
    this.published.push(record)
    const key = toHex(cardKey(nativeProvider, record))
    const known = this.records.get(key)
    const version = (card: CardRecord) => cardVersion(nativeProvider, card)
    if (known !== undefined && compareVersions(version(record), version(known)) < 0) return { receipts: 0, stale: true }
    assert.ok(cardHolds(nativeProvider, record, this.#clock.now()))
    this.records.set(key, record)
    return { receipts: 5, stale: false }
  }

  async fetch(key: Uint8Array): Promise<{ record: CardRecord | undefined; complete: boolean }> {
    const name = toHex(key)
    const lie = this.lies.get(name)
    const record = lie === undefined ? this.records.get(name) : (lie ?? undefined)
    return this.up ? { record, complete: true } : { record: undefined, complete: false }
  }
}

/** What is to be kept, and what came back. */
class Home implements RecoveryHome {
  content: RecoveryContent = { contacts: [], settings: [], profile: undefined }

  async gather(): Promise<RecoveryContent> {
    return this.content
  }

  /** How content was said to have been found. */
  readonly found: FoundHow[] = []

  async restoreOps({ contacts, settings, profile }: RecoveryContent, found: FoundHow) {
    this.found.push(found)
    const has = (id: Uint8Array): boolean => this.content.contacts.some((each) => toHex(each.accountId) === toHex(id))
    const fresh = contacts.filter(({ accountId }) => !has(accountId))
    const done = (): void => {
      this.content = { contacts: [...this.content.contacts, ...fresh], settings, profile }
    }
    return { ops: [], contacts: fresh.length, settings: settings.length > 0, done }
  }
}

interface Device {
  readonly store: Store
  readonly home: Home
  readonly room: RecoveryRoom
  readonly facts: string[]
  readonly phrase: string
  readonly secret: Uint8Array
}

let devices = 0
async function device(clock: SimClock, network: Holders, phrase?: string): Promise<Device> {
  const path = join(directory.path, `device-${devices++}`)
  const disk = await Disk.open(clock, join(path, 'db'))
  disks.push(disk)
  const crypto = simCrypto(clock, nativeProvider)
  const shared = { crypto, rng: seededRng(devices), clock, log: silentLogger }
  const created = await createAccount(
    {
      ...shared,
      database: disk.database,
      files: { vault: join(path, 'vault'), accountKey: join(path, 'account') },
      cost: { memoryKiB: 8, passes: 1, length: 32 },
      keyFiles: {
        write: async (...args) => clock.busyWith(async () => FILE_SYSTEM.write(...args)),
        read: async (...args) => clock.busyWith(async () => FILE_SYSTEM.read(...args)),
      },
    },
    { passphrase: PASSPHRASE, ...(phrase === undefined ? {} : { phrase }) },
  )
  const store = await openStore(disk.database, created.vault)
  const facts: string[] = []
  const events = {
    last: () => facts.length,
    append: (appended: readonly { type: string }[]) => {
      facts.push(...appended.map(({ type }) => type))
      return { ops: [], last: facts.length }
    },
  }
  const batch: Store['batch'] = async (ops, options) => store.batch(ops, options)
  const journal = new Journal({
    store: {
      batch,
      events,
      get generation() {
        return store.generation
      },
    },
    clock,
    log: silentLogger,
  })
  const home = new Home()
  const meeter = {
    find: async (accountId: Uint8Array) => accountId,
    greetOps: async () => ({ ops: [], added: () => {} }),
  }
  const room = new RecoveryRoom({ ...shared, store, journal, network, home, meeter, onAnswer() {} })
  const { secret } = (await store.recovery.own()) ?? assert.fail()
  return { store, home, room, facts, phrase: created.phrase, secret }
}

function contact(i: number, changes: Partial<RecoveredContact> = {}): RecoveredContact {
  const accountId = nativeProvider.sha256(Uint8Array.of(i >> 8, i & 255))
  return {
    version: 1,
    accountId,
    name: `contact number ${i} with a name of some length`,
    state: 3,
    note: '',
    pin: { number: i, hash: accountId },
    pinSource: 2,
    verified: i % 2 === 0,
    suspended: false,
    favourite: false,
    direct: 1,
    addedAt: i,
    muted: false,
    pinned: false,
    timer: 0,
    lamport: 1_024,
    ...changes,
  }
}

const people = (count: number): RecoveredContact[] => Array.from({ length: count }, (_, i) => contact(i))
const settings = [{ name: 'user-settings', value: '{"typing":false}' }]

const headOf = (network: Holders, { secret }: Device, index = 0): RecoveryChunk | undefined => {
  const record = network.records.get(toHex(recoveryAddressOf(nativeProvider, secret, index)))
  return record?.kind === CARD_KIND.recovery ? openRecovery(nativeProvider, secret, index, record.body) : undefined
}

const stateOf = async ({ store }: Device): Promise<number | undefined> => (await store.recovery.own())?.state

test('entries come back as they were; what a later program wrote is passed over, and of two words the first counts', () => {
  const content: RecoveryContent = { contacts: people(3), settings, profile: Uint8Array.of(1, 2, 3) }
  const entries = entriesOf(content)
  assert.deepEqual(contentOf(entries), content)
  const strange = [
    { type: 77, body: new Uint8Array(9) },
    { type: 1, body: new Uint8Array(3) },
  ]
  const older = entriesOf({ contacts: [contact(1, { name: 'older' })], settings: [], profile: undefined })
  assert.deepEqual(contentOf([...strange, ...entries, ...older]), content)
})

test('SY-10 a thousand contacts are spread over chunks, and the words bring all of them back', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.home.content = { contacts: people(1_000), settings, profile: undefined }
  old.room.start()
  assert.ok(await clock.until(async () => ((await old.store.recovery.own())?.publishedAt ?? 0) > 0))
  await old.room.stop()
  const chunks = headOf(network, old)?.count ?? 0
  assert.ok(chunks >= 2 && chunks <= 5, `${chunks} chunks`)
  assert.equal(network.published.length, chunks)

  const young = await device(clock, network, old.phrase)
  assert.deepEqual(young.secret, old.secret)
  assert.equal(await young.room.holdsCard(), true)
  young.room.start()
  assert.deepEqual(await clock.during(young.room.recovered(60_000)), { contacts: 1_000, settings: true })
  assert.equal(await young.room.holdsCard(), false)
  assert.deepEqual(young.facts, ['recovery:found'])
  const byAge = [...young.home.content.contacts].sort((a, b) => a.addedAt - b.addedAt)
  assert.deepEqual(byAge, old.home.content.contacts)
  // It goes on above what it found.
  assert.ok(await clock.until(() => (headOf(network, old)?.number ?? 0) >= 2))
  await young.room.stop()
})

test('a snapshot is written when something has changed, a few in a row and then every five minutes, and daily', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  one.room.start()
  await clock.pass(5_000)
  assert.equal(network.published.length, 1, 'the first at once')
  for (let i = 1; i <= 8; i++) {
    one.home.content = { ...one.home.content, contacts: people(i) }
    one.room.changed()
    await clock.pass(15_000)
  }
  assert.equal(network.published.length, 4)
  await clock.pass(5 * MINUTE_MS)
  assert.equal(network.published.length, 5)
  assert.equal(headOf(network, one)?.entries.length, 8)
  for (let i = 0; i < 10; i++) {
    one.room.changed()
    await clock.pass(20 * MINUTE_MS)
  }
  assert.equal(network.published.length, 5, 'nothing of it has changed')
  await clock.pass(DAY_MS)
  assert.equal(network.published.length, 6)
  assert.equal(headOf(network, one)?.number, 6)
  await one.room.stop()
})

test('a number is on disk before it leaves: after a crash it is not given again', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  const publish = network.publish.bind(network)
  network.publish = async (record) => {
    assert.equal((await one.store.recovery.own())?.number, 1)
    return publish(record)
  }
  one.room.start()
  await clock.pass(MINUTE_MS)
  assert.equal(network.published.length, 1)
  await one.room.stop()
})

test('a chunk that is missing or old is asked for again; what is there comes back at once', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.home.content = { contacts: people(700), settings, profile: undefined }
  old.room.start()
  assert.ok(await clock.until(async () => ((await old.store.recovery.own())?.publishedAt ?? 0) > 0))
  const address = toHex(recoveryAddressOf(nativeProvider, old.secret, 1))
  const before = network.records.get(address) ?? assert.fail()
  await clock.pass(6 * MINUTE_MS)
  old.home.content = { ...old.home.content, contacts: people(701) }
  old.room.changed()
  await clock.pass(6 * MINUTE_MS)
  await old.room.stop()
  for (const lie of [null, before]) {
    network.lies.set(address, lie)
    const young = await device(clock, network, old.phrase)
    young.room.start()
    const { contacts } = await clock.during(young.room.recovered(60_000))
    assert.ok(contacts > 0 && contacts < 701)
    assert.equal(await stateOf(young), RECOVERY_STATE.searching)
    assert.equal(await young.room.holdsCard(), false, 'its card may go out')
    network.lies.delete(address)
    assert.ok(await clock.until(() => young.home.content.contacts.length === 701, HOUR_MS))
    assert.ok(await clock.until(async () => (await stateOf(young)) === RECOVERY_STATE.settled))
    await young.room.stop()
  }
})

test('a network that has nothing is asked for a day; only then is a first record written', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const { phrase } = await device(clock, new Holders(clock))
  const young = await device(clock, network, phrase)
  young.room.start()
  assert.deepEqual(await clock.during(young.room.recovered(60_000)), { contacts: 0, settings: false })
  assert.equal(await young.room.holdsCard(), false)
  await clock.pass(20 * HOUR_MS)
  assert.equal(network.published.length, 0)
  await clock.pass(5 * HOUR_MS)
  assert.deepEqual(young.facts, ['recovery:none'])
  assert.equal(network.published.length, 1)
  await young.room.stop()
})

test('the card stays here while nobody answers, and what is awaited ends in time', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  network.up = false
  const { phrase } = await device(clock, new Holders(clock))
  const young = await device(clock, network, phrase)
  young.room.start()
  assert.deepEqual(await clock.during(young.room.recovered(20_000)), { contacts: 0, settings: false })
  await clock.pass(2 * DAY_MS)
  assert.equal(await young.room.holdsCard(), true)
  network.up = true
  young.room.hurry()
  assert.ok(await clock.until(async () => !(await young.room.holdsCard())))
  await young.room.stop()
})

test('MB-43 an old record that was passed off is found out by the first holder that knows better', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.home.content = { contacts: people(1), settings, profile: undefined }
  old.room.start()
  await clock.pass(MINUTE_MS)
  const address = toHex(recoveryAddressOf(nativeProvider, old.secret, 0))
  const stale = network.records.get(address) ?? assert.fail()
  for (let i = 2; i <= 4; i++) {
    await clock.pass(6 * MINUTE_MS)
    old.home.content = { ...old.home.content, contacts: people(i) }
    old.room.changed()
    await clock.pass(MINUTE_MS)
  }
  await old.room.stop()
  network.lies.set(address, stale)
  const young = await device(clock, network, old.phrase)
  young.room.start()
  assert.equal((await clock.during(young.room.recovered(60_000))).contacts, 1)
  network.lies.delete(address)
  young.home.content = { ...young.home.content, contacts: [...young.home.content.contacts, contact(90)] }
  young.room.changed()
  assert.ok(await clock.until(() => young.home.content.contacts.length === 5, HOUR_MS), 'the later ones are back')
  assert.ok(await clock.until(() => headOf(network, young)?.entries.length === 6, HOUR_MS), 'and kept')
  await young.room.stop()
})

test('a number that holders remember and nobody shows is leapt over', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  const publish = network.publish.bind(network)
  let refused = 0
  network.publish = async (record) => {
    const head = record.kind === CARD_KIND.recovery && openRecovery(nativeProvider, one.secret, 0, record.body)
    if (head === false || head === undefined || head.number >= 5_000) return publish(record)
    refused++
    return { receipts: 0, stale: true }
  }
  one.room.start()
  assert.ok(await clock.until(() => network.published.length > 0, HOUR_MS))
  assert.ok(refused <= 4, `${refused} times refused`)
  await one.room.stop()
})

test('what is another account’s at our address is nothing', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  one.room.start()
  await clock.pass(MINUTE_MS)
  await one.room.stop()
  const [record] = network.published
  assert.ok(record)
  const other = seededRng(9).bytes(32)
  network.lies.set(toHex(recoveryAddressOf(nativeProvider, other, 0)), record)
  const found = await readRecovery({ crypto: nativeProvider, network }, other, never)
  assert.deepEqual(found, { kind: 'none' })
})

/** As one would write who took the recovery secret from a device, and has no account key. */
async function forge(clock: SimClock, network: Holders, of: Device, changes: Partial<RecoveryChunk>): Promise<void> {
  const head = headOf(network, of) ?? assert.fail()
  const chunk = { ...head, number: head.number + 1, deviceId: new Uint8Array(16).fill(7), ...changes }
  const expiry = Math.floor(clock.now() / HOUR_MS) + 2_000
  const body = await sealRecovery({ crypto: nativeProvider, rng: seededRng(99) }, of.secret, chunk, expiry)
  await network.publish({ kind: CARD_KIND.recovery, body })
}

test('ID-12 a record’s word about the account card is believed of nobody: neither a live device nor a new one stops for it', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.home.content = { contacts: people(2), settings, profile: undefined }
  old.room.start()
  await clock.pass(MINUTE_MS)
  await forge(clock, network, old, { cardNumber: 2 ** 32 - 1 })
  await clock.pass(DAY_MS)
  const live = (await old.store.accounts.own()) ?? assert.fail()
  assert.deepEqual([live.number, old.facts.includes('account:overtaken')], [live.card.body.number, false])
  assert.deepEqual(headOf(network, old)?.deviceId, (await old.store.devices.own())?.deviceId, 'it writes on')
  await old.room.stop()
  await forge(clock, network, old, { cardNumber: 2 ** 32 - 1 })
  const young = await device(clock, network, old.phrase)
  young.room.start()
  await clock.during(young.room.recovered(60_000))
  const back = (await young.store.accounts.own()) ?? assert.fail()
  assert.equal(back.number, back.card.body.number)
  assert.equal((await young.store.recovery.own())?.signAgain, false)
  assert.equal(await young.room.holdsCard(), false)
  await young.room.stop()
})

test('ID-12 a later account card that is shown keeps ours here; the next is signed over a gap', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  const first = await device(clock, network, old.phrase)
  const { card } = (await first.store.accounts.own()) ?? assert.fail()
  await network.publish({ kind: CARD_KIND.account, body: card })
  for (const step of [0, 1, -1]) {
    const young = await device(clock, network, old.phrase)
    const { accounts } = young.store
    const own = (await accounts.own()) ?? assert.fail()
    const number = card.body.number + step
    await young.store.batch(accounts.put({ ...own, number, card: { ...own.card, body: { ...own.card.body, number } } }))
    young.room.start()
    await clock.during(young.room.recovered(60_000))
    const account = (await accounts.own()) ?? assert.fail()
    assert.ok(account.card.body.number < account.number, `at ${step} it does not go out`)
    assert.ok(account.number + 1 - card.body.number >= 2, 'no chain is asked for')
    assert.equal((await young.store.recovery.own())?.signAgain, true)
    await young.room.stop()
  }
})

test('MB-43 one holder that says it knows a later number spoils nothing', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  const honest = network.publish.bind(network)
  network.publish = async (record) => ({ ...(await honest(record)), stale: true })
  one.room.start()
  for (let i = 1; i <= 5; i++) {
    one.home.content = { ...one.home.content, contacts: people(i) }
    one.room.changed()
    await clock.pass(10 * MINUTE_MS)
    assert.equal(headOf(network, one)?.entries.length, i)
  }
  assert.equal((await one.store.recovery.own())?.number, 5)
  await one.room.stop()
})

test('MB-43 numbers go up slowly where all holders lie, and one that has overflowed comes back', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  const honest = network.publish.bind(network)
  network.publish = async () => ({ receipts: 0, stale: true })
  one.room.start()
  await clock.pass(10 * DAY_MS)
  const { number } = (await one.store.recovery.own()) ?? assert.fail()
  assert.ok(number > 4_096 && number < 1_100_000, `${number}`)
  await one.room.stop()
  const own = (await one.store.recovery.own()) ?? assert.fail()
  await one.store.batch(one.store.recovery.put({ ...own, number: RECOVERY_NUMBER_MAX + 7 }))
  network.publish = honest
  one.room.start()
  assert.ok(await clock.until(() => network.published.length > 0, HOUR_MS))
  assert.equal((await one.store.recovery.own())?.number, 1)
  await one.room.stop()
})

test('what turns up beside a home that has written records itself is not believed as what the words bring back', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.home.content = { contacts: people(2), settings, profile: undefined }
  old.room.start()
  await clock.pass(MINUTE_MS)
  const entries = entriesOf({ contacts: [contact(4_000)], settings: [], profile: undefined })
  await forge(clock, network, old, { cardNumber: 0, entries })
  await clock.pass(DAY_MS)
  assert.deepEqual(
    old.home.found.map(({ sure }) => sure),
    [false],
  )
  await old.room.stop()
  const young = await device(clock, network, old.phrase)
  young.room.start()
  await clock.during(young.room.recovered(60_000))
  assert.equal(young.home.found[0]?.sure, true)
  await young.room.stop()
})

test('a contact’s causal number comes along and is no reason to write', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  one.home.content = { contacts: people(2), settings, profile: undefined }
  one.room.start()
  await clock.pass(MINUTE_MS)
  assert.equal(network.published.length, 1)
  one.home.content = { ...one.home.content, contacts: people(2).map((each) => ({ ...each, lamport: 9_216 })) }
  one.room.changed()
  await clock.pass(HOUR_MS)
  assert.equal(network.published.length, 1)
  await clock.pass(DAY_MS)
  const { contacts } = contentOf(headOf(network, one)?.entries ?? [])
  assert.deepEqual(
    contacts.map(({ lamport }) => lamport),
    [9_216, 9_216],
  )
  await one.room.stop()
})

test('a device that finds the record of one that took its place writes no more', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const old = await device(clock, network)
  old.room.start()
  await clock.pass(MINUTE_MS)
  const young = await device(clock, network, old.phrase)
  young.home.content = { contacts: people(2), settings, profile: undefined }
  const { card } = (await young.store.accounts.own()) ?? assert.fail()
  await network.publish({ kind: CARD_KIND.account, body: card })
  young.room.start()
  assert.ok(await clock.until(() => headOf(network, old)?.entries.length === 2))
  await young.room.stop()
  const count = network.published.length
  await clock.pass(2 * DAY_MS)
  assert.deepEqual(old.facts, ['account:overtaken'])
  assert.equal(network.published.length, count)
  await old.room.stop()
})

test('ID-12 the records of an account that was rotated away are emptied, and left alone when they have expired', async () => {
  const clock = new SimClock()
  const network = new Holders(clock)
  const one = await device(clock, network)
  one.home.content = { contacts: people(700), settings, profile: undefined }
  one.room.start()
  assert.ok(await clock.until(async () => ((await one.store.recovery.own())?.publishedAt ?? 0) > 0))
  await one.room.stop()
  const { recovery } = one.store
  const own = (await recovery.own()) ?? assert.fail()
  const count = headOf(network, one)?.count ?? 0
  assert.ok(count > 1)
  const next = { ...newRecovery(own.accountId, seededRng(5).bytes(32)), chunks: 0 }
  await one.store.batch([...recovery.putFormer(formerRecovery(own, clock.now())), ...recovery.put(next)])
  assert.deepEqual((await recovery.own())?.secret, next.secret)
  one.room.start()
  assert.ok(await clock.until(async () => ((await recovery.former())[0]?.publishedAt ?? 0) > 0))
  for (let index = 0; index < count; index++) assert.deepEqual(headOf(network, one, index)?.entries, [])
  const found = await readRecovery({ crypto: nativeProvider, network }, own.secret, never)
  assert.ok(found.kind === 'found' && found.content.contacts.length === 0)
  await clock.pass(91 * DAY_MS)
  assert.deepEqual(await recovery.former(), [])
  await one.room.stop()
})
