import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { Circuits } from '../../../src/net/reach/circuits.ts'
import { FairRate } from '../../../src/net/reach/fair-rate.ts'
import { HOP_STATUS, hopStatus } from '../../../src/net/reach/hop.ts'
import { Inbound } from '../../../src/net/reach/inbound.ts'
import { OwnAddresses } from '../../../src/net/reach/own-addresses.ts'
import { judge } from '../../../src/net/reach/reachability.ts'
import { RelayKeeper } from '../../../src/net/reach/relay-keeper.ts'
import { fromMultihash, multihashOfPeerId } from '../../../src/net/peer-id.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

const MINUTE_MS = 60_000
const PEER = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'

test('NA-02 behind a NAT is who is connected to public peers and has no address that others dialled', () => {
  const unknown = { verified: false, connectedMs: undefined, candidates: 'none', before: 'unknown' } as const
  assert.equal(judge(unknown), 'unknown')
  assert.equal(judge({ ...unknown, verified: true }), 'public')
  assert.equal(judge({ ...unknown, connectedMs: 1_000 }), 'unknown', 'observers have had no time yet')
  assert.equal(judge({ ...unknown, connectedMs: 5_000 }), 'behind-nat')
  assert.equal(judge({ ...unknown, connectedMs: 5_000, candidates: 'open' }), 'unknown', 'somebody may still dial it')
  assert.equal(judge({ ...unknown, connectedMs: 5_000, candidates: 'failed' }), 'behind-nat')
  assert.equal(judge({ ...unknown, connectedMs: MINUTE_MS, candidates: 'open' }), 'behind-nat', 'nobody answers')
  assert.equal(judge({ ...unknown, before: 'behind-nat' }), 'behind-nat', 'without a line nothing is learnt')
  assert.equal(judge({ ...unknown, before: 'public' }), 'unknown', 'its addresses are gone')
})

function addresses(
  announced: readonly string[] = [],
  listed: string[] = [],
): { own: OwnAddresses; clock: VirtualClock } {
  const clock = new VirtualClock()
  const own = new OwnAddresses({
    clock,
    rng: seededRng(1),
    announced,
    listed: () => listed.map((text) => multiaddr(text)),
    ports: () => [4001],
  })
  own.refresh()
  return { own, clock }
}

test('NA-02 an address counts when somebody dialled it, is asked about again, and goes after two rounds in vain', async () => {
  const listed = ['/ip4/8.8.4.4/tcp/4001', '/ip4/192.168.1.4/tcp/4001', '/ip4/127.0.0.1/tcp/4001']
  const { own, clock } = addresses([], listed)
  assert.deepEqual(
    own.due().map(({ address }) => address),
    ['/ip4/8.8.4.4/tcp/4001'],
    'private ones are nobody’s',
  )
  own.confirm(multiaddr('/ip4/9.9.9.9/tcp/4001'))
  assert.deepEqual(own.verified(), [], 'another address proves nothing')
  own.confirm(multiaddr(`/ip4/8.8.4.4/tcp/4001/p2p/${PEER}`))
  assert.deepEqual(own.verified(), ['/ip4/8.8.4.4/tcp/4001'])
  assert.deepEqual(own.due(), [])
  await clock.advance(31 * MINUTE_MS)
  const [again = assert.fail()] = own.due()
  own.failed(again)
  assert.equal(own.verified().length, 1, 'one bad round is no proof of the contrary')
  await clock.advance(2 * MINUTE_MS)
  own.failed(again)
  assert.deepEqual(own.verified(), [])
  listed.length = 0
  assert.ok(own.refresh())
  assert.deepEqual(own.all(), [])
})

