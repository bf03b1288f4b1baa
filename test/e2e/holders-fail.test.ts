/** Holders that fail: four of five killed, a disk that is full, files that are not what was written. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Dice } from '../chaos/dice.ts'
import { damage, fillDisk, freeDisk } from '../support/damage.ts'
import { befriend, startAll, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import { ApiFault } from '../support/local-api.ts'
import { SEED } from '../support/strict.ts'

const REPLICAS = 5
const REPAIR_MS = 2_000
const LETTERS = 6
const LONG = 'x'.repeat(12_000)
const WAIT_MS = 60_000
const REFUSES = /the disk refused a letter/
const SETTLED_MS = 2_000
/** Copies from which on repair leaves a letter alone (protocol §4). */
const ENOUGH = 4
const TORN_EVERY_BYTES = 20_000
const dice = new Dice(SEED)
const bed = new Testbed()
const holders: Daemon[] = []
let alice: Daemon
let bob: Daemon
let aliceId = ''
let bobId = ''
const sent: string[] = []
let serial = 0

/** People who hold nothing, so that a letter's five holders are never they. */
before(async () => {
  const profile = {
    name: 'fragile',
    repairIntervalMs: REPAIR_MS,
    collectIntervalMs: 3_000,
    holderUptimeMs: 0,
    stampBits: 1,
    puzzleBits: 0,
    privateAddresses: true,
    inboundPerSecond: 10_000,
  }
  bed.network = bed.file('fragile.json', JSON.stringify(profile))
  for (let i = 0; i <= REPLICAS; i++) holders.push(bed.daemon(`holder${i}`, { passphrase: null }))
  alice = bed.daemon('alice', { flags: ['--no-holder'] })
  bob = bed.daemon('bob', { flags: ['--no-holder'] })
  await holders[0]?.start()
  await startAll([...holders.slice(1), alice, bob])
  await Promise.all([alice.createIdentity(), bob.createIdentity()])
  aliceId = await alice.accountId()
  bobId = await bob.accountId()
  await befriend(alice, bob)
})
after(() => bed.close())

const words = (): string => `message ${++serial}`

async function received(): Promise<readonly string[]> {
  return (await bob.messages(aliceId)).filter(({ outgoing }) => !outgoing).map(({ text }) => text)
}

interface Stored {
  readonly text: string
  readonly by: readonly Daemon[]
}

/** Alice writes while Bob is away; resolves once it counts as stored, and no more receipts come. */
async function stores(text: string): Promise<Stored> {
  sent.push(text)
  const { id } = await alice.send(bobId, text)
  await alice.reaches(id, 'stored', WAIT_MS)
  await until('the put has ended', async () => (await alice.message(id)).stored >= REPLICAS, SETTLED_MS).catch(() => {})
  return { text, by: await holdersOf(id) }
}

/** The same with a letter at five holders: one that has just come up may miss the first. */
async function storesAtFive(): Promise<Stored> {
  return until(
    'five receipts',
    async () => {
      const stored = await stores(words())
      return stored.by.length === REPLICAS ? stored : undefined
    },
    WAIT_MS,
  )
}

async function holdersOf(id: string): Promise<readonly Daemon[]> {
  const { devices } = await alice.why(id)
  const named = new Set((devices[0]?.holders ?? []).map(({ peerId }) => peerId))
  return holders.filter(({ peerId }) => named.has(peerId))
}

