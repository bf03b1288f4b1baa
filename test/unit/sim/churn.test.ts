/** The churn study: its fast zone is the product's, its models are what they say, and it sees loss where there is some. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRng } from '../../../src/lib/rng.ts'
import { byDistance, ZONE_CANDIDATES, zoneOf } from '../../../src/protocol/replicas.ts'
import type { Placed } from '../../../src/protocol/replicas.ts'
import { Ages } from '../../../src/services/repair/ages.ts'
import { knownFor } from '../../sim/churn/acquaintance.ts'
import { deliver, UPTIME_30_PEERS } from '../../sim/churn/delivery.ts'
import type { Study } from '../../sim/churn/experiments.ts'
import { study } from '../../sim/churn/experiments.ts'
import { MODELS, modelOf, UPTIME_30 } from '../../sim/churn/models.ts'
import { Months } from '../../sim/churn/month.ts'
import { OUTSIDE, Zone } from '../../sim/churn/placement.ts'
import { plot } from '../../sim/churn/plot.ts'
import { addressesOf, availability, populate, TICKS_PER_DAY, TICKS_PER_HOUR } from '../../sim/churn/population.ts'
import type { Population } from '../../sim/churn/population.ts'
import { PUBLISHED_AVAILABILITY } from '../../sim/churn/published.ts'
import { randomOf } from '../../sim/churn/random.ts'
import { section, withSection } from '../../sim/churn/section.ts'
import { CARES, draw, run } from '../../sim/churn/study.ts'
import type { Experiment } from '../../sim/churn/study.ts'
import { tables } from '../../sim/churn/table.ts'

const SEED = Number(process.env['SOTTO_SEED'] ?? 48)

const TICK_MS = 3_600_000 / TICKS_PER_HOUR

const setting: Omit<Experiment<keyof typeof CARES>, 'model' | 'records'> = {
  seed: SEED,
  replicas: 5,
  slots: 600,
  days: 30,
  missed: 0.05,
  liars: 0,
  cares: CARES,
}

const whoIsThere = ({ sessions }: Population, identity: number, tick: number): boolean => {
  for (let i = sessions.first[identity] ?? 0; i < (sessions.first[identity + 1] ?? 0); i++) {
    if ((sessions.from[i] ?? 0) <= tick && tick < (sessions.to[i] ?? 0)) return true
  }
  return false
}

/** All identities as the product sees peers. */
const placed = (population: Population): Placed[] =>
  Array.from({ length: population.count }, (_, identity) => ({
    peerId: String(identity),
    position: population.positions.subarray(32 * identity, 32 * identity + 32),
    addresses: addressesOf(population, identity),
  }))

for (const [slots, what] of [
  [600, 'a large network'],
  [26, 'a network smaller than a lookup'],
] as const) {
  test(`the study's zone is the product's, in ${what} (seed ${SEED})`, () => {
    const random = randomOf(SEED, slots)
    const population = populate({ model: modelOf('oursBad'), slots, days: 2, liars: 0 }, random)
    // Crowded networks: the rule of diversity has something to do in every zone.
    for (let i = 0; i < population.count; i += 3)
      population.net24[i] = population.net24[(i * 7) % population.count] ?? 1
    for (let i = 0; i < population.count; i++)
      population.net16[i] = 1 + Math.floor(((population.net24[i] ?? 1) - 1) / 256)
    const peers = placed(population)
    const zone = new Zone(population, 0, random)
    const nobody = new Uint8Array(population.count)
    let diverted = 0
    for (let round = 0; round < 60; round++) {
      const target = seededRng(SEED + round).bytes(32)
      zone.rank(target)
      const tick = Math.floor(random() * population.ticks)
      zone.advance(tick)
      zone.scan(OUTSIDE, nobody, 1)
      const found = Array.from(zone.members.subarray(0, zone.length), (rank) => String(zone.order[rank]))
      const there = peers.filter((_, identity) => whoIsThere(population, identity, tick))
      const nearest = byDistance(target, there).slice(0, ZONE_CANDIDATES)
      const expected = zoneOf(nearest).map(({ peerId }) => peerId)
      assert.deepEqual(found, expected)
      if (expected.some((peerId, i) => peerId !== nearest[i]?.peerId)) diverted++
    }
    assert.ok(diverted > 0, `the rule of diversity mattered in ${diverted} zones`)
  })
}

test('a scan counts what is marked, stops at enough, and misses as many as it is told to', () => {
  const random = randomOf(SEED)
  const population = populate({ model: modelOf('ours'), slots: 600, days: 2, liars: 0 }, random)
  const zone = new Zone(population, 0.05, random)
  const everyone = new Uint8Array(population.count).fill(1)
  zone.rank(new Uint8Array(32))
  zone.advance(0)
  assert.equal(zone.scan(OUTSIDE, everyone, 4), 4)
  assert.equal(zone.length, 4)
  const first = zone.order.find((_, rank) => zone.isThere(rank))
  const rank = zone.order.indexOf(first ?? 0)
  const scans = 20_000
  let missed = 0
  for (let i = 0; i < scans; i++) {
    zone.scan(OUTSIDE, everyone, 1)
    if (zone.members[0] !== rank) missed++
    zone.scan(rank, everyone, 1)
    assert.equal(zone.members[0], rank, 'a holder always finds itself')
  }
  assert.ok(Math.abs(missed / scans - 0.05) < 0.01, `${missed} of ${scans} missed`)
})

