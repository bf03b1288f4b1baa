import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { concat, u32be } from '../../src/lib/bytes.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { nativeProvider } from '../../src/crypto/native.ts'
import { FrameReader } from '../../src/net/frames/framing.ts'
import { Host } from '../../src/net/host.ts'
import { LOCAL, MAIN } from '../../src/lib/network-profile.ts'
import { publicKeyOfPeerId } from '../../src/net/peer-id.ts'
import type { HolderCaller } from '../../src/net/ports.ts'
import { protocolsOf } from '../../src/net/protocols.ts'
import type * as Ports from '../../src/services/ports.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { DIRECT_FRAME, directFrameCodec } from '../../src/wire/direct.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import { HOLDER_FRAME, HOLDER_STATUS, HOLDER_VERB, holderServerFrameCodec } from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { Deposit } from '../../src/wire/letter.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { rawPeer } from '../unit/net/raw-peer.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { newHost, soon, startHost, tempDir, until } from '../unit/net/hosts.ts'

const { holder: HOLDER, direct: DIRECT } = protocolsOf('local')
const FIND: HolderRequest = { kind: HOLDER_VERB.find, body: { target: new Uint8Array(32) } }
const ok: HolderResponse = { status: HOLDER_STATUS.ok, answer: { kind: 0, body: {} }, closer: [] }

const envelope = (bytes: Uint8Array): DirectFrame => ({ kind: DIRECT_FRAME.envelope, body: { envelope: bytes } })
const envelopeOf = (frame: DirectFrame): Uint8Array =>
  frame.kind === DIRECT_FRAME.envelope ? frame.body.envelope : assert.fail()

/** A host that joined by the other. */
async function joined(t: TestContext, to: Host): Promise<Host> {
  const host = await newHost(t, { bootstrap: to.addresses() })
  await until(() => host.routing.known(new Uint8Array(32), 1).length > 0)
  return host
}

/** A stranger's stream on a holder, greeted. */
async function rawStream(t: TestContext, host: Host): Promise<{ stream: Stream; reader: FrameReader }> {
  const node = await rawPeer(t)
  const connection = await node.dial(host.addresses().map((text) => multiaddr(text)))
  const stream = await connection.newStream(HOLDER.id)
  const reader = new FrameReader(stream, HOLDER, systemClock, false)
  const hello = decode(holderServerFrameCodec, (await reader.next()) ?? assert.fail())
  assert.equal(hello.kind, HOLDER_FRAME.hello)
  return { stream, reader }
}

test('the floor satisfies the ports of the services by its shape', async (t) => {
  const host = await newHost(t)
  const network: Ports.HolderNetwork = host.holderNetwork
  const routing: Ports.Routing = host.routing
  const direct: Ports.DirectNetwork = host.direct
  const signer: Ports.PeerSigner = host.signer
  const handler: Ports.HolderHandler = async () => ok
  await host.setHolderHandler(handler)
  assert.ok(network !== undefined && direct !== undefined)
  assert.equal(routing.self().id, signer.peerId)
  assert.equal(host.peerId, signer.peerId)
  const message = systemRng.bytes(32)
  const publicKey = publicKeyOfPeerId(host.peerId) ?? assert.fail()
  assert.ok(nativeProvider.ed25519Verify(publicKey, message, signer.sign(message)))
})

test('ID-08 a host joins by the one good bootstrap address among bad ones', async (t) => {
  const a = await newHost(t)
  const { log, lines } = recordingLogger()
  const bootstrap = ['/ip4/127.0.0.1/tcp/1', 'not an address', ...a.addresses()]
  const b = await newHost(t, { bootstrap, log })
  await until(() => b.peers().some((peer) => peer.id === a.peerId))
  assert.ok(lines.some((line) => line.level === 'warn' && line.fields?.['entry'] === 2))
})

