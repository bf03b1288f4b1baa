/** Whom direct streams serve and how, and what is lost where links die: real streams on 127.0.0.1. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { concat, u32be } from '../../src/lib/bytes.ts'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { LimitError, NetworkError } from '../../src/lib/errors.ts'
import { FrameReader } from '../../src/net/frames/framing.ts'
import type { Meeting } from '../../src/net/ports.ts'
import { protocolsOf } from '../../src/net/protocols.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { directFrameCodec } from '../../src/wire/direct.ts'
import { MAPPING, UDP, UPGRADE_FRAME, upgradeFrameCodec } from '../../src/wire/upgrade.ts'
import { soon, until } from '../unit/net/hosts.ts'
import { dialPast, listen, newEnd, newRelay, numbered } from '../unit/net/relayed.ts'
import type { End, EndOptions } from '../unit/net/relayed.ts'

const { direct: DIRECT, upgrade: UPGRADE } = protocolsOf('local')
const framed = (bytes: Uint8Array): Uint8Array => concat(u32be(bytes.length), bytes)
const frame = (number: number): Uint8Array => framed(encode(directFrameCodec, numbered(number)))
const OFFER = framed(
  encode(upgradeFrameCodec, {
    kind: UPGRADE_FRAME.offer,
    body: { mapping: MAPPING.unknown, reachable: [], punchable: undefined, udp: UDP.none },
  }),
)
const everyAddress = (end: End): readonly string[] => end.node.getMultiaddrs().map(String)
const isOther = ({ protocol }: Stream): boolean => protocol === '/other/1'
const pause = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** While looks that are due later come at once. */
async function untilLater(clock: VirtualClock, isSo: () => boolean): Promise<void> {
  await until(() => {
    void clock.advance(500)
    return isSo()
  })
}

/** Two that talk over a relay, and what came in at either. */
async function talking(t: TestContext, ofA: EndOptions, ofB: EndOptions) {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay, ofA), await newEnd(t, relay, ofB)]
  const [atA, atB] = [listen(a), listen(b)]
  await a.streams.send(b.record, numbered(0), soon())
  await b.streams.send(a.record, numbered(0), soon())
  await until(() => atA.length === 1 && atB.length === 1)
  return { relay, a, b, atA, atB }
}

/** A stream of the upgrade protocol, and what comes back on it. */
async function asking(from: End, to: End): Promise<{ stream: Stream; reader: FrameReader }> {
  const relayed = from.node.getConnections(to.node.peerId).find(({ status }) => status === 'open') ?? assert.fail()
  const stream = await relayed.newStream(UPGRADE.id, { runOnLimitedConnection: true, signal: soon() })
  return { stream, reader: new FrameReader(stream, UPGRADE, systemClock, false) }
}

for (const meeting of ['none', 'stranger', 'relayed'] as const) {
  test(`NA-09 who was a contact and is met as „${meeting}“ loses its claim to our address at once`, async (t) => {
    const { a, b } = await talking(t, {}, { upgrades: true })
    const before = await asking(a, b)
    before.stream.send(OFFER)
    assert.ok(decode(upgradeFrameCodec, (await before.reader.next()) ?? assert.fail()).kind === UPGRADE_FRAME.answer)
    b.streams.meetBy(() => meeting)
    await until(() => before.stream.status !== 'open') // what is under way ends, too
    assert.equal(b.streams.relayedTo(a.id), undefined, 'nor do we ask')
    assert.equal(b.streams.connected(a.id), meeting === 'relayed')
    const { stream, reader } = await asking(a, b)
    if (stream.status === 'open') stream.send(OFFER)
    await until(() => stream.status !== 'open')
    assert.equal(await reader.next().catch(() => undefined), undefined)
  })
}

test('NA-09 direct: never: whatever direct connection is there, frames go over the relay, and nobody is let in by another way', async (t) => {
  const clock = new VirtualClock()
  const { a, b, atA, atB } = await talking(t, {}, { clock })
  await dialPast(a, b)
  await until(() => b.streams.relayedTo(a.id) === undefined && a.streams.relayedTo(b.id) === undefined)
  await b.streams.send(a.record, numbered(1), soon())
  await until(() => atA.length === 2)
  b.streams.meetBy(() => 'relayed')
  await until(() => !b.streams.connected(a.id))
  await b.streams.send({ id: a.id, addresses: everyAddress(a) }, numbered(2), soon())
  await until(() => atA.length === 3)
  await untilLater(clock, () => b.dialer.direct(a.id) === undefined) // nothing else is on it
  const refused = await (await dialPast(a, b)).newStream(DIRECT.id, { signal: soon() })
  await until(() => refused.status !== 'open')
  assert.deepEqual(atB, [0])
})

