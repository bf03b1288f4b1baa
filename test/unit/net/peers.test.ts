import { test } from 'node:test'
import assert from 'node:assert/strict'
import { chmod, lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Key } from 'interface-datastore'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { utf8 } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng, systemRng } from '../../../src/lib/rng.ts'
import { addressFor, ipOf, keepAddresses, parseAddress, withoutPeer } from '../../../src/net/addresses.ts'
import { Bootstrap, readBootstrap } from '../../../src/net/join/bootstrap.ts'
import { Keeper } from '../../../src/net/find/keeper.ts'
import { PeerCache, REMEMBERED_PEERS_MAX } from '../../../src/net/join/peer-cache.ts'
import { PeerDatastore } from '../../../src/net/peer-datastore.ts'
import { multihashOfPeerId, parsePeerId, positions, publicKeyOfPeerId } from '../../../src/net/peer-id.ts'
import { loadPeerKey, peerSigner } from '../../../src/net/link/peer-key.ts'
import { recordingLogger } from '../../support/recording-logger.ts'
import { tempDir } from './hosts.ts'

const ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA' // libp2p/specs peer-ids, test vector
const OTHER = '12D3KooWRRqAo5f41sQmc9BpsfqarZgd7PWUiX14Mz1htXDEc7Gp'

/** Time in small steps: a loop arms its next timer only after the promises before it. */
async function pass(clock: VirtualClock, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += 500) await clock.advance(500)
}

test('the key inside a peer id, and only of an Ed25519 id in its one text form', () => {
  assert.equal(publicKeyOfPeerId(ID)?.length, 32)
  assert.equal(multihashOfPeerId(ID)?.length, 38)
  for (const text of [
    '',
    'x',
    `${ID}a`,
    ID.slice(1),
    'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    'z'.repeat(500),
  ]) {
    assert.equal(publicKeyOfPeerId(text), undefined, text)
  }
  const cid = parsePeerId(ID)?.toCID().toString() ?? ''
  assert.equal(publicKeyOfPeerId(cid), undefined, 'the same id as a CID')
})

test('a peer stands at the SHA-256 of its multihash, as in kad-dht', () => {
  const positionOf = positions((bytes) => nativeProvider.sha256(bytes))
  assert.deepEqual(positionOf(ID), nativeProvider.sha256(multihashOfPeerId(ID) ?? new Uint8Array(0)))
  assert.equal(positionOf(ID), positionOf(ID), 'remembered')
  assert.equal(positionOf('nobody'), undefined)
})

test('the peer key is made once, stays, signs as its id says, and is never replaced when damaged', async (t) => {
  const dir = await tempDir(t)
  const file = join(dir, 'deep', 'node.key')
  const first = peerSigner(await loadPeerKey(file, systemRng), nativeProvider)
  const second = peerSigner(await loadPeerKey(file, systemRng), nativeProvider)
  assert.equal(first.peerId, second.peerId)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const message = utf8('receipt')
  const publicKey = publicKeyOfPeerId(first.peerId) ?? new Uint8Array(0)
  assert.ok(nativeProvider.ed25519Verify(publicKey, message, second.sign(message)))
  const whole = await readFile(file)
  await writeFile(file, whole.subarray(0, 20))
  await assert.rejects(loadPeerKey(file, systemRng), { name: 'StorageError' })
  assert.equal((await readFile(file)).length, 20)
})

test('addresses: well formed, of this peer, allowed by the profile, the farthest reaching first', () => {
  const texts = [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/10.1.2.3/tcp/1',
    '/ip4/8.8.8.8/tcp/1',
    `/ip4/8.8.4.4/tcp/1/p2p/${OTHER}`,
    'rubbish',
    `/ip4/8.8.8.8/tcp/1/p2p/${ID}`,
  ]
  const all = keepAddresses(texts, ID, LOCAL)
  assert.deepEqual(all.map(withoutPeer), ['/ip4/8.8.8.8/tcp/1', '/ip4/10.1.2.3/tcp/1', '/ip4/127.0.0.1/tcp/1'])
  assert.deepEqual(keepAddresses(texts, ID, MAIN), [`/ip4/8.8.8.8/tcp/1/p2p/${ID}`])
  const many = Array.from({ length: 50 }, (_, i) => `/ip4/8.8.8.8/tcp/${i + 1}`)
  assert.equal(keepAddresses(many, ID, MAIN).length, 8)
  assert.equal(addressFor(`/ip4/8.8.8.8/tcp/1/p2p/${OTHER}`, ID), undefined)
  assert.equal(parseAddress('/ip4/999.1.1.1/tcp/1'), undefined)
  assert.equal(parseAddress(`/dns4/${'a'.repeat(300)}/tcp/1`), undefined)
})