test('a peer keeps its id over a restart, and finds the network again without bootstrap', async (t) => {
  const a = await newHost(t)
  const dir = await tempDir(t)
  const first = await startHost(t, dir, { bootstrap: a.addresses() })
  await until(() => first.routing.known(new Uint8Array(32), 1).length > 0)
  await first.stop()
  const second = await startHost(t, dir)
  assert.equal(second.peerId, first.peerId)
  await until(() => second.peers().some((peer) => peer.id === a.peerId))
})

test('a daemon that cannot listen says so', async (t) => {
  const a = await newHost(t)
  const listen = [(a.addresses()[0] ?? '').replace(/\/p2p\/.*/, '')]
  await assert.rejects(newHost(t, { listen }), { name: 'NetworkError' })
})

test('requests are pipelined, answers may come out of order, pushes come in between', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  let caller: HolderCaller | undefined
  await a.setHolderHandler(async (from, request) => {
    caller = from
    const first = request.kind === HOLDER_VERB.find ? (request.body.target[0] ?? 0) : 0
    await new Promise((resolve) => setTimeout(resolve, 20 - first))
    const closer = [{ id: `peer${first}`, addresses: [] }]
    return { ...ok, closer }
  })
  const pushed: string[] = []
  b.holderNetwork.onPush((peerId, { letter }) => pushed.push(`${peerId} ${letter.address[0]}`))
  const link = await b.holderNetwork.link(a.routing.self(), soon())
  assert.equal(link, await b.holderNetwork.link({ id: a.peerId, addresses: [] }, soon()), 'one link per peer')
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const target = new Uint8Array(32).fill(i)
      const response = await link.request({ kind: HOLDER_VERB.find, body: { target } }, soon())
      assert.equal(response.closer[0]?.id, `peer${i}`)
      order.push(i)
    }),
  )
  assert.notDeepEqual(
    order,
    [...order].sort((x, y) => x - y),
  )
  assert.equal(caller?.peerId, b.peerId)
  assert.equal(caller?.ip, '127.0.0.1')
  assert.deepEqual(caller?.challenge, link.challenge)
  assert.equal(caller?.push(aDeposit()), true)
  await until(() => pushed.length === 1)
  assert.deepEqual(pushed, [`${a.peerId} 7`])
  let closed = 0
  caller?.onClose(() => closed++)
  await b.disconnect(a.peerId)
  await until(() => closed === 1)
  assert.equal(caller?.push(aDeposit()), false)
  await assert.rejects(link.request(FIND, soon()), { name: 'NetworkError' })
})

test('a frozen holder: the request times out, the link is given up', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  await a.setHolderHandler(async () => new Promise(() => {}))
  const link = await b.holderNetwork.link(a.routing.self(), soon())
  await assert.rejects(link.request(FIND, soon(100)), { name: 'TimeoutError' })
  assert.equal(link.alive, false)
})

test('MB-29 who does not hold a record names closer peers, and one of them has it', async (t) => {
  const [a, c] = [await newHost(t), await newHost(t)]
  await a.setHolderHandler(async () => ({ ...ok, status: HOLDER_STATUS.notFound, closer: [c.routing.self()] }))
  await c.setHolderHandler(async () => ok)
  const b = await joined(t, a)
  const request: HolderRequest = { kind: HOLDER_VERB.getCard, body: { key: new Uint8Array(32) } }
  const ask = async (peer: PeerRecord): Promise<HolderResponse> =>
    (await b.holderNetwork.link(peer, soon())).request(request, soon())
  const first = await ask(a.routing.self())
  assert.equal(first.status, HOLDER_STATUS.notFound)
  assert.equal((await ask(first.closer[0] ?? assert.fail())).status, HOLDER_STATUS.ok)
  await until(() => b.routing.known(new Uint8Array(32), 5).length === 2)
})

