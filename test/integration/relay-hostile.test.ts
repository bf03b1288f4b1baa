/** A relay among peers that speak its protocols by hand, and not as they should. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { concat } from '../../src/lib/bytes.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { ROLES } from '../../src/lib/roles.ts'
import { createNode } from '../../src/net/libp2p-node.ts'
import type { Node } from '../../src/net/libp2p-node.ts'
import { protocolsOf } from '../../src/net/protocols.ts'
import { HOP_STATUS, delimited, hopStatus } from '../../src/net/reach/hop.ts'
import { reachParts } from '../../src/net/reach/parts.ts'
import type { RelayServer } from '../../src/net/reach/relay-server.ts'
import type { Reservations } from '../../src/net/reach/reservations.ts'
import { tlsLink } from '../../src/net/link/tls-link.ts'
import { rawPeer } from '../unit/net/raw-peer.ts'
import { until } from '../unit/net/hosts.ts'

const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const STOP = '/libp2p/circuit/relay/0.2.0/stop'
const RESERVE = delimited(Uint8Array.of(0x08, 0))
/** `{ type: STATUS, status: OK }`, also of the stop protocol, where the status is the fourth field and STATUS is 1. */
const STOP_OK = delimited(Uint8Array.of(0x08, 1, 0x20, 100))
const KIB = 1_024

interface Relay {
  readonly node: Node
  readonly server: RelayServer
}

async function relayNode(t: TestContext): Promise<Relay> {
  const rest = { listen: [], clock: systemClock, rng: systemRng, log: silentLogger }
  const reach = reachParts({ announced: [], role: ROLES.peer, ...rest })
  const node = await createNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    role: ROLES.peer,
    profile: LOCAL,
    kadId: protocolsOf('local').kadId,
    encrypters: [tlsLink()],
    trustedAddresses: new Set(),
    reach,
  })
  const server = reach.server ?? assert.fail()
  node.addEventListener('peer:disconnect', ({ detail }) => {
    server.gone(detail)
  })
  await node.start()
  t.after(async () => node.stop())
  await server.serve(true)
  return { node, server }
}