test('on a public network a name, a relay without an address and what is not understood are not dialled', () => {
  const texts = [
    '/dns4/router.lan/tcp/80',
    '/dns/localhost/tcp/80',
    '/dns6/a.example/tcp/1',
    '/dnsaddr/b.example/tcp/1',
    '/ip4/8.8.8.8/tcp/1/dns4/router.lan/tcp/80',
    `/p2p/${OTHER}/p2p-circuit`,
    '/unix/%2Ftmp%2Fx',
    '/ip6/::ffff:127.0.0.1/tcp/1',
    '/ip6/64:ff9b::7f00:1/tcp/1',
    '/ip6zone/eth0/ip6/fe80::1/tcp/1',
  ]
  for (const text of texts) assert.deepEqual(keepAddresses([text], ID, MAIN), [], text)
  assert.equal(keepAddresses(['/ip6/2600:1:2::1/tcp/1'], ID, MAIN).length, 1)
  assert.equal(keepAddresses(['/dns4/router.lan/tcp/80'], ID, LOCAL).length, 1)
})

test('the IP that a caller came from, and none over a relay', () => {
  const ip = (text: string): string | undefined => ipOf(parseAddress(text) ?? assert.fail())
  assert.equal(ip('/ip4/8.8.8.8/tcp/1'), '8.8.8.8')
  assert.equal(ip('/ip6/2001:db8::1/tcp/1'), '2001:db8::1')
  assert.equal(ip(`/ip4/8.8.8.8/tcp/1/p2p/${ID}/p2p-circuit`), undefined)
})

test('ID-08 bootstrap entries that are no addresses are skipped with a warning', () => {
  const { log, lines } = recordingLogger()
  const entries = [
    `/ip4/8.8.8.8/tcp/1/p2p/${ID}`,
    'http://example.org',
    '',
    '/ip4/8.8.8.8/tcp/1/p2p/nobody',
    '/ip4/1.1.1.1/tcp/7',
    '/dnsaddr/boot.example/tcp/1',
    `/dns4/boot.example/tcp/1/p2p/${ID}`,
  ]
  assert.deepEqual(readBootstrap(entries, log).map(String), [entries[0], entries[4], entries[6]])
  assert.deepEqual(
    lines.map((line) => [line.level, line.fields?.['entry']]),
    [
      ['warn', 2],
      ['warn', 3],
      ['warn', 4],
      ['warn', 6],
    ],
  )
})

test('DT-15 joining is tried for ever, with pauses that grow to at most 24 s, and at once when everybody left', async () => {
  const clock = new VirtualClock()
  const dials: number[] = []
  let connected = 0
  let works = false
  const bootstrap = new Bootstrap({
    entries: [`/ip4/8.8.8.8/tcp/1/p2p/${ID}`],
    clock,
    rng: seededRng(1),
    log: silentLogger,
    cached: () => [{ id: OTHER, addresses: ['/ip4/8.8.4.4/tcp/1'] }],
    invited: () => [],
    connections: () => connected,
    isConnected: () => connected > 0,
    dial: async () => {
      dials.push(clock.now())
      if (!works) throw new Error('nobody there')
      connected = 1
      return ID
    },
    connect: async () => {
      throw new Error('nobody there')
    },
  })
  bootstrap.start()
  await pass(clock, 600_000)
  const pauses = dials.slice(1).map((at, i) => at - (dials[i] ?? 0))
  assert.ok(dials.length > 25, `${dials.length} dials`)
  assert.ok(Math.max(...pauses) <= 24_000)
  works = true
  await pass(clock, 25_000)
  const joined = dials.length
  await pass(clock, 600_000)
  assert.equal(dials.length, joined, 'joined: no more dials')
  connected = 0
  bootstrap.nudge()
  await pass(clock, 500)
  assert.equal(dials.length, joined + 1)
  await bootstrap.stop()
})

