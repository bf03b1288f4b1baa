import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { HOUR_MS } from '../../../../src/lib/time.ts'
import { addressOf, endpointOf } from '../../../../src/net/upgrade/endpoint.ts'
import { ObservedAddresses } from '../../../../src/net/upgrade/observed.ts'
import { SEED } from '../../../support/strict.ts'

const mine = '/ip4/21.0.0.2/tcp/4000'

function watched(): { clock: VirtualClock; observed: ObservedAddresses } {
  const clock = new VirtualClock()
  return { clock, observed: new ObservedAddresses(clock) }
}

test('NA-02 one observer says nothing, two that agree make an address, two that do not make a symmetric NAT', () => {
  const { observed } = watched()
  assert.equal(observed.mapping(), 'unknown')
  observed.add('11.0.0.2', mine)
  assert.equal(observed.mapping(), 'unknown')
  assert.equal(observed.punchable(), undefined)
  observed.add('12.0.0.2', '/ip4/21.0.0.2/tcp/4001')
  assert.equal(observed.mapping(), 'per-destination')
  assert.equal(observed.punchable(), undefined)
  observed.add('13.0.0.2', `${mine}/p2p/12D3KooWNg1PKwfgLRBUkB8ndC9ucbi2Tfg6WbBpwkVyK2ZSB4h2`)
  assert.equal(observed.mapping(), 'endpoint-independent')
  assert.equal(observed.punchable(), mine)
})

test('one observer has one voice, however often it speaks', () => {
  const { observed } = watched()
  for (let i = 0; i < 10; i++) observed.add('11.0.0.2', mine)
  assert.equal(observed.mapping(), 'unknown')
})

test('a liar does not outvote two who agree, and a new address of ours is learned as they see it', () => {
  const { observed } = watched()
  observed.add('11.0.0.2', mine)
  observed.add('12.0.0.2', mine)
  observed.add('66.0.0.2', '/ip4/66.6.6.6/tcp/666')
  assert.equal(observed.punchable(), mine)
  observed.add('11.0.0.2', '/ip4/31.0.0.2/tcp/4000')
  observed.add('12.0.0.2', '/ip4/31.0.0.2/tcp/4000')
  assert.equal(observed.punchable(), '/ip4/31.0.0.2/tcp/4000')
})

test('what was seen is forgotten after twelve hours', async () => {
  const { clock, observed } = watched()
  observed.add('11.0.0.2', mine)
  await clock.advance(6 * HOUR_MS)
  observed.add('12.0.0.2', mine)
  assert.equal(observed.punchable(), mine)
  await clock.advance(6 * HOUR_MS)
  assert.equal(observed.mapping(), 'unknown')
})

test('NA-08 IPv6 speaks for itself, and only where there is no IPv4', () => {
  const { observed } = watched()
  const six = '/ip6/2a00::2/tcp/4000'
  observed.add('2b00::1', six)
  observed.add('2b00::2', six)
  assert.equal(observed.punchable(), six)
  observed.add('11.0.0.2', six) // an observer over IPv4 cannot have seen it
  assert.equal(observed.punchable(), six)
  observed.add('11.0.0.2', mine)
  assert.equal(observed.mapping(), 'unknown')
})

test('the verdict follows the newest word of each observer, in whatever order they speak; memory is bounded', () => {
  const word = fc.record({ from: fc.integer({ min: 1, max: 60 }), port: fc.integer({ min: 1, max: 4 }) })
  fc.assert(
    fc.property(fc.array(word, { maxLength: 120 }), (words) => {
      const { observed } = watched()
      const newest = new Map<number, number>()
      for (const { from, port } of words) {
        observed.add(`11.0.0.${from}`, `/ip4/21.0.0.2/tcp/${port}`)
        newest.delete(from)
        newest.set(from, port)
      }
      const counts = [1, 2, 3, 4].map((port) => [...newest.values()].slice(-32).filter((seen) => seen === port).length)
      const [most, all] = [Math.max(...counts), counts.reduce((sum, count) => sum + count, 0)]
      assert.equal(observed.mapping(), all < 2 ? 'unknown' : most < 2 ? 'per-destination' : 'endpoint-independent')
      const punchable = observed.punchable()
      const port = Number(punchable?.split('/').at(-1))
      assert.ok(punchable === undefined ? most < 2 : counts[port - 1] === most)
    }),
    { seed: SEED },
  )
})

test('SE-19 an endpoint is a TCP port at an IP and nothing else, and comes back as it went', () => {
  const ip = fc.oneof(
    fc.ipV4().map((text) => `/ip4/${text}`),
    fc
      .array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 })
      .map((groups) => `/ip6/${groups.map((group) => group.toString(16)).join(':')}`),
  )
  fc.assert(
    fc.property(ip, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const endpoint = endpointOf(`${host}/tcp/${port}`) ?? assert.fail()
      assert.equal(addressOf(endpoint).toString(), `${host}/tcp/${port}`)
    }),
    { seed: SEED },
  )
  const peer = '12D3KooWNg1PKwfgLRBUkB8ndC9ucbi2Tfg6WbBpwkVyK2ZSB4h2'
  assert.ok(endpointOf(`/ip4/1.2.3.4/tcp/5/p2p/${peer}`))
  const others = [
    '',
    'nonsense',
    '/ip4/1.2.3.4/tcp/0',
    '/ip4/1.2.3.4/udp/5',
    '/dns4/example.org/tcp/5',
    '/ip4/1.2.3.4/tcp/5/ws',
    `/ip4/1.2.3.4/tcp/5/p2p/${peer}/p2p-circuit`,
    `/ip4/1.2.3.4/tcp/5/p2p/${peer}/p2p-circuit/p2p/${peer}`,
  ]
  for (const text of others) assert.equal(endpointOf(text), undefined, text)
})
