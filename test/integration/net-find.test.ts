import { test } from 'node:test'
import assert from 'node:assert/strict'
import { nativeProvider } from '../../src/crypto/native.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { compareDistance } from '../../src/protocol/replicas.ts'
import { positions } from '../../src/net/peer-id.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { newHost, soon, until } from '../unit/net/hosts.ts'

const HOSTS = 12
const SEED = 7
const JOIN_MS = 120_000
const positionOf = positions((bytes) => nativeProvider.sha256(bytes))
const place = (id: string): Uint8Array => positionOf(id) ?? assert.fail(id)
const names = (records: readonly PeerRecord[]): string[] => records.map((record) => record.id)

test('twelve hosts that know only the first find the true nearest; after half of them left, the rest still do', async (t) => {
  const first = await newHost(t)
  const hosts = [first]
  while (hosts.length < HOSTS) {
    const host = await newHost(t, { bootstrap: first.addresses() })
    await until(() => host.routing.known(new Uint8Array(32), 1).length > 0)
    hosts.push(host)
  }
  await until(() => hosts.every((host) => host.routing.known(new Uint8Array(32), 20).length === HOSTS - 1), JOIN_MS)
  const rng = seededRng(SEED)
  const expected = (from: string, target: Uint8Array): string[] =>
    hosts
      .map((host) => host.peerId)
      .filter((id) => id !== from)
      .sort((a, b) => compareDistance(target, place(a), place(b)))

  for (const asker of hosts.slice(0, 4)) {
    const target = rng.bytes(32)
    const found = names(await asker.routing.closest(target, 5, soon()))
    assert.deepEqual(found, expected(asker.peerId, target).slice(0, 5), `seed ${SEED}`)
    assert.deepEqual(names(asker.routing.known(target, 5)), found)
  }

  const gone = hosts.splice(0, HOSTS / 2) // the bootstrap host among them
  await Promise.all(gone.map(async (host) => host.stop()))
  for (const asker of hosts) {
    const target = rng.bytes(32)
    const found = names(await asker.routing.closest(target, 20, soon()))
    assert.deepEqual(found, expected(asker.peerId, target), `seed ${SEED}`)
  }
  const target = rng.bytes(32)
  const late = await newHost(t, { bootstrap: hosts[0]?.addresses() ?? [] })
  await until(() => late.routing.known(target, 20).length === hosts.length, JOIN_MS)
  assert.deepEqual(names(await late.routing.closest(target, 20, soon())), expected(late.peerId, target))
})
