import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, StreamHandler, Topology } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { Gate } from '../../../src/net/reach/gate.ts'
import type { RegistrarPart } from '../../../src/net/reach/gate.ts'
import { arrivalOf } from '../../../src/net/reach/inbound.ts'
import { until } from './hosts.ts'
import { dialPast, newEnd, newRelay } from './relayed.ts'

const PEER = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'

for (const link of ['tls', 'noise'] as const) {
  test(`NA-02 who dialled us is seen where we listen, and what we dialled is not taken for it (${link})`, async (t) => {
    const relay = await newRelay(t)
    const [a, b] = [await newEnd(t, relay), await newEnd(t, relay, { links: [link] })]
    const arrivals: unknown[] = []
    b.node.addEventListener('connection:open', ({ detail }) => void arrivals.push(arrivalOf(detail)))
    const dialled = await dialPast(a, b)
    await dialled.close() // as AutoNAT's server of version 1 does at once
    await until(() => arrivals.length > 0)
    const port = Number(b.node.getMultiaddrs()[0]?.getComponents()[1]?.value)
    assert.deepEqual(arrivals, [{ network: undefined, ip: '127.0.0.1', port }])
    assert.equal(arrivalOf(dialled), undefined)
  })
}

test('NA-02 only what comes in over TCP itself is an arrival, from a network as wide as one firewall', () => {
  const socket = { localAddress: '::ffff:192.168.1.4', localPort: 4001 }
  const from = (address: string, members: object = {}) =>
    arrivalOf({
      direction: 'inbound',
      remoteAddr: multiaddr(address),
      maConn: { socket },
      ...members,
    } as unknown as Connection)
  const here = { ip: '192.168.1.4', port: 4001 }
  assert.deepEqual(from('/ip4/21.0.0.2/tcp/5000'), { ...here, network: '4/21.0' })
  assert.deepEqual(from('/ip4/21.0.77.3/tcp/1'), { ...here, network: '4/21.0' })
  assert.deepEqual(from('/ip6/2a00:1450:4001::5/tcp/5000'), from('/ip6/2a00:1450:77::1/tcp/5000'))
  assert.deepEqual(from('/ip4/192.168.1.9/tcp/5000'), { ...here, network: undefined })
  assert.equal(from(`/ip4/21.0.0.2/tcp/5000/p2p/${PEER}/p2p-circuit`), undefined)
  assert.equal(from('/ip4/21.0.0.2/udp/5000/webrtc-direct'), undefined)
  assert.equal(from('/ip4/21.0.0.2/tcp/5000', { direction: 'outbound' }), undefined)
  assert.equal(from('/ip4/21.0.0.2/tcp/5000', { maConn: { socket: {} } }), undefined, 'closed already')
})

test('AS-08 protocols behind the gate are taken up all or none, and libp2p tells their services of nobody', async () => {
  const handled = new Set<string>()
  const told: string[] = []
  let broken = true
  const registrar: RegistrarPart = {
    handle: async (protocol) => {
      if (broken && protocol === 'b') throw new Error('taken')
      handled.add(protocol)
    },
    unhandle: async (protocols) => {
      for (const protocol of [protocols].flat()) handled.delete(protocol)
    },
    register: async (protocol) => String(told.push(protocol)),
  }
  const gate = new Gate(
    (protocol) => protocol !== 'free',
    () => true,
  )
  const part = gate.wrap(registrar)
  const handler: StreamHandler = () => {}
  const met: string[] = []
  const topology: Topology = { onConnect: (peerId) => void met.push(String(peerId)) }
  for (const protocol of ['a', 'b', 'free']) {
    await part.handle(protocol, handler)
    await part.register(protocol, topology)
  }
  assert.deepEqual([[...handled], told], [['free'], ['free']])
  await assert.rejects(gate.set(true), /taken/)
  assert.deepEqual([[...handled], gate.open], [['free'], false])
  broken = false
  await gate.set(true)
  assert.deepEqual([[...handled].toSorted(), gate.open], [['a', 'b', 'free'], true])
  await gate.set(false)
  assert.deepEqual([[...handled], gate.open], [['free'], false])
  const someone = { toString: () => PEER } as never
  assert.deepEqual([gate.meet('a', someone, {} as never), gate.meet('none', someone, {} as never)], [true, false])
  assert.deepEqual(met, [PEER])
})
