/** Conversations that go over from a relay to a direct connection: real streams on 127.0.0.1. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { concat, u32be } from '../../src/lib/bytes.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { MAIN } from '../../src/lib/network-profile.ts'
import { FrameReader } from '../../src/net/frames/framing.ts'
import { protocolsOf } from '../../src/net/protocols.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { DIRECT_FRAME, directFrameCodec, directMessageCodec } from '../../src/wire/direct.ts'
import { MAPPING, UDP, UPGRADE_FRAME, upgradeFrameCodec } from '../../src/wire/upgrade.ts'
import type { Endpoint } from '../../src/wire/upgrade.ts'
import { soon, until } from '../unit/net/hosts.ts'
import { dialPast, listen, newEnd, newRelay, numbered } from '../unit/net/relayed.ts'
import type { End } from '../unit/net/relayed.ts'

const { direct: DIRECT, upgrade: UPGRADE } = protocolsOf('local')
const FRAMES = 2_000
const all = Array.from({ length: FRAMES }, (_, i) => i)

/** Sends all numbers, some of them large, and says how many went while the conversation ran over the relay. */
async function sendAll(from: End, to: End, onSent: (number: number) => void = () => {}): Promise<number> {
  let relayed = 0
  for (const number of all) {
    await from.streams.send(to.record, numbered(number, number % 40 === 0 ? 60_000 : 200), soon(20_000))
    if (from.streams.relayedTo(to.id) !== undefined) relayed++
    if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    onSent(number)
  }
  return relayed
}

test('DT-20 NA-02 a direct connection appears while 2,000 frames are under way both ways: none lost, doubled or overtaken', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const [atA, atB] = [listen(a), listen(b)]
  let dialled: Promise<unknown> | undefined
  const sentA = sendAll(a, b, (number) => {
    if (number === FRAMES / 4) dialled = dialPast(b, a)
  })
  const [byA, byB] = await Promise.all([sentA, sendAll(b, a)])
  await dialled
  await until(() => atA.length >= FRAMES && atB.length >= FRAMES, 20_000)
  assert.deepEqual(atB, all)
  assert.deepEqual(atA, all)
  for (const relayed of [byA, byB]) assert.ok(relayed > 100 && relayed < FRAMES - 100, `${relayed} over the relay`)
  assert.equal(a.streams.relayedTo(b.id), undefined)
  assert.equal(b.streams.relayedTo(a.id), undefined)
})

test('DT-20 listeners that are slow while the conversation moves: what waits in between is neither lost nor overtaken', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const numbers = Array.from({ length: 120 }, (_, i) => i)
  const slowly = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))
  const [atA, atB] = [listen(a, slowly), listen(b, slowly)]
  const send = async (from: End, to: End): Promise<void> => {
    for (const number of numbers) await from.streams.send(to.record, numbered(number, 60_000), soon(20_000))
  }
  const sent = Promise.all([send(a, b), send(b, a)])
  await until(() => atA.length > 5 && atB.length > 5)
  await dialPast(a, b)
  await sent
  await until(() => atA.length >= numbers.length && atB.length >= numbers.length, 20_000)
  assert.deepEqual(atB, numbers)
  assert.deepEqual(atA, numbers)
  assert.equal(a.streams.relayedTo(b.id), undefined)
})