test('NA-09 direct: never: no relay of the other’s choice is dialled, which may be its own; who comes over ours is answered there', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const [atA, atB] = [listen(a), listen(b)]
  b.streams.meetBy(() => 'relayed')
  await assert.rejects(b.streams.send({ id: a.id, addresses: everyAddress(a) }, numbered(0), soon()), NetworkError)
  assert.equal(b.node.getConnections(a.node.peerId).length, 0)
  await a.streams.send(b.record, numbered(1), soon())
  await until(() => atB.length === 1)
  await b.streams.send(a.record, numbered(2), soon())
  await until(() => atA.length === 1)
})

test('NA-09 direct: never: what we dialled over the other’s relay before goes, too', async (t) => {
  const relay = await newRelay(t)
  const clock = new VirtualClock()
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay, { clock })]
  const atA = listen(a)
  await b.streams.send(a.record, numbered(0), soon())
  await until(() => atA.length === 1)
  b.streams.meetBy(() => 'relayed')
  await untilLater(clock, () => b.node.getConnections(a.node.peerId).length === 0)
  await assert.rejects(b.streams.send(a.record, numbered(1), soon()), NetworkError)
})

test('NA-09 DT-15 a direct connection that stays though we are refused on it: the second frame goes over the relay', async (t) => {
  const { a, b, atB } = await talking(t, {}, {})
  await b.node.handle('/other/1', () => {})
  const direct = await dialPast(a, b)
  await direct.newStream('/other/1', { signal: soon() })
  await until(() => b.streams.relayedTo(a.id) === undefined && a.streams.relayedTo(b.id) === undefined)
  await until(() => b.node.getConnections(a.node.peerId).some((each) => each.streams.some(isOther)))
  b.streams.meetBy(() => 'relayed')
  await until(() => !a.streams.connected(b.id))
  await a.streams.send(b.record, numbered(1), soon()).catch(() => {}) // it may be lost without a word: the floor above tries again
  await until(() => !a.streams.connected(b.id))
  assert.equal(direct.status, 'open', 'it carries something else')
  await a.streams.send(b.record, numbered(2), soon())
  await until(() => atB.length === 2)
  assert.deepEqual(atB, [0, 2])
})

test('NA-09 who may not learn our address any more while the conversation moves is not moved', async (t) => {
  const clock = new VirtualClock()
  const { a, b, atB } = await talking(t, { moves: false, clock }, {})
  const direct = await dialPast(a, b)
  const slow = {
    remotePeer: direct.remotePeer,
    remoteAddr: direct.remoteAddr,
    direction: direct.direction,
    newStream: async () => {
      const stream = await direct.newStream(DIRECT.id, { signal: soon() })
      a.streams.meetBy(() => 'relayed')
      return stream
    },
  } as unknown as Connection
  await a.streams.moveTo(slow)
  await untilLater(clock, () => a.dialer.direct(b.id) === undefined)
  assert.equal(a.streams.connected(b.id), false, 'we had dialled its relay')
  await b.streams.send(a.record, numbered(1), soon())
  await until(() => a.streams.connected(b.id))
  assert.deepEqual(atB, [0])
})

test('NA-09 strangers are answered on the stream that they opened, and not looked for', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const [atA, atB] = [listen(a), listen(b)]
  b.streams.meetBy(() => 'stranger')
  await assert.rejects(b.streams.send(a.record, numbered(0), soon()), NetworkError)
  assert.equal(b.dialer.existing(a.id), undefined)
  await a.streams.send(b.record, numbered(1), soon())
  await until(() => atB.length === 1)
  await b.streams.send(a.record, numbered(2), soon())
  await until(() => atA.length === 1)
  assert.equal(b.streams.relayedTo(a.id), undefined)
})

test('SE-19 AS-08 strangers in any number do not close the door: the one silent for the longest makes room, never one that we know', async (t) => {
  const relay = await newRelay(t)
  const b = await newEnd(t, relay, { guestsMax: 2 })
  const atB = listen(b)
  const ends: End[] = []
  for (let i = 0; i < 4; i++) ends.push(await newEnd(t, relay))
  const [one, two, friend, three] = ends as [End, End, End, End]
  const meeting = (peerId: string): Meeting => (peerId === friend.id ? 'direct' : 'stranger')
  b.streams.meetBy(meeting)
  const comes = async (end: End): Promise<void> => {
    const before = atB.length
    await end.streams.send(b.record, numbered(before), soon())
    await until(() => atB.length === before + 1)
  }
  for (const end of [one, two, friend]) await comes(end)
  await until(() => !one.streams.connected(b.id))
  assert.ok(two.streams.connected(b.id))
  await comes(three)
  await until(() => !two.streams.connected(b.id))
  assert.ok(friend.streams.connected(b.id))
  await comes(one)
  await comes(friend)
  assert.ok(friend.streams.connected(b.id))
})