test('how long peers know one another is what the product would say', () => {
  const population = populate({ model: modelOf('oursBad'), slots: 60, days: 3, liars: 0 }, randomOf(SEED, 1))
  let compared = 0
  for (let who = 0; who < population.count && compared < 200; who += 2) {
    for (let whom = 1; whom < population.count; whom += 3) {
      const now = TICKS_PER_DAY + ((who * 31 + whom) % TICKS_PER_DAY)
      if (who === whom || !whoIsThere(population, who, now) || !whoIsThere(population, whom, now)) continue
      assert.equal(knownFor(population.sessions, who, whom, now) * TICK_MS, productSays(population, who, whom, now))
      compared++
    }
  }
  assert.ok(compared >= 20, `only ${compared} pairs were there together`)
})

/** Plays the past of both to the product's own book of ages. */
function productSays(population: Population, who: number, whom: number, now: number): number {
  const { sessions } = population
  const clock = { time: 0, now: () => clock.time, after: () => () => {} }
  const ages = new Ages(clock, 1.5 * 3_600_000)
  let up = false
  let watched = 0
  for (let tick = sessions.from[sessions.first[who] ?? 0] ?? 0; tick < now; tick++, watched++) {
    if (!whoIsThere(population, who, tick)) {
      // What it does not see counts neither way: its clock stands still.
      watched--
      continue
    }
    clock.time = watched * TICK_MS
    const there = whoIsThere(population, whom, tick)
    if (there !== up) ages.connected('whom', there)
    up = there
  }
  clock.time = watched * TICK_MS
  if (!up) ages.connected('whom', true)
  return ages.of('whom')
}

for (const model of MODELS) {
  test(`model ${model.name}: as many are there as was published (seed ${SEED})`, () => {
    const populations = [0, 1].map((i) => populate({ model, slots: 600, days: 10, liars: 0 }, randomOf(SEED, i)))
    const mean = populations.reduce((sum, population) => sum + availability(population), 0) / populations.length
    const published = PUBLISHED_AVAILABILITY[model.name] ?? 0
    assert.ok(Math.abs(mean - published) < 0.03, `${mean.toFixed(3)} are there, ${published} were to be`)
  })
}

test('oursOneTz: everybody sleeps at the same time', () => {
  const population = populate({ model: modelOf('oursOneTz'), slots: 600, days: 10, liars: 0 }, randomOf(SEED))
  const there = (tick: number): number =>
    Array.from({ length: population.count }, (_, i) => i).filter((i) => whoIsThere(population, i, tick)).length
  const [night, day] = [5 * TICKS_PER_DAY + 4 * TICKS_PER_HOUR, 5 * TICKS_PER_DAY + 15 * TICKS_PER_HOUR]
  assert.ok(
    there(night) < there(day) / 2,
    `${there(night)} at four in the morning, ${there(day)} at three in the afternoon`,
  )
})

test('leavers are replaced: as many are there at the end as at the beginning, and they are others', () => {
  const population = populate({ model: modelOf('expKad'), slots: 600, days: 30, liars: 0 }, randomOf(SEED))
  const there = (tick: number): number[] =>
    Array.from({ length: population.count }, (_, i) => i).filter((i) => whoIsThere(population, i, tick))
  const [first, last] = [there(10), there(population.ticks - 10)]
  assert.ok(Math.abs(first.length - last.length) < 60, `${first.length} at first, ${last.length} at last`)
  assert.ok(last.filter((i) => first.includes(i)).length < last.length / 3)
})

test('the same seed gives the same figures, another one others', () => {
  const once = run({ ...setting, model: modelOf('oursBad'), records: 6 })
  assert.deepEqual(run({ ...setting, model: modelOf('oursBad'), records: 6 }), once)
  assert.notDeepEqual(run({ ...setting, seed: SEED + 1, model: modelOf('oursBad'), records: 6 }), once)
})

test(`TE-16 30 days: without repair letters are lost, with it and the sender none (seed ${SEED})`, () => {
  const { tallies } = run({ ...setting, model: modelOf('weibKad'), records: 40 })
  assert.ok(tallies.once.lost >= 3, `${tallies.once.lost} of 40 lost when put once`)
  assert.ok(
    tallies.once.dark.every((count) => count <= 40) && (tallies.once.dark.at(-1) ?? 0) > (tallies.once.dark[0] ?? 0),
  )
  assert.equal(tallies.repair.lost, 0)
  assert.equal(tallies.sender.lost, 0)
  assert.ok(tallies.repair.failed / tallies.repair.reads < 1e-3)
})

