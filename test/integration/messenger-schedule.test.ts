/** Three people, a random schedule of everything that happens to them, and what has to be true at the end of any. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import { bucketRange } from '../../src/store/buckets.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

/** 207 once found two devices that waited for one another in different sessions. */
const SEED = Number(process.env['SOTTO_SEED'] ?? 207)
const STEPS = 250
const RANK = { queued: 0, stored: 1, failed: 2, expired: 2, 'taken-back': 2, delivered: 3, read: 4 } as const

interface Said {
  readonly from: Person
  readonly to: Person
  readonly text: string
  readonly id: string
}

test(`DT-21 E2-48 MB-13 TE-11 any schedule: accepted is delivered exactly once, and nothing goes back (seed ${SEED})`, async () => {
  const rng = seededRng(SEED)
  const below = (bound: number): number => randomBelow(rng, bound)
  const world = await World.of(['alice', 'bob', 'carol'], { seed: SEED })
  await using _ = world
  const { people } = world
  const said: Said[] = []
  const off = new Set<Person>()
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const running = (): Person[] => people.filter((person) => !off.has(person))

  const start = async (person: Person): Promise<void> => {
    off.delete(person)
    await person.start()
    person.online()
  }
  const send = async (): Promise<void> => {
    const from = pick(running())
    const to = pick(people.filter((person) => person !== from))
    const text = `${said.length} ${'.'.repeat(below(12) === 0 ? 60_000 : below(500))}`
    try {
      said.push({ from, to, text, id: await from.send(to, text) })
    } catch (error) {
      assert.ok(from.disk.full, String(error))
    }
  }
  const acts: readonly (readonly [number, () => Promise<void> | void])[] = [
    [45, send],
    [14, async () => world.clock.pass(below(4_000))],
    [6, () => Object.assign(world.weather, { loss: below(4) / 10, duplicate: below(4) / 10, delay: below(5) / 10 })],
    [5, () => world.block(pick(people), pick(people))],
    [7, () => world.blocked.clear()],
    [5, () => pick(running()).offline()],
    [7, () => running().forEach((person) => !person.up && person.online())],
    [
      4,
      async () => {
        const person = pick(running())
        if (running().length < 2) return
        off.add(person)
        await (below(2) === 0 ? person.kill() : person.stop())
      },
    ],
    [
      6,
      async () => {
        const [person] = off
        if (person !== undefined) await start(person)
      },
    ],
    [
      3,
      () => {
        const person = pick(running())
        person.disk.full = !person.disk.full
      },
    ],
    [
      3,
      () => {
        const holder = pick(world.holders)
        if (holder.up) holder.down()
        else holder.back()
      },
    ],
    [
      3,
      async () => {
        const person = pick(running())
        if (person.disk.full) return
        await person.app.markRead(pick(people.filter((other) => other !== person)).address, {})
      },
    ],
    [
      2,
      async () => {
        const person = pick(running())
        if (person.disk.full) return
        await person.disk.database.clear(bucketRange('sessions'))
        await person.kill()
        await start(person)
      },
    ],
  ]
  const total = acts.reduce((sum, [weight]) => sum + weight, 0)
  for (let step = 0; step < STEPS; step++) {
    let at = below(total)
    const act = acts.find(([weight]) => (at -= weight) < 0)
    await act?.[1]()
  }

  Object.assign(world.weather, { loss: 0, duplicate: 0, delay: 0 })
  world.blocked.clear()
  for (const holder of world.holders) if (!holder.up) holder.back()
  for (const person of off) await start(person)
  for (const person of people) {
    person.disk.full = false
    person.online()
  }
  const settled = async (): Promise<boolean> => {
    for (const { from, id } of said) if (RANK[await from.status(id)] < RANK.delivered) return false
    return true
  }
  for (let hour = 0; hour < 30 && !(await settled()); hour++) {
    await world.clock.pass(30_000)
    if (await settled()) break
    await world.clock.sleep(3_600_000)
  }
  for (const { from, to, id } of said) {
    assert.ok(RANK[await from.status(id)] >= RANK.delivered, `${from.name} to ${to.name}: ${await from.status(id)}`)
  }
  for (const from of people) {
    for (const to of people.filter((person) => person !== from)) {
      const expected = said.filter((each) => each.from === from && each.to === to).map(({ text }) => text)
      assert.deepEqual([...(await to.read(from))].sort(), [...expected].sort(), `${from.name} to ${to.name}`)
    }
    assert.equal(from.rooms.outbox.queue.waiting, 0)
    await holdsOrder(from)
  }
})

/** Events are gapless, and no message's status ever goes back. */
async function holdsOrder(person: Person): Promise<void> {
  const { events, last } = await person.app.eventsSince(0, 1_000)
  assert.deepEqual(
    events.map(({ number }) => number),
    Array.from({ length: last }, (_, i) => i + 1),
  )
  const ranks = new Map<string, number>()
  for (const { type, data } of events) {
    const status = type.split(':')[1] as keyof typeof RANK
    const { id } = data as { id?: string }
    if (!type.startsWith('message:') || id === undefined || !(status in RANK)) continue
    assert.ok((ranks.get(id) ?? 0) <= RANK[status], `${person.name}: ${status} after ${ranks.get(id)}`)
    ranks.set(id, RANK[status])
  }
}