test('DT-20 a direct stream that the other end gives up before it is in use costs nothing: the relay goes on', async (t) => {
  const { a, b, atA } = await talking(t, { moves: false }, {})
  const stream = await (await dialPast(a, b)).newStream(DIRECT.id, { signal: soon() })
  for (let i = 1; i <= 20; i++) {
    await b.streams.send(a.record, numbered(i), soon())
    if (i === 10) stream.abort(new Error('its deadline was over'))
  }
  await until(() => atA.length === 21)
  assert.deepEqual(
    atA,
    Array.from({ length: 21 }, (_, i) => i),
  )
})

test('DT-20 the direct link dies while the listener is behind: what comes over the relay then does not overtake', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const atB = listen(b, async () => pause(5))
  const atA = listen(a)
  const numbers = Array.from({ length: 60 }, (_, i) => i)
  await a.streams.send(b.record, numbered(0), soon())
  await b.streams.send(a.record, numbered(0), soon())
  await until(() => atA.length === 1 && atB.length === 1)
  const direct = await dialPast(a, b)
  await until(() => a.streams.relayedTo(b.id) === undefined)
  for (const number of numbers.slice(1, 50)) await a.streams.send(b.record, numbered(number), soon())
  await pause(60) // they are there, and wait for the listener
  direct.abort(new Error('cut'))
  for (const number of numbers.slice(50)) await a.streams.send(b.record, numbered(number), soon())
  assert.ok(atB.length < 50, 'the listener is behind')
  await until(() => atB.length === numbers.length)
  assert.deepEqual(atB, numbers)
})

test('DT-15 the direct link dies at once: who did not end its relayed stream holds us up for two seconds', async (t) => {
  const relay = await newRelay(t)
  const clock = new VirtualClock()
  const [a, b] = [await newEnd(t, relay, { moves: false }), await newEnd(t, relay, { clock })]
  const atB = listen(b)
  await a.node.unhandle(DIRECT.id)
  const relayed = await (
    await a.dialer.connect(b.record, soon())
  ).newStream(DIRECT.id, { runOnLimitedConnection: true })
  relayed.send(frame(1))
  await until(() => atB.length === 1)
  await b.streams.send(a.record, numbered(1), soon())
  const connection = await dialPast(a, b)
  const direct = await connection.newStream(DIRECT.id, { signal: soon() })
  direct.send(framed(Uint8Array.of(3))) // a hello
  await until(() => relayed.remoteWriteStatus !== 'writable') // b has left the relay
  connection.abort(new Error('cut'))
  await until(() => b.dialer.direct(a.id) === undefined)
  const came: Stream[] = []
  await a.node.handle(DIRECT.id, (stream) => void came.push(stream), { runOnLimitedConnection: true })
  const sent = b.streams.send(a.record, numbered(2), soon())
  await pause(50)
  assert.equal(came.length, 0)
  await clock.advance(2_100)
  await sent
  await until(() => came.length === 1 && relayed.status !== 'open')
})

test('AS-08 DT-20 as many frames as may wait do wait for a peer that does not answer: another conversation moves all the same', async (t) => {
  const { a, b } = await talking(t, {}, {})
  const hole = createServer(() => {}).listen(0, '127.0.0.1')
  await once(hole, 'listening')
  t.after(() => hole.close())
  const addresses = [`/ip4/127.0.0.1/tcp/${(hole.address() as AddressInfo).port}`]
  const enough = new AbortController()
  const nobody = { id: '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA', addresses }
  const waiting = Array.from({ length: 8_192 }, async () => b.streams.send(nobody, numbered(0), enough.signal))
  const refused = await b.streams.send(nobody, numbered(0), soon()).catch((error: unknown) => error)
  assert.ok(refused instanceof NetworkError && refused.cause instanceof LimitError)
  await dialPast(a, b)
  await until(() => b.streams.relayedTo(a.id) === undefined && a.streams.relayedTo(b.id) === undefined)
  enough.abort(new NetworkError('enough'))
  await Promise.allSettled(waiting)
})

test('after the stop nothing is handed up any more, and nobody is served', async (t) => {
  const relay = await newRelay(t)
  const [a, b] = [await newEnd(t, relay), await newEnd(t, relay)]
  const atB = listen(b, async () => pause(20))
  for (let i = 0; i < 20; i++) await a.streams.send(b.record, numbered(i), soon())
  await until(() => atB.length > 1)
  b.streams.stop()
  const handedUp = atB.length
  await pause(100)
  assert.equal(atB.length, handedUp)
  const stream = await (await a.dialer.connect(b.record, soon())).newStream(DIRECT.id, { runOnLimitedConnection: true })
  await until(() => stream.status !== 'open')
})