test('a peer that is no holder is not in the table, and one that stops being a holder leaves it', async (t) => {
  const a = await newHost(t)
  const light = await newHost(t, { holder: false, bootstrap: a.addresses() })
  const b = await joined(t, a)
  await until(() => light.routing.known(new Uint8Array(32), 5).length > 0)
  await until(() => a.routing.known(new Uint8Array(32), 5).length > 0)
  await until(() => a.peers().some((peer) => peer.id === light.peerId))
  assert.deepEqual(
    a.routing.known(new Uint8Array(32), 5).map((peer) => peer.id),
    [b.peerId],
  )
  await assert.rejects(a.holderNetwork.link(light.routing.self(), soon()), { name: 'NetworkError' })
  await b.setHolderHandler(undefined)
  await until(() => a.routing.known(new Uint8Array(32), 5).length === 0)
})

test('AS-08 malformed, oversized and endless: the stream is reset, the host goes on serving', async (t) => {
  const a = await newHost(t)
  const malformed = await rawStream(t, a)
  malformed.stream.send(concat(u32be(5), systemRng.bytes(5)))
  await until(() => malformed.stream.status === 'reset')
  assert.equal(a.counters().malformed, 1)
  const oversized = await rawStream(t, a)
  oversized.stream.send(u32be(HOLDER.frameBytesMax + 1))
  await until(() => oversized.stream.status === 'reset')
  const b = await joined(t, a)
  const link = await b.holderNetwork.link(a.routing.self(), soon())
  assert.equal((await link.request(FIND, soon())).status, HOLDER_STATUS.ok)
})

test('AS-08 of many streams on one connection four are served', async (t) => {
  const a = await newHost(t)
  const node = await rawPeer(t)
  const connection = await node.dial(a.addresses().map((text) => multiaddr(text)))
  const greeted = async (): Promise<boolean> => {
    try {
      const stream = await connection.newStream(HOLDER.id, { maxOutboundStreams: 1_000, signal: soon(2_000) })
      const reader = new FrameReader(stream, { ...HOLDER, frameDeadlineMs: 1_000 }, systemClock, true)
      return (await reader.next()) !== undefined
    } catch {
      return false
    }
  }
  const results = await Promise.all(Array.from({ length: 60 }, greeted))
  assert.equal(results.filter(Boolean).length, HOLDER.inboundStreamsMax)
})

test('AS-08 a caller in a hurry is told to slow down before its requests are decoded', async (t) => {
  const a = await newHost(t)
  let served = 0
  await a.setHolderHandler(async () => {
    served++
    return ok
  })
  const b = await joined(t, a)
  const link = await b.holderNetwork.link(a.routing.self(), soon())
  const statuses: number[] = []
  const ask = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) statuses.push((await link.request(FIND, soon(10_000))).status)
  }
  await Promise.all(Array.from({ length: 100 }, ask))
  assert.ok(statuses.includes(HOLDER_STATUS.rate))
  assert.ok(served < 6_000 && served >= HOLDER.rate.burst, `${served} served`)
})

test('DT-20 large and small frames arrive in the order in which they were sent, one at a time', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  const seen: number[] = []
  let inside = 0
  a.direct.onFrame(async (peerId, frame) => {
    assert.equal(peerId, b.peerId)
    assert.equal(++inside, 1)
    const bytes = envelopeOf(frame)
    seen.push(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0))
    if (seen.length % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    inside--
  })
  const sends = Array.from({ length: 300 }, async (_, i) => {
    const bytes = new Uint8Array(i % 3 === 0 ? 65_000 : 20)
    bytes.set([i >> 8, i & 0xff])
    await b.direct.send(a.routing.self(), envelope(bytes), soon())
  })
  await Promise.all(sends)
  await until(() => seen.length === 300)
  assert.deepEqual(
    seen,
    Array.from({ length: 300 }, (_, i) => i),
  )
})

