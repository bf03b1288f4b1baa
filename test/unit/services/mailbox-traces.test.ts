/**
 * What holders could link by, tried on what lies on their disks: the same mailbox in two weeks, and the same writer in two mailboxes.
 * Everything in a record is compared (names, keys, commitments, policies, hours, sizes, order). How much somebody gets and when is
 * drawn by lot here: habits are not hidden by pseudonyms, and that is a limit (`src/services/holder/README.md`).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { randomBelow } from '../../../src/lib/rng.ts'
import type { Rng } from '../../../src/lib/rng.ts'
import { epochKey, epochOf, laneSet } from '../../../src/protocol/mailbox-rules.ts'
import { laneSeed } from '../../../src/services/contacts/lanes.ts'
import { bucketRange } from '../../../src/store/buckets.ts'
import { checked, heldLetterCodec } from '../../../src/store/held-records.ts'
import { CARD_KIND } from '../../../src/wire/holder.ts'
import type { Letter, Policy, PutProof } from '../../../src/wire/letter.ts'
import { crypto, directLink, makeLetter, never, PROFILE, Swarm } from './swarm.ts'
import type { HolderNode } from './swarm.ts'

const PEOPLE = 16
const WRITERS = 3
const LETTERS = 4

/** One letter as it lies on a holder's disk. */
interface Seen {
  readonly arrival: number
  readonly letter: Letter
  readonly proof: PutProof
}

/** What somebody who collects the records knows of one pseudonym: its letters, and the policy where it is a mailbox. */
interface Trace {
  /** For the count of hits only. */
  readonly owner: number
  readonly seen: readonly Seen[]
  readonly policy: Policy | undefined
}

type Likeness = (a: Trace, b: Trace) => number

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)
function bitsApart(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += BITS[(a[i] ?? 0) ^ (b[i] ?? 0)] ?? 0
  return sum
}
/** Of all pairs of these bytes the two that are nearest. */
const nearest =
  (bytesOf: (seen: Seen) => Uint8Array): Likeness =>
  (a, b) =>
    -Math.min(...a.seen.flatMap((one) => b.seen.map((other) => bitsApart(bytesOf(one), bytesOf(other)))))
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const near =
  (numberOf: (trace: Trace) => number): Likeness =>
  (a, b) =>
    -Math.abs(numberOf(a) - numberOf(b))
const NOTHING = new Uint8Array(0)
const keyOf = ({ proof }: Seen): Uint8Array => (proof.kind === 1 ? proof.body.key : NOTHING)
const signatureOf = ({ proof }: Seen): Uint8Array => (proof.kind === 1 ? proof.body.signature : NOTHING)
const lanes = new Map<Policy, ReadonlySet<string>>()
function lanesOf({ policy }: Trace): ReadonlySet<string> {
  if (policy === undefined) return new Set()
  const known = lanes.get(policy) ?? laneSet(policy)
  lanes.set(policy, known)
  return known
}

const LIKENESS: Readonly<Record<string, Likeness>> = {
  address: nearest(({ letter }) => letter.address),
  lane: nearest(({ letter }) => letter.lane),
  laneKey: nearest(keyOf),
  signature: nearest(signatureOf),
  commitment: nearest(({ letter }) => letter.commitment),
  ciphertext: nearest(({ letter }) => letter.ciphertext.subarray(0, 64)),
  hour: near(({ seen }) => mean(seen.map(({ letter }) => letter.expiry % 168))),
  sizes: near(({ seen }) => mean(seen.map(({ letter }) => letter.sizeClass))),
  count: near(({ seen }) => seen.length),
  order: near(({ seen }) => Math.min(...seen.map(({ arrival }) => arrival)) % (PEOPLE * LETTERS)),
  policyNumber: near(({ policy }) => policy?.body.number ?? 0),
  policyPrice: near(({ policy }) => policy?.body.stampBits ?? 0),
  policyLanes: (a, b) => [...lanesOf(a)].filter((lane) => lanesOf(b).has(lane)).length,
  policyKey: (a, b) => -bitsApart(a.policy?.body.epochKey ?? NOTHING, b.policy?.body.epochKey ?? NOTHING),
}

/** The likeness of everyone in `from` (rows) to everyone in `to`. */
type Scores = readonly (readonly number[])[]

const scoresOf = (from: readonly Trace[], to: readonly Trace[], likeness: Likeness): Scores =>
  from.map((a) => to.map((b) => likeness(a, b)))

