import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOCAL, MAIN, NETWORK_PROFILES } from '../../../src/lib/network-profile.ts'
import { DAY_MS } from '../../../src/lib/time.ts'

test('the profiles go by their names, which fit a protocol id, and cannot be changed', () => {
  assert.deepEqual(Object.keys(NETWORK_PROFILES).sort(), ['local', 'main'])
  for (const [name, profile] of Object.entries(NETWORK_PROFILES)) {
    assert.equal(profile.name, name)
    assert.match(profile.name, /^[a-z0-9-]{1,32}$/)
    assert.ok(Object.isFrozen(profile) && Object.isFrozen(profile.bootstrap))
  }
})

test('the main network keeps the figures of the design', () => {
  assert.equal(MAIN.epochMs, 7 * DAY_MS)
  assert.equal(MAIN.repairIntervalMs, DAY_MS / 24)
  assert.equal(MAIN.stampBits, 10)
  assert.equal(MAIN.collectIntervalMs, 15 * 60_000)
  assert.ok(MAIN.diversity && !MAIN.privateAddresses && Number.isFinite(MAIN.inboundPerSecond))
})

test('a local network takes every peer of one address at once', () => {
  assert.equal(LOCAL.inboundPerSecond, Number.POSITIVE_INFINITY)
  assert.ok(LOCAL.privateAddresses && LOCAL.holderUptimeMs === 0)
})
