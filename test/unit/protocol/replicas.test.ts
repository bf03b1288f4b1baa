import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { compare, utf8, xor } from '../../../src/lib/bytes.ts'
import {
  byDistance,
  compareDistance,
  diverse,
  nearest,
  placement,
  sourceNetwork,
  ZONE_CANDIDATES,
  ZONE_SIZE,
  zoneOf,
} from '../../../src/protocol/replicas.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const at = (...addresses: string[]): { readonly addresses: readonly string[] } => ({ addresses })

test('MB-31 MB-49 nearness is the XOR of SHA-256 positions', () => {
  fc.assert(
    fc.property(bytes32, bytes32, bytes32, (target, a, b) => {
      const expected = Math.sign(compare(xor(target, a), xor(target, b)))
      assert.equal(Math.sign(compareDistance(target, a, b)), expected)
    }),
  )
  assert.deepEqual(placement(crypto, utf8('a')), crypto.sha256(utf8('a')))
})

test('the nearest come first, and a peer is nearest to its own position', () => {
  fc.assert(
    fc.property(fc.array(bytes32, { minLength: 1, maxLength: 30 }), (positions) => {
      const peers = positions.map((position) => ({ position }))
      const target = positions[0] ?? new Uint8Array(32)
      const ordered = byDistance(target, peers)
      assert.deepEqual(ordered[0]?.position, target)
      for (let i = 1; i < ordered.length; i++) {
        const [before, after] = [ordered[i - 1]?.position, ordered[i]?.position]
        assert.ok(before && after && compareDistance(target, before, after) <= 0)
      }
    }),
  )
})

test('at most two of one IPv4 /16 and one of one /24 stand together', () => {
  const peers = [
    at('/ip4/5.9.1.1/tcp/1'),
    at('/ip4/5.9.1.2/tcp/1'),
    at('/ip4/5.9.2.1/tcp/1'),
    at('/ip4/5.9.3.1/tcp/1'),
    at('/ip4/6.9.3.1/tcp/1'),
  ]
  assert.deepEqual(diverse(peers, 5), [peers[0], peers[2], peers[4]])
})

test('at most one of one IPv6 /48 stands in a zone', () => {
  const peers = [at('/ip6/2a01:4f8:1::1/tcp/1'), at('/ip6/2a01:4f8:1:2::1/tcp/1'), at('/ip6/2a01:4f8:2::1/tcp/1')]
  assert.deepEqual(diverse(peers, 5), [peers[0], peers[2]])
})

test('the diversity rule speaks of public addresses only', () => {
  const hosts = [
    '10.0.0.1',
    '127.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '172.31.255.1',
    '169.254.1.1',
    '100.64.0.1',
    '198.18.0.1',
  ]
  for (const host of hosts) {
    const peers = [at(`/ip4/${host}/tcp/1`), at(`/ip4/${host}/tcp/2`), at(`/ip4/${host}/tcp/3`)]
    assert.equal(diverse(peers, 3).length, 3, host)
  }
  for (const host of ['::1', 'fe80::1', 'fd00::1', '2001:db8::1']) {
    assert.equal(diverse([at(`/ip6/${host}/tcp/1`), at(`/ip6/${host}/tcp/2`)], 3).length, 2, host)
  }
  const relayed = '/ip4/5.9.1.1/tcp/1/p2p/QmRelay/p2p-circuit'
  assert.equal(diverse([at(relayed), at(relayed), at('/dns4/x.example/tcp/1'), at()], 5).length, 4)
})

test('naming many networks does not shut others out', () => {
  const greedy = at(...Array.from({ length: 8 }, (_, i) => `/ip4/${i + 20}.1.1.1/tcp/1`))
  const others = Array.from({ length: 7 }, (_, i) => at(`/ip4/${i + 21}.1.1.2/tcp/1`))
  assert.equal(diverse([greedy, ...others], 20).length, 8)
})

test('a peer counts under both of its public networks', () => {
  const both = at('/ip4/5.9.1.1/tcp/1', '/ip6/2a01:4f8:1::1/tcp/1')
  assert.deepEqual(diverse([both, at('/ip4/5.9.1.9/tcp/1'), at('/ip6/2a01:4f8:1:5::1/tcp/1')], 3), [both])
})

test('where the network is smaller than the zone, the zone is everyone', () => {
  const few = Array.from({ length: 8 }, (_, i) => at(`/ip4/5.9.1.${i}/tcp/1`))
  assert.equal(zoneOf(few).length, 8)
  const many = Array.from({ length: ZONE_CANDIDATES }, (_, i) => at(`/ip4/5.9.1.${i}/tcp/1`))
  assert.equal(zoneOf(many).length, 1)
  const spread = Array.from({ length: ZONE_CANDIDATES }, (_, i) => at(`/ip4/${i + 20}.9.1.1/tcp/1`))
  assert.equal(zoneOf(spread).length, ZONE_SIZE)
})

test('nearest takes the first of each crowded network', () => {
  const position = (n: number): Uint8Array => new Uint8Array(32).fill(n)
  const peers = [3, 1, 2].map((n) => ({ peerId: `p${n}`, position: position(n), addresses: ['/ip4/5.9.1.1/tcp/1'] }))
  assert.deepEqual(
    nearest(position(0), peers, 5).map(({ peerId }) => peerId),
    ['p1'],
  )
})

test('sources are rationed by their public network', () => {
  assert.equal(sourceNetwork('5.9.1.77'), '4/5.9.1')
  assert.equal(sourceNetwork('::ffff:5.9.1.77'), '4/5.9.1')
  assert.equal(sourceNetwork('2a01:4f8:1:2::9'), sourceNetwork('2a01:4f8:1:3::1'))
  for (const local of [
    '127.0.0.1',
    '::ffff:127.0.0.1',
    '10.1.1.1',
    '::1',
    'fe80::1%eth0',
    'nonsense',
    '1.2.3',
    '5.9.1.300',
  ]) {
    assert.equal(sourceNetwork(local), undefined, local)
  }
})