test('the keeper connects neighbours again, searches when nudged, and stops', async () => {
  const clock = new VirtualClock()
  const connected = new Set<string>()
  let searches = 0
  const keeper = new Keeper({
    neighbours: 20,
    clock,
    rng: seededRng(2),
    log: silentLogger,
    near: () => [
      { id: ID, addresses: [] },
      { id: OTHER, addresses: [] },
    ],
    searchDue: () => false,
    search: async () => {
      searches++
    },
    isConnected: (peerId) => connected.has(peerId),
    connect: async (peer) => {
      if (peer.id === OTHER) throw new Error('gone')
      connected.add(peer.id)
    },
    protect: async () => {},
    onRound: async () => {},
  })
  keeper.start()
  await pass(clock, 1_000)
  assert.deepEqual([...connected], [ID])
  assert.equal(searches, 1)
  connected.clear()
  await pass(clock, 40_000)
  assert.deepEqual([...connected], [ID])
  keeper.nudge()
  await pass(clock, 1_000)
  assert.equal(searches, 2)
  await keeper.stop()
})

test('fewer neighbours than there should be are looked after sooner; protection is renewed in time or on a change', async () => {
  const clock = new VirtualClock()
  let near = [{ id: ID, addresses: [] as string[] }]
  const rounds: number[] = []
  const protections: (readonly string[])[] = []
  const keeper = new Keeper({
    neighbours: 20,
    clock,
    rng: seededRng(2),
    log: silentLogger,
    near: () => near,
    searchDue: () => false,
    search: async () => {},
    isConnected: () => true,
    connect: async () => {},
    protect: async (peerIds) => void protections.push(peerIds),
    onRound: async () => void rounds.push(clock.now()),
  })
  const start = clock.now()
  const within = (fromMs: number, toMs: number): number =>
    rounds.filter((at) => at - start >= fromMs && at - start < toMs).length
  keeper.start()
  await pass(clock, 120_000)
  assert.ok(
    within(0, 60_000) >= 4 && within(60_000, 120_000) <= 3,
    `rounds after ${rounds.map((at) => at - start).join(', ')} ms`,
  )
  assert.ok(protections.length >= 2 && protections.length <= 3, `${protections.length} times`)
  near = [...near, { id: OTHER, addresses: [] }]
  keeper.nudge()
  await pass(clock, 1_500)
  assert.deepEqual(protections.at(-1), [ID, OTHER])
  const before = rounds.length
  await pass(clock, 20_000)
  assert.ok(rounds.length >= before + 2, 'soon again after a change')
  await keeper.stop()
})

test('the peer cache survives a restart, is bounded, and a damaged one is ignored', async (t) => {
  const file = join(await tempDir(t), 'peers')
  const cache = new PeerCache(file, silentLogger)
  await cache.load()
  for (let i = 0; i < REMEMBERED_PEERS_MAX + 20; i++)
    cache.remember({ id: `peer${i}`, addresses: ['/ip4/8.8.8.8/tcp/1'] })
  cache.remember({ id: 'unreachable', addresses: [] })
  await cache.save()
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const again = new PeerCache(file, silentLogger)
  await again.load()
  assert.equal(again.all().length, REMEMBERED_PEERS_MAX)
  assert.equal(again.all()[0]?.id, `peer${REMEMBERED_PEERS_MAX + 19}`)
  const { log, lines } = recordingLogger()
  await writeFile(file, 'rubbish')
  const damaged = new PeerCache(file, log)
  await damaged.load()
  assert.deepEqual(damaged.all(), [])
  assert.equal(lines[0]?.level, 'warn')
  await chmod(file, 0o600)
})

test('the peer cache is never written through a link', async (t) => {
  const dir = await tempDir(t)
  const [file, victim] = [join(dir, 'peers'), join(dir, 'victim')]
  await writeFile(victim, 'mine')
  await symlink(victim, `${file}.new`)
  const cache = new PeerCache(file, silentLogger)
  cache.remember({ id: ID, addresses: ['/ip4/8.8.8.8/tcp/1'] })
  await cache.save()
  assert.equal(await readFile(victim, 'utf8'), 'mine')
  assert.ok((await lstat(file)).isFile())
})

test('libp2p keeps peers and nothing else, and only so many', async () => {
  const store = new PeerDatastore(3)
  store.put(new Key('/dht/record/x'), Uint8Array.of(1))
  assert.equal(store.has(new Key('/dht/record/x')), false)
  for (const name of ['a', 'b', 'c', 'a', 'd']) store.put(new Key(`/peers/${name}`), Uint8Array.of(1))
  const left = ['a', 'b', 'c', 'd'].filter((name) => store.has(new Key(`/peers/${name}`)) === true)
  assert.deepEqual(left, ['a', 'c', 'd'])
})
