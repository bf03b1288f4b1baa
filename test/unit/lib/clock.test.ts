import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { mock, test } from 'node:test'
import { sleep, systemClock, VirtualClock, withDeadline } from '../../../src/lib/clock.ts'
import { TimeoutError } from '../../../src/lib/errors.ts'
import { DAY_MS } from '../../../src/lib/time.ts'

test('a virtual clock runs timers in order of time, then of setting', async () => {
  const clock = new VirtualClock(1_000)
  const seen: string[] = []
  clock.after(20, () => seen.push(`b@${clock.now()}`))
  clock.after(10, () => {
    seen.push(`a@${clock.now()}`)
    clock.after(5, () => seen.push(`nested@${clock.now()}`))
  })
  clock.after(20, () => seen.push(`c@${clock.now()}`))
  clock.after(21, () => seen.push('later'))
  await clock.advance(20)
  assert.deepEqual(seen, ['a@1010', 'nested@1015', 'b@1020', 'c@1020'])
  assert.equal(clock.now(), 1_020)
})

test('a timer that was called off does not run', async () => {
  const clock = new VirtualClock()
  let ran = false
  const cancel = clock.after(5, () => (ran = true))
  cancel()
  cancel()
  await clock.advance(10)
  assert.equal(ran, false)
})

test('thirty days pass in no time', async () => {
  const clock = new VirtualClock()
  let hours = 0
  const tick = (): void => {
    hours++
    clock.after(3_600_000, tick)
  }
  clock.after(3_600_000, tick)
  await clock.advance(30 * DAY_MS)
  assert.equal(hours, 720)
})

test('sleep resolves in time and rejects with the reason of its signal', async () => {
  const clock = new VirtualClock()
  let done = false
  const slept = sleep(clock, 100).then(() => (done = true))
  await clock.advance(99)
  assert.equal(done, false)
  await clock.advance(1)
  await slept
  const controller = new AbortController()
  const aborted = assert.rejects(sleep(clock, 100, controller.signal), /enough/)
  controller.abort(new Error('enough'))
  await aborted
  await assert.rejects(sleep(clock, 100, AbortSignal.abort(new Error('before'))), /before/)
})

test('a deadline gives its signal in time, or when the outer one is given, and leaves nothing behind', async () => {
  const clock = new VirtualClock()
  const outer = new AbortController()
  const job = async (signal: AbortSignal): Promise<void> => sleep(clock, 1_000, signal)
  const late = assert.rejects(withDeadline(clock, 100, job, outer.signal), TimeoutError)
  await clock.advance(100)
  await late
  const inTime = withDeadline(clock, 2_000, job, outer.signal)
  await clock.advance(1_000)
  await inTime
  assert.deepEqual(getEventListeners(outer.signal, 'abort'), [])
  const calledOff = assert.rejects(withDeadline(clock, 100, job, outer.signal), /enough/)
  outer.abort(new Error('enough'))
  await calledOff
  let began = false
  const never = async (): Promise<void> => void (began = true)
  await assert.rejects(withDeadline(clock, 100, never, outer.signal), /enough/)
  assert.equal(began, false)
})

test('a real timer of more than 24 days neither fires at once nor early', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let fired = 0
    systemClock.after(60 * DAY_MS, () => fired++)
    const cancel = systemClock.after(60 * DAY_MS, () => (fired += 100))
    for (let day = 0; day < 59; day++) mock.timers.tick(DAY_MS)
    assert.equal(fired, 0)
    cancel()
    for (let day = 0; day < 3; day++) mock.timers.tick(DAY_MS)
    assert.equal(fired, 1)
  } finally {
    mock.timers.reset()
  }
})

test('the real clock tells the time and runs timers', async () => {
  const before = Date.now()
  await sleep(systemClock, 2)
  assert.ok(systemClock.now() >= before)
  const cancel = systemClock.after(1, () => assert.fail('called off'))
  cancel()
  await sleep(systemClock, 5)
})