test('DT-20 a direct path that is slower than the relay: its other end speaks on it before we know that it is open', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const [atA, atB] = [listen(a), listen(b)]
  const numbers = Array.from({ length: 200 }, (_, i) => i)
  const send = async (from: End, to: End): Promise<void> => {
    for (const number of numbers) {
      await from.streams.send(to.record, numbered(number), soon())
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const answering = async (): Promise<void> => {
    await until(() => atB.length > 20)
    await send(b, a)
  }
  const sent = Promise.all([send(a, b), answering()])
  await until(() => atA.length > 5)
  const [direct] = b.node.getMultiaddrs().filter((address) => !address.toString().includes('p2p-circuit'))
  const late = await latePath(t, direct?.toString() ?? assert.fail())
  await a.dialer.dialDirect([multiaddr(late)], soon())
  await sent
  await until(() => atA.length >= numbers.length && atB.length >= numbers.length)
  assert.deepEqual([atA, atB], [numbers, numbers])
  assert.ok(a.streams.relayedTo(b.id) === undefined && b.streams.relayedTo(a.id) === undefined)
})

/** The same address by a way on which everything takes 100 ms. */
async function latePath(t: TestContext, address: string): Promise<string> {
  const LATE_MS = 100
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
  const later = async (from: Socket, to: Socket): Promise<void> => {
    for await (const data of from.iterator({ destroyOnReturn: false }))
      setTimeout(() => to.write(data as Uint8Array), LATE_MS)
  }
  const server = createServer((one) => {
    const other = connect(port, '127.0.0.1')
    for (const socket of [one, other]) t.after(() => socket.destroy())
    void Promise.allSettled([later(one, other), later(other, one)])
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return address.replace(/tcp\/\d+/, `tcp/${(server.address() as AddressInfo).port}`)
}

test('DT-20 a listener that answers from within does not hold up the move', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const atA = listen(a)
  const atB = listen(b, async (number) => b.streams.send(a.record, numbered(number), soon(20_000)))
  const started = performance.now()
  await sendAll(a, b, (number) => {
    if (number === 50) void dialPast(a, b)
  })
  await until(() => atA.length >= FRAMES, 20_000)
  assert.deepEqual(atB, all)
  assert.deepEqual(atA, all)
  assert.ok(performance.now() - started < 7_000, 'nobody waited for a deadline')
})

test('DT-15 NA-02 the direct link dies: the conversation is back on the relay, and moves again when there is another', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const [atA, atB] = [listen(a), listen(b)]
  let number = 0
  const both = async (): Promise<void> => {
    const each = number++
    await Promise.all([
      a.streams.send(b.record, numbered(each), soon()),
      b.streams.send(a.record, numbered(each), soon()),
    ])
    await until(() => atA.at(-1) === each && atB.at(-1) === each)
  }
  await both()
  for (let round = 0; round < 3; round++) {
    assert.ok(a.streams.relayedTo(b.id) !== undefined && b.streams.relayedTo(a.id) !== undefined)
    const direct = round % 2 === 0 ? await dialPast(a, b) : await dialPast(b, a)
    await until(() => a.streams.relayedTo(b.id) === undefined && b.streams.relayedTo(a.id) === undefined)
    await both()
    direct.abort(new Error('cut'))
    await until(() => a.dialer.direct(b.id) === undefined && b.dialer.direct(a.id) === undefined)
    await both()
    await both() // a conversation again: frames went both ways on the new stream
  }
  assert.deepEqual(atA, atB)
  assert.deepEqual(
    atA,
    Array.from({ length: number }, (_, i) => i),
  )
})

test('a relayed connection that nobody uses after the move is closed', async (t) => {
  const relay = await newRelay(t)
  const clock = new VirtualClock()
  const [a, b] = [await newEnd(t, relay, { clock }), await newEnd(t, relay)]
  const atB = listen(b)
  await a.streams.send(b.record, numbered(0), soon())
  await until(() => atB.length === 1)
  await dialPast(a, b)
  const toB = () => a.node.getConnections(b.node.peerId)
  await until(() => toB().length === 2 && toB().some((connection) => connection.streams.length === 0))
  await new Promise((resolve) => setTimeout(resolve, 100))
  await clock.advance(11_000)
  await until(() => toB().length === 1 && b.node.getConnections(a.node.peerId).length === 1)
  await a.streams.send(b.record, numbered(1), soon())
  await until(() => atB.length === 2)
})

test('AS-08 a peer that never ends its relayed stream holds the new one up for as long as it writes there, and eight seconds', async (t) => {
  const relay = await newRelay(t)
  const clock = new VirtualClock()
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay, { clock })]
  const atB = listen(b)
  await a.node.unhandle(DIRECT.id)
  const open = async (connection: Connection): Promise<Stream> =>
    connection.newStream(DIRECT.id, { runOnLimitedConnection: true })
  const relayed = await open(await a.dialer.connect(b.record, soon()))
  relayed.send(framed(1))
  await until(() => atB.length === 1)
  const direct = await open(await dialPast(a, b))
  direct.send(framed(2))
  await until(() => relayed.remoteWriteStatus !== 'writable') // b goes over
  await b.streams.send(a.record, numbered(9), soon())
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.deepEqual(atB, [1])
  relayed.send(framed(3)) // not stalled enough: what it wrote before the end of the old stream comes first
  await until(() => atB.length === 2)
  await clock.advance(9_000)
  assert.deepEqual(atB, [1, 3])
  await clock.advance(9_000)
  await until(() => atB.length === 3)
  assert.deepEqual(atB, [1, 3, 2])
  await until(() => relayed.status !== 'open')
  const reader = new FrameReader(direct, DIRECT, systemClock, false)
  const next = async (): Promise<Uint8Array> => (await reader.next()) ?? assert.fail()
  // One for every version, and one that says that live frames are understood.
  for (let i = 0; i < 2; i++) assert.equal(decode(directMessageCodec, await next()).kind, DIRECT_FRAME.hello)
  assert.deepEqual(decode(directFrameCodec, await next()), numbered(9))
})

test('NA-02 a conversation over a relay becomes direct by itself where one side can be dialled', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay, { upgrades: true }), await newEnd(t, relay, { upgrades: true })]
  const [atA, atB] = [listen(a), listen(b)]
  await a.streams.send(b.record, numbered(0), soon())
  await until(() => atB.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(a.dialer.direct(b.id), undefined, 'who was not answered asks for nothing')
  await b.streams.send(a.record, numbered(0), soon())
  await until(() => a.dialer.direct(b.id) !== undefined && b.dialer.direct(a.id) !== undefined)
  await until(() => a.streams.relayedTo(b.id) === undefined && b.streams.relayedTo(a.id) === undefined)
  await a.streams.send(b.record, numbered(1), soon())
  await until(() => atA.length === 1 && atB.length === 2)
})

