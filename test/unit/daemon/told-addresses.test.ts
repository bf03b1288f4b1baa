import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldAddresses } from '../../../src/daemon/told-addresses.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'

const MONTH_MS = 30 * 24 * 60 * MINUTE_MS

function telling(told = '') {
  const clock = new VirtualClock()
  const state = { addresses: [] as string[], told, rounds: [] as { at: number; all: boolean }[] }
  const startMs = clock.now()
  const part = new ToldAddresses({
    clock,
    log: silentLogger,
    addresses: () => state.addresses,
    told: async () => state.told,
    note: async (addresses) => void (state.told = addresses),
    refreshGrants: async (before) =>
      void state.rounds.push({ at: clock.now() - startMs, all: before > clock.now() - MONTH_MS }),
  })
  /** In steps: what promises have to do is done between them. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left >= 0; left -= 1_000) await clock.advance(Math.min(left, 1_000))
  }
  const now = (...addresses: string[]): void => {
    state.addresses = addresses
    part.changed()
  }
  return { pass, state, part, now }
}

test('NA-02 contacts hear within seconds when nothing that they know leads here any more', async () => {
  const { pass, state, now } = telling('old-a old-b')
  await pass(0)
  now('relay-1')
  await pass(1_000)
  now('relay-1', 'relay-2')
  await pass(10_000)
  assert.deepEqual(
    state.rounds.map(({ all }) => all),
    [true],
    'once for both',
  )
  assert.equal(state.told, 'relay-1 relay-2')
  now('relay-2', 'relay-1')
  await pass(60 * MINUTE_MS)
  assert.equal(state.rounds.length, 1, 'another order is no other place')
})

test('NA-02 one relay for another is told later, unless the last that they know goes, too', async () => {
  const { pass, state, now } = telling('relay-1 relay-2')
  await pass(0)
  now('relay-1', 'relay-3')
  await pass(5 * MINUTE_MS)
  assert.equal(state.rounds.length, 0)
  await pass(6 * MINUTE_MS)
  assert.equal(state.told, 'relay-1 relay-3')
  now('relay-3', 'relay-4')
  await pass(MINUTE_MS)
  now('relay-4', 'relay-5')
  await pass(10_000)
  assert.equal(state.told, 'relay-4 relay-5')
})

test('a daemon that starts, or has no line, does not tell its contacts that it is nowhere; one that stays so does', async () => {
  const { pass, state, part, now } = telling('home')
  await part.round()
  assert.deepEqual([state.told, state.rounds.at(-1)?.all], ['home', false])
  now()
  await pass(MINUTE_MS)
  assert.equal(state.told, 'home')
  now('home')
  await pass(15 * MINUTE_MS)
  assert.equal(state.rounds.length, 1, 'nothing new')
  now()
  await pass(11 * MINUTE_MS)
  await part.round()
  assert.equal(state.told, '')
})

test('AS-08 NA-02 a relay that comes and goes has contacts told a few times an hour, not every few seconds', async () => {
  const { pass, state, now } = telling('old')
  await pass(0)
  for (let at = 0; at < 3 * 60; at++) {
    now(`relay-${at}`)
    await pass(20_000)
  }
  assert.ok(state.rounds.length >= 5 && state.rounds.length <= 10, `${state.rounds.length} times in an hour`)
  const gaps = state.rounds.map(({ at }, index) => at - (state.rounds[index - 1]?.at ?? 0))
  assert.ok((gaps[1] ?? 0) >= MINUTE_MS && (gaps[1] ?? 0) < 2 * MINUTE_MS, 'the first change is told soon')
  await pass(45 * MINUTE_MS)
  const before = state.rounds.length
  now('elsewhere')
  await pass(10_000)
  assert.equal(state.rounds.length, before + 1, 'after a quiet time it is urgent again')
})

test('after the stop nobody is told anything', async () => {
  const { pass, state, part, now } = telling('old')
  await pass(0)
  now('new')
  await pass(0)
  await part.stop()
  await pass(MINUTE_MS)
  assert.equal(state.rounds.length, 0)
})