async function someone(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

/** Reads all that comes. */
function collect(stream: Stream): () => Uint8Array {
  let all = new Uint8Array(0)
  stream.addEventListener('message', ({ data }) => {
    all = concat(all, data.subarray()) as Uint8Array<ArrayBuffer>
  })
  return () => all
}

/** Sends a message to the relay; what it answers. */
async function ask(connection: Connection, message: Uint8Array): Promise<{ stream: Stream; answer: () => Uint8Array }> {
  const stream = await connection.newStream(HOP)
  const answer = collect(stream)
  stream.send(message)
  return { stream, answer }
}

/** `{ type: CONNECT, peer: { id } }`. */
function connectTo(peer: Node): Uint8Array {
  const id = peer.peerId.toMultihash().bytes
  return delimited(Uint8Array.from([0x08, 1, 0x12, id.length + 2, 0x0a, id.length, ...id]))
}

const status = (code: number): Uint8Array => delimited(hopStatus(code))

/** A peer with a place at the relay; what its `stop` streams do is the test's choice. */
async function placed(t: TestContext, relay: Relay, onStop: (stream: Stream) => void): Promise<Node> {
  const peer = await rawPeer(t)
  await peer.handle(STOP, onStop, { maxInboundStreams: 32 })
  const before = relay.server.reservations
  const { answer } = await ask(await peer.dial(relay.node.getMultiaddrs()), RESERVE)
  await until(() => answer().length > 0 && relay.server.reservations === before + 1)
  return peer
}

const hopStreams = (relay: Relay): Stream[] =>
  relay.node.getConnections().flatMap(({ streams }) => streams.filter(({ protocol }) => protocol === HOP))

test('AS-08 a handshake longer than 4 KiB is reset before it is parsed, in whatever pieces it comes', async (t) => {
  const relay = await relayNode(t)
  const peer = await rawPeer(t)
  const connection = await peer.dial(relay.node.getMultiaddrs())
  const whole = await ask(connection, Uint8Array.from([0xff, 0xff, 0x3f, ...new Uint8Array(8 * KIB)]))
  await until(() => whole.stream.status === 'reset')
  const slow = await ask(connection, Uint8Array.of(0xff, 0xff, 0x3f))
  for (let at = 0; at < 5_000 && slow.stream.status === 'open'; at++) {
    slow.stream.send(Uint8Array.of(0))
    if (at % 100 === 0) await new Promise(setImmediate)
  }
  await until(() => slow.stream.status === 'reset')
  const { answer } = await ask(connection, RESERVE)
  await until(() => answer().length > 0)
  assert.equal(relay.server.reservations, 1, 'and those who speak as they should are served')
})

test('AS-08 what comes after the answer is kept nowhere', async (t) => {
  const relay = await relayNode(t)
  const peer = await rawPeer(t)
  const connection = await peer.dial(relay.node.getMultiaddrs())
  const asked = [await ask(connection, RESERVE), await ask(connection, connectTo(peer))]
  await until(() => asked.every(({ answer }) => answer().length > 0))
  await until(() => hopStreams(relay).every(({ readStatus }) => readStatus === 'closed'))
  for (const { stream } of asked) {
    if (stream.writeStatus === 'writable') stream.send(new Uint8Array(200 * KIB))
  }
  await peer.services.ping.ping(relay.node.peerId)
  for (const stream of hopStreams(relay)) assert.equal(stream.readBufferLength, 0)
})

test('AS-08 a destination that refuses, or answers without end, is no circuit, and its stream is gone', async (t) => {
  const relay = await relayNode(t)
  const stops: Stream[] = []
  const answers = [delimited(Uint8Array.of(0x08, 1, 0x20, 0xca, 0x01)), Uint8Array.from([0xff, 0xff, 0x3f])]
  const target = await placed(t, relay, (stream) => {
    stops.push(stream)
    stream.send(answers[stops.length - 1] ?? assert.fail())
    if (stops.length === 2) stream.send(new Uint8Array(8 * KIB))
  })
  const caller = await rawPeer(t)
  const connection = await caller.dial(relay.node.getMultiaddrs())
  for (const count of [1, 2]) {
    const { answer } = await ask(connection, connectTo(target))
    await until(() => answer().length > 0)
    assert.deepEqual(answer(), status(HOP_STATUS.failed))
    await until(() => stops.length === count && stops.every((stream) => stream.status !== 'open'))
  }
  assert.equal(relay.server.circuits, 0)
})

test('AS-08 a circuit that is begun while the service is put down is not carried', async (t) => {
  const relay = await relayNode(t)
  const stops: Stream[] = []
  const target = await placed(t, relay, (stream) => void stops.push(stream))
  const caller = await rawPeer(t)
  const { stream, answer } = await ask(await caller.dial(relay.node.getMultiaddrs()), connectTo(target))
  await until(() => stops.length === 1 && relay.server.circuits === 1)
  await relay.server.serve(false)
  assert.deepEqual([relay.server.circuits, relay.server.reservations], [0, 0])
  await until(() => stops[0]?.status === 'reset' && answer().length > 0)
  assert.deepEqual(answer(), status(HOP_STATUS.failed))
  assert.equal(relay.server.circuits, 0)
  await until(
    () => stream.remoteReadStatus === 'closed' || hopStreams(relay).every(({ readStatus }) => readStatus === 'closed'),
  )
})

test('AS-08 a stranger with all the circuits it can have keeps no friend out', async (t) => {
  const relay = await relayNode(t)
  const target = await placed(t, relay, (stream) => {
    stream.send(STOP_OK)
  })
  const stranger = await (await rawPeer(t)).dial(relay.node.getMultiaddrs())
  const taken: Awaited<ReturnType<typeof ask>>[] = []
  for (let at = 0; at < 4; at++) taken.push(await ask(stranger, connectTo(target)))
  await until(() => taken.every(({ answer }) => answer().length > 0))
  assert.equal(relay.server.circuits, 2)
  for (let at = 0; at < 3; at++) {
    const friend = await (await rawPeer(t)).dial(relay.node.getMultiaddrs())
    const { stream, answer } = await ask(friend, connectTo(target))
    await until(() => answer().length > 0)
    assert.deepEqual([answer()[2], stream.status], [2, 'open'])
    assert.notDeepEqual(answer(), status(HOP_STATUS.limit))
  }
  assert.equal(relay.server.circuits, 4)
})

test('AS-08 NA-02 who has to give its place up sees that at once, by the end of its connection', async (t) => {
  const relay = await relayNode(t)
  const { relay: service } = relay.node.services as unknown as { relay: { reservationStore: Reservations } }
  const store = service.reservationStore
  const reserve = async (ip: string, peer?: PeerId): Promise<void> => {
    const { status: answer } = store.reserve(peer ?? (await someone()), multiaddr(`/ip4/${ip}/tcp/4001`))
    assert.equal(answer, 'OK')
  }
  const placesMax = ROLES.peer.relay?.reservationsMax ?? assert.fail()
  for (let at = 1; at < placesMax; at++) await reserve(`6.6.${at}.1`)
  const target = await placed(t, relay, (stream) => {
    stream.send(STOP_OK)
  })
  await reserve('6.6.6.6', target.peerId)
  const caller = await (await rawPeer(t)).dial(relay.node.getMultiaddrs())
  const { stream, answer } = await ask(caller, connectTo(target))
  await until(() => answer().length > 0 && relay.server.circuits === 1)
  await reserve('30.0.0.1')
  assert.equal(store.get(target.peerId), undefined)
  await until(() => target.getConnections().length === 0 && relay.server.circuits === 0)
  await until(() => stream.status !== 'open')
  assert.equal(relay.server.reservations, placesMax)
})