/** A stream of the upgrade protocol from a peer that says what it likes. */
async function liar(from: End, to: End): Promise<{ stream: Stream; reader: FrameReader }> {
  const relayed = from.streams.relayedTo(to.id) ?? (await from.dialer.connect(to.record, soon()))
  const stream = await relayed.newStream(UPGRADE.id, { runOnLimitedConnection: true, signal: soon() })
  return { stream, reader: new FrameReader(stream, UPGRADE, systemClock, false) }
}

const offer = (reachable: readonly Endpoint[], punchable?: Endpoint): Uint8Array => {
  const body = { mapping: MAPPING.endpointIndependent, reachable, punchable, udp: UDP.none }
  return prefixed(encode(upgradeFrameCodec, { kind: UPGRADE_FRAME.offer, body }))
}
const go = (rung: 1 | 2): Uint8Array => prefixed(encode(upgradeFrameCodec, { kind: UPGRADE_FRAME.go, body: { rung } }))

/** A door that counts who knocks. */
async function door(t: TestContext): Promise<{ endpoint: Endpoint; knocks: () => number }> {
  let knocks = 0
  const server = createServer((socket) => {
    knocks++
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return { endpoint: { kind: 4, body: { ip: Uint8Array.of(127, 0, 0, 1), port } }, knocks: () => knocks }
}

async function conversation(a: End, b: End): Promise<void> {
  const [atA, atB] = [listen(a), listen(b)]
  await a.streams.send(b.record, numbered(0), soon())
  await b.streams.send(a.record, numbered(0), soon())
  await until(() => atA.length === 1 && atB.length === 1)
}

test('SE-19 NA-09 who is not written to cannot ask, and learns nothing', async (t) => {
  const relay = await newRelay(t)
  const [stranger, b] = [await newEnd(t, relay), await newEnd(t, relay, { upgrades: true })]
  const atB = listen(b)
  await stranger.streams.send(b.record, numbered(0), soon())
  await until(() => atB.length === 1)
  const { stream, reader } = await liar(stranger, b)
  if (stream.status === 'open') stream.send(offer([]))
  await until(() => stream.status !== 'open')
  assert.equal(await reader.next().catch(() => undefined), undefined)
})

test('SE-19 a peer that names private addresses on a public network makes nobody knock there', async (t) => {
  const relay = await newRelay(t)
  const profile = { ...MAIN, name: 'local' }
  const [evil, b] = [await newEnd(t, relay), await newEnd(t, relay, { profile, upgrades: true })]
  await conversation(evil, b)
  const { endpoint, knocks } = await door(t)
  const { stream, reader } = await liar(evil, b)
  stream.send(offer([endpoint], endpoint))
  const answer = decode(upgradeFrameCodec, (await reader.next()) ?? assert.fail())
  assert.ok(answer.kind === UPGRADE_FRAME.answer)
  assert.deepEqual(answer.body.reachable, [], 'nor is told private ones')
  for (const rung of [1, 2] as const) stream.send(go(rung))
  await until(() => stream.status !== 'open')
  assert.equal(knocks(), 0)
})

test('SE-19 a peer that names somebody else’s address makes us knock there a few times, whatever it tries', async (t) => {
  const relay = await newRelay(t)
  const [evil, b] = [await newEnd(t, relay), await newEnd(t, relay, { upgrades: true })]
  await conversation(evil, b)
  const { endpoint, knocks } = await door(t)
  let refused = 0
  for (let i = 0; i < 12; i++) {
    const { stream, reader } = await liar(evil, b)
    if (stream.status === 'open') stream.send(offer([endpoint, endpoint, endpoint, endpoint]))
    const answered = await reader.next().catch(() => undefined)
    if (answered === undefined) {
      refused++
      continue
    }
    stream.send(go(1))
    await new Promise((resolve) => setTimeout(resolve, 50))
    stream.abort(new Error('enough'))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.ok(refused >= 5, `${refused} refused`)
  assert.ok(knocks() > 0 && knocks() <= 24, `${knocks()} knocks`)
  assert.equal(b.dialer.direct(evil.id), undefined)
})

test('AS-08 messages out of turn, malformed or endless reset the stream; a peer that stalls is given up', async (t) => {
  const relay = await newRelay(t)
  const clock = new VirtualClock()
  const [evil, b] = [await newEnd(t, relay), await newEnd(t, relay, { clock, upgrades: true })]
  await conversation(evil, b)
  for (const bytes of [go(1), prefixed(Uint8Array.of(9)), prefixed(new Uint8Array(UPGRADE.frameBytesMax + 1))]) {
    const { stream } = await liar(evil, b)
    stream.send(bytes)
    await until(() => stream.status !== 'open')
  }
  const { stream, reader } = await liar(evil, b)
  stream.send(offer([]))
  await reader.next()
  await clock.advance(11_000)
  await until(() => stream.status !== 'open')
})

const prefixed = (bytes: Uint8Array): Uint8Array => concat(u32be(bytes.length), bytes)
function framed(number: number): Uint8Array {
  return prefixed(encode(directFrameCodec, numbered(number)))
}
