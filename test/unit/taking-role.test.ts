import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/lib/clock.ts'
import { LOCAL, MAIN } from '../../src/lib/network-profile.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { MINUTE_MS } from '../../src/lib/time.ts'
import type { Reachability } from '../../src/net/reach/reachability.ts'
import { takingRole } from '../../src/taking-role.ts'

function role(profile = { ...MAIN, holderUptimeMs: 10 * MINUTE_MS }, first: Reachability = 'unknown') {
  const clock = new VirtualClock()
  const listeners = new Set<() => void>()
  const done: string[] = []
  const state = { reach: first, puzzles: 0, failing: 0, slow: Promise.resolve() }
  const change = async (what: string): Promise<void> => {
    await state.slow
    if (state.failing-- > 0) throw new Error('the disk is full')
    done.push(what)
  }
  const part = takingRole({
    profile,
    clock,
    log: silentLogger,
    reach: {
      now: () => state.reach,
      onChange: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    puzzle: async () => {
      state.puzzles++
      if (state.failing-- > 0) throw new Error('the disk is full')
      return new Uint8Array(16)
    },
    take: async () => change('take'),
    putDown: async () => change('put down'),
  })
  const become = async (reach: Reachability): Promise<void> => {
    state.reach = reach
    for (const listener of listeners) listener()
    await clock.advance(1)
  }
  return { part, clock, done, state, become, listeners }
}

test('MB-20 NA-02 mail is held only while others can dial us', async () => {
  const { part, clock, done, state, become, listeners } = role()
  await part.start()
  await clock.advance(30 * MINUTE_MS)
  assert.deepEqual([done, state.puzzles], [[], 0], 'nobody works for a role that he cannot fill')
  await become('public')
  assert.deepEqual(done, ['take'])
  await become('behind-nat')
  assert.deepEqual(done, ['take', 'put down'])
  await become('public')
  assert.deepEqual([done, state.puzzles], [['take', 'put down', 'take'], 1], 'paid once')
  await part.stop()
  assert.equal(listeners.size, 0)
})

test('MB-20 a moment of doubt costs nobody the role, a minute of it does', async () => {
  const { part, clock, done, become } = role()
  await part.start()
  await become('public')
  await clock.advance(11 * MINUTE_MS)
  await become('unknown')
  await clock.advance(30_000)
  await become('public')
  await clock.advance(5 * MINUTE_MS)
  assert.deepEqual(done, ['take'])
  await become('unknown')
  await clock.advance(2 * MINUTE_MS)
  assert.deepEqual(done, ['take', 'put down'])
  await part.stop()
})

test('MB-20 who is found behind a NAT while waiting for the time does not take the role on', async () => {
  const { part, clock, done, become } = role()
  await part.start()
  await become('public')
  await become('behind-nat')
  await clock.advance(20 * MINUTE_MS)
  assert.deepEqual(done, [])
  await become('public')
  assert.deepEqual(done, ['take'])
  await part.stop()
})

test('MB-20 where private addresses are dialled the role is there after the start, and goes where nothing is listened on', async () => {
  const { part, done, become } = role(LOCAL)
  await part.start()
  assert.deepEqual(done, ['take'])
  await become('public')
  assert.deepEqual(done, ['take'])
  await become('behind-nat')
  assert.deepEqual(done, ['take', 'put down'])
  await part.stop()
})

test('MB-20 what failed is tried again, though nothing changes: the puzzle, taking the role on, putting it down', async () => {
  const { part, clock, done, state, become } = role()
  await part.start()
  await clock.advance(11 * MINUTE_MS)
  state.failing = 3
  await become('public')
  assert.deepEqual(done, [])
  await clock.advance(MINUTE_MS)
  assert.deepEqual([done, state.puzzles], [['take'], 4])
  state.failing = 12
  await become('behind-nat')
  await clock.advance(20 * MINUTE_MS)
  assert.ok(state.failing > 3 && state.failing < 8, 'less and less often')
  state.failing = 0
  await clock.advance(11 * MINUTE_MS)
  assert.deepEqual(done, ['take', 'put down'])
  state.failing = 2
  await become('public')
  await clock.advance(MINUTE_MS)
  assert.deepEqual(done, ['take', 'put down', 'take'])
  await part.stop()
})

test('MB-20 a change that broke off half-way is made whole when others reach us again', async () => {
  const { part, clock, done, state, become } = role()
  await part.start()
  await clock.advance(11 * MINUTE_MS)
  await become('public')
  state.failing = 1
  await become('behind-nat')
  await become('public')
  assert.deepEqual(done, ['take', 'take'])
  await part.stop()
})

test('MB-20 news that it is still not clear puts nothing off', async () => {
  const { part, clock, done, become } = role()
  await part.start()
  await clock.advance(11 * MINUTE_MS)
  await become('public')
  for (let at = 0; at < 13; at++) {
    await become('unknown')
    await clock.advance(5_000)
  }
  assert.deepEqual(done, ['take', 'put down'])
  await part.stop()
})

test('SE-07 the stop waits for a change under way, and no other follows', async () => {
  const { part, clock, done, state, become } = role()
  await part.start()
  await clock.advance(11 * MINUTE_MS)
  const { promise, resolve } = Promise.withResolvers<void>()
  state.slow = promise
  await become('public')
  await become('behind-nat')
  let stopped = false
  const stopping = Promise.resolve(part.stop()).then(() => (stopped = true))
  await clock.advance(1_000)
  assert.equal(stopped, false)
  resolve()
  await stopping
  await clock.advance(30 * MINUTE_MS)
  assert.deepEqual(done, ['take'])
})