/** How many of `from` are found among `to` by these scores; ties are drawn, that is, count for their share. */
function hits(from: readonly Trace[], to: readonly Trace[], scores: Scores): number {
  return from.reduce((sum, trace, row) => {
    const best = Math.max(...(scores[row] ?? []))
    const chosen = to.filter((_, column) => scores[row]?.[column] === best)
    return sum + chosen.filter(({ owner }) => owner === trace.owner).length / chosen.length
  }, 0)
}

/** All scores together, each in units of its own spread. */
function together(all: readonly Scores[]): Scores {
  const scaled = all.map((scores) => {
    const middle = mean(scores.flat())
    const spread = Math.sqrt(mean(scores.flat().map((score) => (score - middle) ** 2)))
    return scores.map((row) => row.map((score) => (spread === 0 ? 0 : (score - middle) / spread)))
  })
  const [first = []] = scaled
  return first.map((row, i) => row.map((_, j) => scaled.reduce((sum, scores) => sum + (scores[i]?.[j] ?? 0), 0)))
}

/** Hits by each likeness, and by all of them together. */
function linked(from: readonly Trace[], to: readonly Trace[]): ReadonlyMap<string, number> {
  const scores = Object.entries(LIKENESS).map(([name, likeness]) => [name, scoresOf(from, to, likeness)] as const)
  const all = ['all', together(scores.map(([, each]) => each))] as const
  return new Map([...scores, all].map(([name, each]) => [name, hits(from, to, each)]))
}

/** By chance one is hit on average, with a spread of one: five over is once in thousands. */
const HITS_MAX = 6

function assertUnlinked(from: readonly Trace[], to: readonly Trace[]): void {
  for (const [name, found] of linked(from, to)) {
    assert.ok(found <= HITS_MAX, `${name} links ${found} of ${from.length}`)
  }
}

/** Everybody's mailbox with lanes for three of the others, and a week's letters in an order that is drawn by lot. */
async function population() {
  const swarm = await Swarm.create(5, { laneLettersPerDay: 100 }, 11)
  const seeds = Array.from({ length: PEOPLE }, () => swarm.rng.bytes(32))
  const laneFor = (owner: number, writer: number): Uint8Array =>
    laneSeed(crypto, seeds[owner] as Uint8Array, {
      accountId: crypto.sha256(utf8(`account ${writer % PEOPLE}`)),
      laneNumber: 1,
    })
  const mailbox = swarm.mailbox('everybody', [], async () => ({ kind: 'keep' }))
  for (const [owner, mailboxSeed] of seeds.entries()) {
    const laneSeeds = Array.from({ length: WRITERS }, (_, i) => laneFor(owner, owner + 1 + i))
    // A count of versions that is everybody's own, as it is after months.
    await mailbox.cards.publishPolicies({ mailboxSeed, number: 1 + owner * 40, stampBits: 2, laneSeeds }, never)
  }
  const week = async (): Promise<void> => {
    const jobs = seeds.flatMap((_, owner) => Array.from({ length: LETTERS }, () => owner))
    for (const owner of shuffled(jobs, swarm.rng)) {
      const lane = laneFor(owner, owner + 1 + randomBelow(swarm.rng, WRITERS))
      const sizeClass = randomBelow(swarm.rng, 2) as 0 | 1
      const { letter, proof } = makeLetter(swarm, seeds[owner] as Uint8Array, lane, { sizeClass })
      await mailbox.depositor.put(letter, proof, { exclude: [], signal: never })
    }
  }
  return { swarm, seeds, week, laneFor, epoch: () => epochOf(swarm.clock.now(), PROFILE) }
}

