/** Outgoing on both sides: a splice joins two sockets that were both dialled, as a simultaneous open does. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { TcpDialer } from '../../../../src/net/upgrade/tcp-dialer.ts'
import { soon, until } from '../hosts.ts'
import { dialPast, listen, newEnd, newRelay, numbered } from '../relayed.ts'
import type { End } from '../relayed.ts'

/** Two ports; who dials one is joined with who dials the other. */
async function splice(t: TestContext): Promise<readonly [string, string]> {
  const sockets: Socket[] = []
  const port = async (): Promise<string> => {
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      const [one, other] = sockets
      if (one !== undefined && other !== undefined) one.pipe(other).pipe(one)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`
  }
  return [await port(), await port()]
}

async function punched(t: TestContext, a: End, b: End): Promise<readonly [Connection, Connection]> {
  const [portA, portB] = await splice(t)
  return Promise.all([
    a.tcp.punch(multiaddr(`${portA}/p2p/${b.id}`), true, new AbortController().signal),
    b.tcp.punch(multiaddr(`${portB}/p2p/${a.id}`), false, new AbortController().signal),
  ])
}

for (const link of ['tls', 'noise'] as const) {
  test(`NA-02 two dialled sockets become one connection with roles turned on one side (${link})`, async (t) => {
    const relay = await newRelay(t)
    const [a, b] = [await newEnd(t, relay, { links: ['tls', 'noise'] }), await newEnd(t, relay, { links: [link] })]
    const [atA, atB] = [listen(a), listen(b)]
    const [fromA, fromB] = await punched(t, a, b)
    assert.deepEqual([fromA.direction, fromB.direction], ['outbound', 'inbound'])
    assert.equal(fromA.encryption, fromB.encryption)
    assert.ok(fromA.encryption?.includes(link === 'tls' ? 'tls' : 'noise-mlkem768'))
    assert.ok(a.tcp.leftFromPort(fromA) && b.tcp.leftFromPort(fromB))
    await a.streams.send(b.record, numbered(1), soon())
    await b.streams.send(a.record, numbered(2, 60_000), soon())
    await until(() => atA.length === 1 && atB.length === 1)
  })
}

test('SE-19 whoever else answers at the address is refused', async (t) => {
  const relay = await newRelay(t)
  const [a, b, c] = [await newEnd(t, relay), await newEnd(t, relay), await newEnd(t, relay)]
  const [portA, portC] = await splice(t)
  const attempts = await Promise.allSettled([
    a.tcp.punch(multiaddr(`${portA}/p2p/${b.id}`), true, soon(3_000)),
    c.tcp.punch(multiaddr(`${portC}/p2p/${a.id}`), false, soon(3_000)),
  ])
  assert.equal(attempts[0].status, 'rejected')
  assert.equal(a.dialer.direct(c.id), undefined)
  assert.equal(a.dialer.direct(b.id), undefined)
})

test('all dials leave from one port; a second one to the same place leaves from another, and is not taken as evidence', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const remote = async (end: End, of: End): Promise<string> => {
    await until(() => end.dialer.direct(of.id) !== undefined)
    return end.dialer.direct(of.id)?.remoteAddr.toString() ?? assert.fail()
  }
  const address = (end: End) => end.node.getMultiaddrs().filter((each) => !each.toString().includes('p2p-circuit'))
  const first = await a.dialer.dialDirect(address(b), soon())
  const atRelay = a.node
    .getConnections()
    .find((connection) => connection.remotePeer.toString() === relay.split('/').at(-1))
  assert.ok(a.tcp.leftFromPort(first) && atRelay !== undefined && a.tcp.leftFromPort(atRelay))
  const seen = await remote(b, a)
  const second = await a.node.dial(address(b), { force: true, signal: soon() })
  assert.ok(!a.tcp.leftFromPort(second))
  await until(() => b.node.getConnections(a.node.peerId).length > 1)
  const ports = b.node.getConnections(a.node.peerId).map((connection) => connection.remoteAddr.toString())
  assert.ok(ports.includes(seen) && new Set(ports).size === 2)
})

test('NA-02 no port to be had for a moment: dials leave from any, and from one again as soon as there is one', async (t) => {
  const relay = await newRelay(t)
  let short = 2
  const drawPort = async (): Promise<number> => {
    if (short-- > 0) throw Object.assign(new Error('too many files'), { code: 'EMFILE' })
    const server = createServer().listen(0)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    return port
  }
  const tcp = new TcpDialer(drawPort)
  const a = await newEnd(t, relay, { tcp })
  const toRelay = a.node.getConnections()[0] ?? assert.fail()
  assert.ok(!tcp.leftFromPort(toRelay))
  const ends = [await newEnd(t, relay), await newEnd(t, relay)]
  const left = []
  for (const end of ends) left.push(tcp.leftFromPort(await dialPast(a, end)))
  assert.deepEqual(left, [false, true])
})