test('both sides open a direct stream at the same moment: everything arrives, both are connected', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  const got: Record<string, number[]> = { a: [], b: [] }
  a.direct.onFrame(async (_peerId, frame) => void got['a']?.push(envelopeOf(frame)[0] ?? 0))
  b.direct.onFrame(async (_peerId, frame) => void got['b']?.push(envelopeOf(frame)[0] ?? 0))
  for (let i = 0; i < 20; i++) {
    const frame = envelope(Uint8Array.of(i))
    await Promise.all([a.direct.send(b.routing.self(), frame, soon()), b.direct.send(a.routing.self(), frame, soon())])
  }
  const all = Array.from({ length: 20 }, (_, i) => i)
  await until(() => got['a']?.length === 20 && got['b']?.length === 20)
  assert.deepEqual(got, { a: all, b: all })
  assert.ok(a.direct.connected(b.peerId) && b.direct.connected(a.peerId))
})

test('a malformed direct frame resets the stream', async (t) => {
  const a = await newHost(t)
  const node = await rawPeer(t)
  const stream = await (await node.dial(a.addresses().map((text) => multiaddr(text)))).newStream(DIRECT.id)
  stream.send(concat(u32be(3), Uint8Array.of(2, 9, 9)))
  await until(() => stream.status !== 'open')
})

test('PR-01 PR-04 frames of a later version are passed over; who says hello once hears no live signals', async (t) => {
  const a = await newHost(t)
  const node = await rawPeer(t)
  const stream = await (await node.dial(a.addresses().map((text) => multiaddr(text)))).newStream(DIRECT.id)
  const got: DirectFrame[] = []
  a.direct.onFrame(async (_peerId, frame) => void got.push(frame))
  const peerId = node.peerId.toString()
  const framed = (bytes: Uint8Array): Uint8Array => concat(u32be(bytes.length), bytes)
  const hello = framed(Uint8Array.of(DIRECT_FRAME.hello))
  const sent = envelope(Uint8Array.of(1))
  stream.send(concat(hello, framed(Uint8Array.of(200, 1, 2)), framed(encode(directFrameCodec, sent))))
  await until(() => got.length === 1)
  assert.deepEqual(got, [sent])
  assert.deepEqual([a.direct.connected(peerId), a.direct.hearsLive(peerId)], [true, false])
  stream.send(hello)
  await until(() => a.direct.hearsLive(peerId))
  assert.equal(stream.status, 'open')
})

test('a listener that is slow holds the sender back instead of filling memory', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let taken = 0
  a.direct.onFrame(async () => {
    await held
    taken++
  })
  let sent = 0
  const sending = (async () => {
    for (let i = 0; i < 120; i++) {
      await b.direct.send(a.routing.self(), envelope(new Uint8Array(60_000)), soon(10_000))
      sent++
    }
  })()
  await new Promise((resolve) => setTimeout(resolve, 400))
  assert.ok(sent < 60, `${sent} frames of 60 kB were taken while nobody read`)
  release()
  await sending
  await until(() => taken === 120)
})

test('DT-15 after the link is cut it comes back by itself, and the next message goes through', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  const got: number[] = []
  a.direct.onFrame(async (_peerId, frame) => void got.push(envelopeOf(frame)[0] ?? 0))
  await b.direct.send(a.routing.self(), envelope(Uint8Array.of(1)), soon())
  await until(() => got.length === 1)
  const changes: boolean[] = []
  b.holderNetwork.onPeerChange((_peerId, connected) => changes.push(connected))
  await b.disconnect(a.peerId)
  await until(() => changes.includes(false))
  await until(() => b.peers().some((peer) => peer.id === a.peerId))
  await b.direct.send(a.routing.self(), envelope(Uint8Array.of(2)), soon())
  await until(() => got.length === 2)
  assert.deepEqual(changes, [false, true])
})

