/** What the owner chose, and the lock that works by it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import { AutoLock } from '../../../src/services/settings/auto-lock.ts'
import {
  changed,
  decodeSettings,
  DEFAULT_SETTINGS,
  encodeSettings,
  SETTING_BOUNDS,
} from '../../../src/services/settings/values.ts'
import type { UserSettings } from '../../../src/services/settings/values.ts'

const number = (name: keyof typeof SETTING_BOUNDS): fc.Arbitrary<number | null> =>
  fc.option(fc.integer(SETTING_BOUNDS[name]), { nil: null })
const settings: fc.Arbitrary<UserSettings> = fc.record({
  readReceipts: fc.boolean(),
  typing: fc.boolean(),
  presence: fc.boolean(),
  retentionDays: number('retentionDays'),
  autoLockMinutes: number('autoLockMinutes'),
  defaultTimerSeconds: number('defaultTimerSeconds'),
})

test('PR-03 PR-05 at first receipts and typing are on, presence is off, and nothing is deleted or locked', () => {
  assert.deepEqual(decodeSettings(undefined), DEFAULT_SETTINGS)
  assert.deepEqual(DEFAULT_SETTINGS, {
    readReceipts: true,
    typing: true,
    presence: false,
    retentionDays: null,
    autoLockMinutes: null,
    defaultTimerSeconds: null,
  })
})

test('settings are kept as they are; whatever is damaged counts as not chosen', () => {
  fc.assert(fc.property(settings, (chosen) => assert.deepEqual(decodeSettings(encodeSettings(chosen)), { ...chosen })))
  fc.assert(
    fc.property(settings, fc.constantFrom(...Object.keys(DEFAULT_SETTINGS)), fc.jsonValue(), (chosen, name, junk) => {
      const read = decodeSettings(JSON.stringify({ ...chosen, [name]: junk, other: junk }))
      assert.deepEqual(decodeSettings(encodeSettings(read)), read)
      assert.deepEqual(Object.keys(read).sort(), Object.keys(DEFAULT_SETTINGS).sort())
      for (const [other, value] of Object.entries(chosen))
        if (other !== name) assert.equal(read[other as keyof UserSettings], value)
    }),
  )
  for (const text of ['', 'null', '[]', '7', '{', '{"presence":"yes"}', '{"retentionDays":0}'])
    assert.deepEqual(decodeSettings(text), DEFAULT_SETTINGS)
})

test('a change takes what it names and refuses numbers out of bounds', () => {
  assert.deepEqual(changed(DEFAULT_SETTINGS, { presence: true, retentionDays: 30 }), {
    ...DEFAULT_SETTINGS,
    presence: true,
    retentionDays: 30,
  })
  for (const [name, { min, max }] of Object.entries(SETTING_BOUNDS))
    for (const bad of [min - 1, max + 1, min + 0.5, Number.NaN])
      assert.throws(() => changed(DEFAULT_SETTINGS, { [name]: bad }), UsageError, `${name} ${bad}`)
})

test('auto-lock: after the chosen time without a request, once; a request begins it anew, a setting counts at once', async () => {
  const clock = new VirtualClock()
  let autoLockMinutes: number | null = null
  let changed = (): void => {}
  let locked = 0
  const lock = new AutoLock({
    settings: {
      current: () => ({ autoLockMinutes }),
      watch: (watcher) => {
        changed = watcher
        return () => {}
      },
    },
    clock,
    lock: () => void locked++,
  })
  lock.start()
  await clock.advance(100_000 * MINUTE_MS)
  assert.equal(locked, 0, 'without the setting it never locks')
  await lock.used()
  autoLockMinutes = 10
  changed()
  await clock.advance(9 * MINUTE_MS)
  await lock.used()
  await clock.advance(9 * MINUTE_MS)
  assert.equal(locked, 0)
  await clock.advance(MINUTE_MS)
  assert.equal(locked, 1)
  await lock.used()
  await clock.advance(100 * MINUTE_MS)
  assert.equal(locked, 1, 'it did what there was to do')
  lock.stop()
  lock.start()
  await clock.advance(5 * MINUTE_MS)
  autoLockMinutes = 4
  changed()
  assert.equal(locked, 2, 'the time is over already')
  lock.stop()
  await clock.advance(100 * MINUTE_MS)
  assert.equal(locked, 2)
})

test('SE-05 auto-lock after a sleep: the first to ask finds the keys sealed; with nobody asking it is seen in 30 s', async () => {
  const clock = new VirtualClock()
  let sleptMs = 0
  const awake = {
    now: () => clock.now() + sleptMs,
    after: (ms: number, action: () => void) => clock.after(ms, action),
  }
  let locked = 0
  const settings = { current: () => ({ autoLockMinutes: 10 }), watch: () => () => {} }
  const lock = new AutoLock({ settings, clock: awake, lock: () => void locked++ })
  lock.start()
  await clock.advance(MINUTE_MS)
  sleptMs += 480 * MINUTE_MS
  await lock.used()
  assert.equal(locked, 1, 'what comes too late puts nothing off')
  lock.stop()
  lock.start()
  await lock.lockIfDue()
  sleptMs += 480 * MINUTE_MS
  await lock.lockIfDue()
  assert.equal(locked, 2, 'reading looks too')
  lock.stop()
  lock.start()
  await clock.advance(MINUTE_MS)
  sleptMs += 480 * MINUTE_MS
  await clock.advance(30_000)
  assert.equal(locked, 3)
  lock.stop()
  lock.start()
  sleptMs -= 480 * MINUTE_MS
  await clock.advance(10 * MINUTE_MS + 30_000)
  assert.equal(locked, 4, 'a clock that is set back gives no more time')
})