test('NA-02 the address of the router with our port is guessed when observers of two networks agree, and never over an announced one', () => {
  const { own } = addresses()
  own.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  own.observe('11.0.0.9', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  own.refresh()
  assert.deepEqual(own.all(), [], 'one network is one voice')
  own.observe('192.168.1.1', multiaddr('/ip4/66.6.6.6/tcp/1'))
  own.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/1111'))
  own.refresh()
  assert.deepEqual(
    own.all().map(({ address, source }) => [address, source]),
    [['/ip4/21.0.0.2/tcp/4001', 'guessed']],
  )
  own.forget()
  own.refresh()
  assert.deepEqual(own.all(), [])
  own.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  own.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/1111'))
  own.refresh()
  own.confirm(multiaddr('/ip4/21.0.0.2/tcp/4001'))
  own.forget()
  own.refresh()
  assert.deepEqual(
    own.due().map(({ verified }) => verified),
    [true],
    'a right guess stays, and is asked about again',
  )

  const { own: said } = addresses(['/ip4/21.0.0.7/tcp/443', '/dns4/example.org/tcp/443', '/ip4/10.0.0.1/tcp/1'])
  said.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  said.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  said.refresh()
  assert.deepEqual(
    said.all().map(({ address }) => address),
    ['/ip4/21.0.0.7/tcp/443'],
  )
})

test('NA-02 strangers of other networks who got in prove something, peers we punched through to do not', async () => {
  const clock = new VirtualClock()
  const inbound = new Inbound(clock)
  const from = (text: string, direction: 'inbound' | 'outbound' = 'inbound') => ({
    direction,
    remoteAddr: multiaddr(text),
  })
  inbound.note(from('/ip4/21.0.0.2/tcp/5000'), false)
  inbound.note(from('/ip4/21.0.77.3/tcp/5000'), false)
  assert.equal(inbound.networks('ip4'), 1, 'neighbours of one network')
  inbound.note(from('/ip4/22.0.0.2/tcp/5000'), true)
  inbound.note(from('/ip4/23.0.0.2/tcp/5000', 'outbound'), false)
  inbound.note(from('/ip4/192.168.1.9/tcp/5000'), false)
  inbound.note(from(`/ip4/24.0.0.2/tcp/5000/p2p/${PEER}/p2p-circuit`), false)
  assert.equal(inbound.networks('ip4'), 1)
  inbound.note(from('/ip6/2a00:1450:4001::5/tcp/5000'), false)
  assert.equal(inbound.networks('ip6'), 1)
  await clock.advance(31 * MINUTE_MS)
  assert.equal(inbound.networks('ip4') + inbound.networks('ip6'), 0)
})

test('OP-16 circuits are bounded, over all and for either end', () => {
  const circuits = new Circuits({ circuitsMax: 3, circuitsPerPeerMax: 2 })
  let cuts = 0
  const take = (a: string, b: string) => circuits.take(a, b, () => void cuts++)
  const first = take('a', 'x')
  assert.ok(take('a', 'y'))
  assert.equal(take('a', 'z'), undefined, 'the third from one peer')
  assert.ok(take('b', 'x'))
  assert.equal(take('c', 'z'), undefined, 'the fourth of all')
  first?.end()
  assert.equal(take('c', 'x') === undefined, false)
  assert.equal(circuits.size, 3)
  circuits.cutAll()
  assert.equal(cuts, 3)
})

test('OP-16 a relay’s bytes are shared: who wants much waits longer than who wants little', async () => {
  const clock = new VirtualClock()
  const rate = new FairRate(1_000, clock)
  const done: string[] = []
  const want = (key: string, bytes: number): void => void rate.take(key, bytes).then(() => done.push(key))
  for (let at = 0; at < 40; at++) want('greedy', 250)
  await clock.advance(1_000)
  const before = done.length
  for (let at = 0; at < 4; at++) want('modest', 250)
  await clock.advance(2_000)
  const since = done.slice(before)
  assert.equal(since.filter((key) => key === 'modest').length, 4, 'not behind the forty of the other')
  assert.ok(since.length <= 9, `${since.length} of 250 bytes in 2 s at 1,000 bytes a second`)
  await clock.advance(20_000)
  assert.equal(done.length, 44)
})

test('OP-16 no order of demands makes a relay’s rate larger', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 900 })), { maxLength: 40 }),
      async (wants) => {
        const clock = new VirtualClock()
        const rate = new FairRate(1_000, clock)
        let passed = 0
        for (const [key, bytes] of wants) void rate.take(String(key), bytes).then(() => (passed += bytes))
        await clock.advance(3_000)
        assert.ok(passed <= 3_000 + 250 + 900, `${passed}`)
        await clock.advance(60_000)
        assert.equal(
          passed,
          wants.reduce((sum, [, bytes]) => sum + bytes, 0),
        )
      },
    ),
    { numRuns: 15 },
  )
})

test('the status message of a relay is what the specification says', () => {
  assert.deepEqual([...hopStatus(HOP_STATUS.noReservation)], [0x08, 2, 0x28, 0xcc, 0x01])
  const limited = hopStatus(HOP_STATUS.ok, { circuitBytesMax: 300, circuitMs: 120_000 })
  assert.deepEqual([...limited], [0x08, 2, 0x22, 5, 0x08, 120, 0x10, 0xac, 0x02, 0x28, 100])
})

test('a multihash is a peer id only where it holds an Ed25519 key', () => {
  const id = PEER
  const bytes = multihashOfPeerId(id) ?? assert.fail()
  assert.equal(fromMultihash(bytes)?.toString(), id)
  for (const bad of [
    undefined,
    bytes.subarray(1),
    Uint8Array.from([0x12, 0x20, ...bytes.subarray(2)]),
    bytes.map(() => 0),
  ]) {
    assert.equal(fromMultihash(bad), undefined)
  }
})