/** Does it while the daemon gets no time. */
async function frozen({ pid = assert.fail() }: Daemon, work: () => Promise<void>): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  try {
    await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

const there = async (daemons: readonly Daemon[]): Promise<void> => startAll(daemons.filter(({ running }) => !running))

/** Everything that was sent is with Bob, once, and nothing else is. */
async function arrive(): Promise<void> {
  await until(
    'all of it has arrived',
    async () => {
      const seen = new Set(await received())
      const missing = sent.filter((text) => !seen.has(text))
      if (missing.length > 0)
        throw new Error(`${missing.length} of ${sent.length} are missing: ${missing[0]?.slice(0, 20)}`)
      return true
    },
    WAIT_MS,
  )
  const seen = await received()
  assert.equal(new Set(seen).size, seen.length, 'nothing came twice')
  assert.deepEqual(
    seen.filter((text) => !sent.includes(text)),
    [],
  )
}

test('MB-09 TE-03 any four of the five holders are killed: the letter is read, in all five combinations', async () => {
  const [sixth, ...five] = holders.toReversed()
  await sixth?.stop()
  for (const left of five) {
    await bob.stop()
    await there(five)
    const { text } = await storesAtFive()
    await frozen(alice, async () => {
      await Promise.all(five.filter((holder) => holder !== left).map(async (holder) => holder.kill()))
      await bob.start()
      await bob.receives(aliceId, text, WAIT_MS)
    })
  }
})

test('MB-45 TE-07 LS-08 a holder whose disk is full refuses and says so, the others store, it serves what it has, and takes letters again', async () => {
  await there(holders)
  await bob.stop()
  const { text: first, by } = await storesAtFive()
  const full = by[0] ?? assert.fail()
  const { pid } = full
  fillDisk(full)
  for (let i = 0; !REFUSES.test(full.log); i++) {
    await stores(`${words()} ${LONG}`)
    assert.ok(i < 60, 'the disk fills up')
  }
  assert.ok(!(await stores(words())).by.includes(full), 'others hold it')
  await frozen(alice, async () => {
    await Promise.all(holders.filter((holder) => holder !== full).map(async (holder) => holder.kill()))
    await bob.start()
    await bob.receives(aliceId, first, WAIT_MS)
  })
  freeDisk(full)
  await there(holders)
  await arrive()
  await bob.stop()
  await until('it takes letters again', async () => (await stores(words())).by.includes(full), WAIT_MS)
  assert.equal(full.pid, pid, 'it never went down')
})

test('LS-08 TE-07 a person whose disk is full is told so, loses nothing that was accepted, and goes on when there is room', async () => {
  await there([...holders, bob])
  await bob.ready()
  fillDisk(alice)
  const refused = await until('the disk is full', async () => {
    const text = `${words()} ${LONG}`
    try {
      await alice.send(bobId, text)
      sent.push(text)
      return undefined
    } catch (error) {
      return error
    }
  })
  assert.ok(refused instanceof ApiFault && refused.code === 'storage', String(refused))
  const told = await alice.cli(['send', bobId, 'one more'])
  assert.deepEqual([told.code, /disk is full/.test(told.stderr)], [3, true], told.stderr)
  freeDisk(alice)
  const later = words()
  sent.push(later)
  await until('there is room again', async () => alice.send(bobId, later))
  await arrive()
})

test(`TE-07 MB-17 LS-08 holders with torn and flipped files come up, serve nothing that is damaged, and the others make good for them (seed ${SEED})`, async () => {
  await there(holders)
  await bob.stop()
  const known = new Set((await Promise.all(holders.map(lettersOn))).flat())
  for (let i = 0; i < LETTERS; i++) await stores(`${words()} ${LONG}`)
  const fresh = new Set((await Promise.all(holders.map(lettersOn))).flat().filter((id) => !known.has(id)))
  assert.ok(fresh.size >= LETTERS)
  const hurt = (await storesAtFive()).by.slice(0, 2)
  for (const holder of hurt) await tear(holder)
  await until(
    'the others make good for them',
    async () => {
      const disks = await Promise.all(holders.map(lettersOn))
      return [...fresh].every((id) => disks.filter((letters) => letters.includes(id)).length >= ENOUGH)
    },
    WAIT_MS,
  )
  await frozen(alice, async () => {
    await Promise.all(holders.filter((holder) => !hurt.includes(holder)).map(async (holder) => holder.kill()))
    await bob.start()
    await until('Bob has swept his mailbox', async () => (await bob.status()).mailbox.lastSweepAt !== null, WAIT_MS)
  })
  await there(holders)
  await arrive()
})

async function lettersOn({ home }: Daemon): Promise<readonly string[]> {
  return [...(await heldOnDisk(home)).letters]
}

/** A second start has LevelDB write what its log holds into tables; then they are damaged. */
async function tear(holder: Daemon): Promise<void> {
  await holder.stop()
  await holder.start()
  await holder.kill()
  const { flipped } = damage(join(holder.home, 'held'), TORN_EVERY_BYTES, (bound) => dice.below(bound))
  assert.ok(flipped > 0)
  await holder.start()
}