test('a peer that is killed: requests fail at once, it leaves the table, the others go on', async (t) => {
  const a = await newHost(t)
  const script = fileURLToPath(new URL('../unit/net/victim.ts', import.meta.url))
  const child = spawn(process.execPath, [script, await tempDir(t), a.addresses()[0] ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const victim = JSON.parse(line) as PeerRecord
  await until(() => a.routing.known(new Uint8Array(32), 5).some((peer) => peer.id === victim.id))
  const link = await a.holderNetwork.link(victim, soon())
  await link.request(FIND, soon())
  child.kill('SIGKILL')
  await once(child, 'exit')
  const start = performance.now()
  await assert.rejects(link.request(FIND, soon(5_000)), { name: 'NetworkError' })
  await until(() => a.routing.known(new Uint8Array(32), 5).length === 0)
  await assert.rejects(a.holderNetwork.link(victim, soon()), { name: 'NetworkError' })
  await assert.rejects(a.direct.send(victim, envelope(Uint8Array.of(1)), soon()), { name: 'NetworkError' })
  assert.ok(performance.now() - start < 3_000)
})

test('on a public network private addresses are not told, learned or dialled, unless the user gave them', async (t) => {
  const a = await newHost(t, { profile: { ...MAIN, inboundPerSecond: 1_000 } })
  assert.deepEqual(a.addresses(), [])
  const listening = a.listening()[0] ?? assert.fail()
  const stranger = await newHost(t, { profile: MAIN })
  await assert.rejects(stranger.dial(listening, soon()), { name: 'NetworkError' })
  const told = await newHost(t, { profile: MAIN, bootstrap: [listening] })
  await until(() => told.peers().some((peer) => peer.id === a.peerId))
})

test('a lie about the addresses of an honest, unconnected peer costs it nothing', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  await b.disconnect(a.peerId)
  const lie = { id: a.peerId, addresses: ['/ip4/127.0.0.1/tcp/1'] }
  const link = await b.holderNetwork.link(lie, soon())
  assert.equal((await link.request(FIND, soon())).status, HOLDER_STATUS.ok)
  await b.disconnect(a.peerId)
  await b.direct.send(lie, envelope(Uint8Array.of(1)), soon())
  assert.ok(b.routing.known(new Uint8Array(32), 1).some((peer) => peer.id === a.peerId))
})

test('a start that fails leaves nothing behind: the next one fails for the same reason', async (t) => {
  const dir = await tempDir(t)
  const host = await Host.create({
    keyFile: join(dir, 'node.key'),
    cacheFile: join(dir, 'peers'),
    listen: ['not an address'],
    announce: [],
    bootstrap: [],
    role: 'peer',
    profile: LOCAL,
    crypto: nativeProvider,
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
  })
  const reason = async (): Promise<string> =>
    host.start().then(
      () => assert.fail('it started'),
      (error: unknown) => String(error),
    )
  assert.equal(await reason(), await reason())
})

test('peers of another network do not speak with each other', async (t) => {
  const a = await newHost(t)
  const b = await newHost(t, { profile: { ...LOCAL, name: 'other' }, bootstrap: a.addresses() })
  await until(() => b.peers().length > 0 && a.peers().length > 0)
  await assert.rejects(b.holderNetwork.link(a.routing.self(), soon()), { name: 'NetworkError' })
  assert.deepEqual(a.routing.known(new Uint8Array(32), 5), [])
})

test('a host stops within two seconds while peers are busy with it', async (t) => {
  const a = await newHost(t)
  const b = await joined(t, a)
  await a.setHolderHandler(async () => new Promise(() => {}))
  const link = await b.holderNetwork.link(a.routing.self(), soon())
  const waiting = assert.rejects(link.request(FIND, soon(10_000)), { name: 'NetworkError' })
  const start = performance.now()
  await a.stop()
  assert.ok(performance.now() - start < 2_000)
  await waiting
})

function aDeposit(): Deposit {
  const letter = {
    version: 1,
    kind: 2,
    address: new Uint8Array(32).fill(7),
    lane: new Uint8Array(16),
    expiry: 1,
    sizeClass: 0,
    commitment: new Uint8Array(32),
    stamp: { bits: 4, nonce: new Uint8Array(16) },
    ciphertext: new Uint8Array(2_048),
  } as const
  return { letter, proof: { kind: 2, body: { reserved: 0 } } }
}
