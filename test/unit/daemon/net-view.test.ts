import assert from 'node:assert/strict'
import { test } from 'node:test'
import { netView } from '../../../src/daemon/net-view.ts'
import type { NetFacts } from '../../../src/daemon/net-view.ts'
import type { ReachStatus } from '../../../src/net/reach/reachability.ts'

const status: ReachStatus = {
  reachability: 'behind-nat',
  verified: [],
  unproved: [],
  mapping: 'endpoint-independent',
  observed: '/ip4/21.0.0.2/tcp/34787',
  relays: [
    { peerId: 'one', expiresAt: 1_800_000_000_000 },
    { peerId: 'two', expiresAt: 1_800_000_000_000 },
  ],
  serves: { relay: false, reservations: 0, circuits: 0 },
}
const facts: NetFacts = {
  status,
  role: 'peer',
  addresses: ['/ip4/11.0.0.2/tcp/1/p2p/one/p2p-circuit/p2p/self'],
  listening: ['/ip4/127.0.0.1/tcp/4001/p2p/self', '/ip4/192.168.1.4/tcp/4001/p2p/self'],
  peers: [
    { id: 'one', address: '/ip4/11.0.0.2/tcp/1', holder: true },
    { id: 'bob', address: '/ip4/11.0.0.2/tcp/1/p2p/one/p2p-circuit/p2p/bob', holder: false },
    { id: 'bob', address: '/ip4/22.0.0.2/tcp/1', holder: false },
  ],
  holding: false,
  nextDoor: false,
}
const hints = (change: Partial<NetFacts>, reach: Partial<ReachStatus> = {}): string =>
  netView({ ...facts, ...change, status: { ...status, ...reach } }).hints.join('\n')

test('NA-02 net check says what is the matter, and what to forward', () => {
  const view = netView(facts)
  assert.match(view.summary, /Nobody can dial this machine.*2 relays carry connections here/)
  assert.deepEqual(view.peers, { connected: 2, holders: 1, relayed: 1 })
  assert.deepEqual(view.serves, { holder: false, relay: false, reservations: 0, circuits: 0 })
  assert.equal(view.hints.length, 1)
  assert.match(hints({}), /Forward TCP port 4001 .*--announce \/ip4\/21\.0\.0\.2\/tcp\/<port>/)
  assert.match(hints({}, { observed: undefined }), /your public address/)
})

test('NA-02 each hindrance has its hint, and who is reached needs none', () => {
  assert.match(hints({}, { mapping: 'per-destination' }), /over relays only/)
  assert.match(hints({}, { relays: [] }), /Fewer than two relays/)
  assert.match(hints({}, { unproved: ['/ip4/8.8.4.4/tcp/4001'] }), /open TCP port 4001 in the firewall/)
  assert.match(hints({ listening: [] }), /listens nowhere/)
  assert.match(hints({ peers: [] }), /bootstrap/)
  const reached = { reachability: 'public', verified: ['/ip4/8.8.4.4/tcp/4001'] } as const
  assert.equal(hints({}, reached), '')
  assert.match(
    netView({ ...facts, status: { ...status, ...reached } }).summary,
    /Others dial this machine: \/ip4\/8\.8\.4\.4/,
  )
  const next = netView({ ...facts, nextDoor: true, status: { ...status, reachability: 'public' } })
  assert.match(next.summary, /everybody dials everybody/)
  assert.match(netView({ ...facts, peers: [], status: { ...status, reachability: 'unknown' } }).summary, /No peer/)
})