test(`I8 TE-16 the ordinary model: at most 10 copies of a letter in 30 days, none unread (seed ${SEED})`, () => {
  const { tallies } = run({ ...setting, model: modelOf('ours'), records: 60 })
  const copies = (tallies.sender.copies + tallies.sender.again) / tallies.sender.records
  assert.ok(copies > 1 && copies <= 10, `${copies} copies`)
  assert.equal(tallies.sender.lost, 0)
  assert.ok(tallies.sender.longestGapHours <= 1)
})

test(`MB-19 all holders gone for good: the sender puts again within one cycle of rechecks (seed ${SEED})`, () => {
  // Four fifths of all peers go on day 3; nobody repairs, so that the sender is alone.
  const cares = { once: CARES.once, alone: { repair: 'none', recheck: true } } as const
  const failure = { day: 3, share: 0.8 }
  const { tallies } = run({ ...setting, cares, model: modelOf('ours'), records: 100, days: 8, failure })
  assert.ok(tallies.once.lost >= 15, `${tallies.once.lost} of 100 lost without the sender`)
  assert.equal(tallies.alone.lost, 0)
  assert.ok(tallies.alone.again > 0)
  // A day until the next look, and the nights and days on which the sender is not at home.
  assert.ok(tallies.alone.longestGapHours <= 24 * 4, `${tallies.alone.longestGapHours} h without a copy`)
})

test('MB-19 with a sender who is always there the gap is one cycle, 24 hours', () => {
  const random = randomOf(SEED, 19)
  const failure = { day: 3, share: 0.8 }
  const population = populate({ model: modelOf('ours'), slots: 600, days: 9, liars: 0, failure }, random)
  const cares = [{ repair: 'none', recheck: true }] as const
  const months = new Months(population, { cares, replicas: 5, days: 7, missed: 0.05 }, random)
  let longest = 0
  for (let i = 0; i < 60; i++) {
    const letter = draw(population, random)
    const [outcome] = months.live({ ...letter, sender: new Uint8Array(population.ticks).fill(1) })
    assert.equal(outcome?.dark.at(-1), 0)
    longest = Math.max(longest, outcome?.longestGapHours ?? 0)
  }
  assert.ok(longest > 0 && longest <= 25, `${longest} h`)
})

test(`MB-48 OP-12 twenty peers, half an hour up in the mean, 24 h: 99.9 % of mails are delivered (seed ${SEED})`, () => {
  const cared = deliver(SEED, 1_000, CARES.sender)
  assert.ok(cared.delivered >= 0.999 * cared.mails, `${cared.delivered} of ${cared.mails}`)
  const day = { ...setting, model: UPTIME_30, records: 300, slots: UPTIME_30_PEERS, days: 1 }
  const { once, sender } = run(day).tallies
  assert.ok(
    once.failed > 2 * sender.failed,
    `hourly reads that failed: ${once.failed} put once, ${sender.failed} cared for`,
  )
})

test('half of the holders lie: audits alone lose letters, with the sender none is lost', () => {
  const cares = { repair: CARES.repair, sender: CARES.sender } as const
  const { tallies } = run({ ...setting, cares, model: modelOf('oursBad'), records: 80, liars: 0.5 })
  assert.ok(tallies.repair.lost > 0)
  assert.equal(tallies.sender.lost, 0)
})

test('silent liars, whom no audit catches, are given a letter once by each who repairs it', () => {
  const cares = { repair: CARES.repair } as const
  const experiment = { ...setting, cares, model: modelOf('ours'), records: 12, liars: 0.5 }
  const [loud, silent] = [run(experiment), run({ ...experiment, silent: true })]
  assert.ok(silent.tallies.repair.copies < 10 * loud.tallies.repair.copies)
  assert.ok(silent.tallies.repair.copies > loud.tallies.repair.copies, 'it still costs')
})

test('the report: tables, plot and section hold the figures, and the README keeps what is not theirs', () => {
  const found: Study = study({ records: 4, seed: SEED, models: ['ours', 'expKad'], note() {} })
  const text = tables(found)
  assert.match(text, /Lost on day 30 of 4 letters in ours: /)
  assert.match(text, /\| expKad \(0\.\d\d, \*0\.23\*\) \| 5 \| 4 \|/)
  const svg = plot(found)
  assert.match(svg, /^<svg [^>]+>[^]*prefers-color-scheme: dark[^]*<\/svg>\n$/)
  assert.equal(svg.match(/<g /g)?.length, 3)
  assert.ok(!/NaN|undefined|Infinity/.test(svg + text))
  const fresh = withSection('# Simulations\n\nBefore.\n', section(found, 2))
  const again = withSection(fresh.replace('<!-- churn: end -->', '<!-- churn: end -->\n\nAfter.'), section(found, 3))
  assert.match(again, /Before\.[^]*--records 3 [^]*After\./)
  assert.equal(again.match(/churn: begin/g)?.length, 1)
})