function shuffled<T>(items: readonly T[], rng: Rng): T[] {
  return items
    .map((item) => ({ item, at: toHex(rng.bytes(8)) }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .map(({ item }) => item)
}

async function lettersOf(node: HolderNode): Promise<readonly Seen[]> {
  const found: Seen[] = []
  for await (const [key, value] of node.db.iterate(bucketRange('held'))) {
    const held = checked(crypto, key, heldLetterCodec, value)
    if (held !== undefined) found.push(held)
  }
  return found
}

/** Everything about the mailboxes with these addresses, in the order of the people. */
async function tracesOf(swarm: Swarm, addresses: readonly Uint8Array[]): Promise<readonly Trace[]> {
  const node = swarm.nodes[0] as HolderNode
  const seen = await lettersOf(node)
  const link = directLink(swarm, node, 'curious')
  return Promise.all(
    addresses.map(async (address, owner) => {
      const { answer } = await link.request({ kind: 3, body: { key: address } }, never)
      assert.ok(answer.kind === 2 && answer.body.kind === CARD_KIND.policy)
      const mine = seen.filter(({ letter }) => toHex(letter.address) === toHex(address))
      return { owner, seen: mine, policy: answer.body.body }
    }),
  )
}

test('MB-27 MB-12 nothing on a disk links a mailbox of this week with that of the next, nor a writer’s lanes with each other', async () => {
  const { swarm, seeds, week, laneFor, epoch } = await population()
  await using _ = swarm
  const addressesOf = (at: number): Uint8Array[] => seeds.map((seed) => epochKey(crypto, seed, at).address)
  const first = epoch()
  await week()
  // Nothing runs out in a week: the hourly sweeps would take longer than all the rest.
  for (const node of swarm.nodes) await node.withoutSweeps()
  await swarm.clock.advance(PROFILE.epochMs)
  for (const node of swarm.nodes) node.service.start()
  assert.equal(epoch(), first + 1)
  await week()
  const [before, after] = [await tracesOf(swarm, addressesOf(first)), await tracesOf(swarm, addressesOf(first + 1))]
  assert.ok([...before, ...after].every(({ seen }) => seen.length === LETTERS))
  assertUnlinked(before, after)

  // The same eyes see what there is to be seen: two halves of one week are one mailbox.
  const half = (part: number) => (trace: Trace) => ({ ...trace, seen: trace.seen.filter((_, i) => i % 2 === part) })
  const [odd, even] = [after.map(half(0)), after.map(half(1))]
  const found = linked(odd, even)
  for (const name of ['address', 'policyNumber', 'policyLanes', 'policyKey', 'all']) {
    assert.equal(found.get(name), PEOPLE, name)
  }

  // One writer: into the mailbox of whoever is one before, and of whoever is two before.
  const writers = seeds.map((_, writer) => writer)
  const lanesInto = (steps: number): Trace[] =>
    writers.flatMap((writer) => {
      const owner = (writer + PEOPLE - steps) % PEOPLE
      const { lane } = makeLetter(swarm, seeds[owner] as Uint8Array, laneFor(owner, writer), {
        epoch: first + 1,
      }).letter
      const seen = after.flatMap((trace) => trace.seen).filter(({ letter }) => toHex(letter.lane) === toHex(lane))
      return seen.length === 0 ? [] : [{ owner: writer, seen, policy: undefined }]
    })
  const [one, two] = [lanesInto(1), lanesInto(2)]
  const both = (traces: readonly Trace[], others: readonly Trace[]) =>
    traces.filter(({ owner }) => others.some((other) => other.owner === owner))
  assert.ok(both(one, two).length >= 8, 'enough of them wrote to both')
  assertUnlinked(both(one, two), both(two, one))
})

test('MB-27 versions of a policy tell neither how many lanes it has nor what they are', async () => {
  await using swarm = await Swarm.create(5)
  const mailboxSeed = swarm.rng.bytes(32)
  const lanes = Array.from({ length: 9 }, () => swarm.rng.bytes(32))
  const mailbox = swarm.mailbox('bob', [mailboxSeed], async () => ({ kind: 'keep' }))
  const { address } = epochKey(crypto, mailboxSeed, epochOf(swarm.clock.now(), PROFILE))
  const version = async (number: number, count: number): Promise<Policy> => {
    const laneSeeds = lanes.slice(0, count)
    await mailbox.cards.publishPolicies({ mailboxSeed, number, stampBits: 2, laneSeeds }, never)
    return (await tracesOf(swarm, [address]))[0]?.policy as Policy
  }
  const versions = [await version(1, 3), await version(2, 3), await version(3, 4), await version(4, 3)]
  const [a, b, c, d] = versions.map((policy) => laneSet(policy))
  assert.ok(a && b && c && d)
  assert.deepEqual(a, b, 'a version without a change has none to show')
  assert.equal([...b].filter((lane) => !c.has(lane)).length, 1, 'a contact more takes one place')
  assert.deepEqual(d, b)
  const numbers = versions.map(({ body }) => body.number)
  assert.deepEqual(
    numbers.map((number) => number - (numbers[0] ?? 0)),
    [0, 1, 2, 3],
  )
})