/** A keeper among relays of our making. */
function keeping(options: { readonly diversity?: boolean } = {}) {
  const clock = new VirtualClock()
  const places = new Map<string, number>()
  const asked: string[] = []
  const state = { refuses: new Set<string>(), walks: 0, changes: 0 }
  const keeper: RelayKeeper = new RelayKeeper({
    clock,
    rng: seededRng(7),
    log: silentLogger,
    diversity: options.diversity ?? true,
    discover: async () => void state.walks++,
    reserve: async ({ id, addresses: [address = ''] }) => {
      asked.push(id)
      if (state.refuses.has(id)) throw new Error('full')
      const expiresAt = clock.now() + 60 * MINUTE_MS
      places.set(id, expiresAt)
      return { address: `${address}/p2p/${id}`, expiresAt }
    },
    expiresAt: (id) => places.get(id),
    onChange: () => void state.changes++,
  })
  /** In steps: what promises have to do is done between them. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left >= 0; left -= 500) await clock.advance(Math.min(left, 500))
  }
  const ids = (): string[] => keeper.places().map(({ record }) => record.id)
  return { keeper, clock, places, asked, state, ids, pass }
}

const relay = (at: number, ip = `${20 + at}.0.0.2`): PeerRecord => ({
  id: `relay${at}`,
  addresses: [`/ip4/${ip}/tcp/4001`],
})

test('OP-09 NA-02 two relays of different networks are kept, at random among those known', async () => {
  const { keeper, pass, ids, state } = keeping()
  for (const at of [1, 2, 3]) keeper.met(relay(at, `20.0.0.${at}`))
  keeper.met(relay(4, '30.0.0.1'))
  keeper.start()
  await pass(10_000)
  assert.equal(ids().length, 2)
  assert.ok(ids().includes('relay4'), 'three of one network count as one')
  assert.ok(state.walks > 0, 'few are known: others are looked for first')
  await keeper.stop()
  assert.deepEqual(ids(), [])

  const chosen = new Set<string>()
  for (let run = 0; run < 12; run++) {
    const other = keeping()
    await other.pass(run)
    for (let at = 0; at < 12; at++) other.keeper.met(relay((at + run * 5) % 12))
    other.keeper.start()
    await other.pass(5_000)
    for (const id of other.ids()) chosen.add(id)
    await other.keeper.stop()
  }
  assert.ok(chosen.size > 4, `${chosen.size} of 12 relays were ever chosen`)
})

test('NA-02 where all relays stand in one network two of it are better than one', async () => {
  const { keeper, pass, ids } = keeping()
  for (const at of [1, 2]) keeper.met(relay(at, `20.0.0.${at}`))
  keeper.start()
  await pass(10_000)
  assert.equal(ids().length, 2)
  await keeper.stop()
})

test('NA-02 a place that is lost, runs out or is given up by its relay is replaced at once', async () => {
  const { keeper, clock, pass, ids, places } = keeping()
  for (const at of [1, 2, 3, 4]) keeper.met(relay(at))
  keeper.start()
  await pass(5_000)
  const [first = '', second = ''] = ids()
  places.delete(first)
  keeper.lost(first)
  assert.deepEqual(ids(), [second])
  await pass(100)
  assert.equal(ids().length, 2)
  assert.ok(!ids().includes(first), 'others are tried before it')
  assert.equal(keeper.unmet(second), true)
  await pass(100)
  assert.equal(ids().length, 2)
  assert.ok(!ids().includes(second))
  const [third = ''] = ids()
  places.set(third, clock.now() - 1)
  await pass(2 * MINUTE_MS)
  assert.equal(ids().length, 2)
  await keeper.stop()
})

test('NA-02 the only relay is asked again after its restart, and who refuses is asked less and less', async () => {
  const { keeper, pass, ids, places, state, asked } = keeping()
  keeper.met(relay(1))
  keeper.start()
  await pass(3_000)
  assert.deepEqual(ids(), ['relay1'])
  places.delete('relay1')
  keeper.lost('relay1')
  state.refuses.add('relay1')
  keeper.unmet('relay1')
  await pass(20_000)
  keeper.met(relay(1)) // it is back, and full
  await pass(10 * MINUTE_MS)
  const tries = asked.length
  assert.ok(tries > 4 && tries < 16, `${tries} tries in ten minutes`)
  state.refuses.clear()
  await pass(12 * MINUTE_MS)
  assert.deepEqual(ids(), ['relay1'])
  await keeper.stop()
})
