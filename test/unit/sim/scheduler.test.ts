import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dice, ProcessClock, Scheduler } from '../../sim/scheduler.ts'

test('TE-01 events run in the order of their times, and ties in the order of their asking', async () => {
  const scheduler = new Scheduler(1_000)
  const dice = new Dice(7)
  const times = Array.from({ length: 500 }, () => 1_000 + dice.below(50))
  const ran: string[] = []
  for (const [i, time] of times.entries()) scheduler.at(time, () => ran.push(`${time} ${i}`))
  const calledOff = scheduler.at(1_010, () => ran.push('never'))
  calledOff()
  assert.equal(await scheduler.run(2_000), false)
  const expected = times.map((time, i) => ({ time, i })).sort((a, b) => a.time - b.time || a.i - b.i)
  assert.deepEqual(
    ran,
    expected.map(({ time, i }) => `${time} ${i}`),
  )
  assert.equal(scheduler.now(), 2_000)
})

test('TE-01 whatever waits only for promises runs before the next event', async () => {
  const scheduler = new Scheduler(0)
  const ran: string[] = []
  scheduler.at(1, () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      ran.push('the tail of the first')
    })()
  })
  scheduler.at(1, () => ran.push('the second'))
  await scheduler.run(10)
  assert.deepEqual(ran, ['the tail of the first', 'the second'])
})

test('TE-01 a run ends when it is told to, and what throws ends it', async () => {
  const scheduler = new Scheduler(0)
  let count = 0
  for (let i = 1; i <= 10; i++) scheduler.at(i, () => count++)
  assert.equal(await scheduler.run(100, () => count === 4), true)
  assert.equal(scheduler.now(), 4)
  scheduler.at(5, () => {
    throw new Error('a bug')
  })
  await assert.rejects(scheduler.run(100), /a bug/)
})

test('TE-01 the timers of a process that died do not fire, and its clock may be wrong', async () => {
  const scheduler = new Scheduler(10_000)
  const clock = new ProcessClock(scheduler, () => -4_000)
  let fired = 0
  clock.after(5, () => fired++)
  clock.after(50, () => fired++)
  assert.equal(clock.now(), 6_000)
  await scheduler.run(10_020)
  clock.dead = true
  await scheduler.run(10_100)
  assert.equal(fired, 1)
})

test('the dice of one seed are the same, of another not, and even', () => {
  const throws = (seed: number): number[] => {
    const dice = new Dice(seed)
    return Array.from({ length: 2_000 }, () => dice.unit())
  }
  assert.deepEqual(throws(3), throws(3))
  assert.notDeepEqual(throws(3), throws(4))
  const mean = throws(5).reduce((sum, each) => sum + each, 0) / 2_000
  assert.ok(Math.abs(mean - 0.5) < 0.03, `seed 5: ${mean}`)
})
