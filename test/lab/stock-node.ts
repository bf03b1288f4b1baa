/**
 * A host with js-libp2p as it comes: TCP, Noise, yamux, identify, circuit relay, DCUtR, WebRTC, AutoNAT v2. What Sotto's own figures
 * are compared with. A process inside the lab; one line of JSON in (StockOrder) and one out for each.
 *
 *     node stock-node.ts public PORT IP4 IP6       relay, AutoNAT and STUN server
 *     node stock-node.ts host PORT STUN-URL RELAY…  somebody behind a router
 */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webRTC } from '@libp2p/webrtc'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { pause } from '../support/daemons.ts'
import type { Figures, Path } from './measure.ts'

const ECHO = '/sotto-lab/echo/1'
const SINK = '/sotto-lab/sink/1'
const READY_MS = 20_000
const DIAL_MS = 8_000
const RTT_SAMPLES = 9
const BULK_BYTES = 4_194_304
const CHUNK_BYTES = 65_536
const BULK_MS = 8_000
const STUN_PORT = 3_478
/** The 15 of the library are used up after seven pairs: each comes with new peers, and a reservation lasts two hours. */
const RESERVATIONS_MAX = 1_000
const STUN_COOKIE = 0x2112a442

export interface StockOrder {
  /** Of the other, as its first line gave them. */
  readonly addresses: readonly string[]
  readonly directMs: number
}

/** A host's first line. */
export interface StockHello {
  readonly peerId: string
  readonly addresses: readonly string[]
}

type Node = Libp2p

/** Answers STUN binding requests (RFC 8489) with XOR-MAPPED-ADDRESS, so that no stranger's server is asked. */
function serveStun(type: 'udp4' | 'udp6'): void {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.on('error', () => {})
  socket.on('message', (request, { address, port }) => {
    if (request.length < 20 || request.readUInt16BE(0) !== 1 || request.readUInt32BE(4) !== STUN_COOKIE) return
    const value = xorAddress(address, port, request.subarray(4, 20))
    const head = Buffer.alloc(24)
    head.writeUInt16BE(0x0101, 0)
    head.writeUInt16BE(value.length + 4, 2)
    request.copy(head, 4, 4, 20)
    head.writeUInt16BE(0x0020, 20)
    head.writeUInt16BE(value.length, 22)
    socket.send(Buffer.concat([head, value]), port, address)
  })
  socket.bind(STUN_PORT)
}

function xorAddress(address: string, port: number, mask: Buffer): Buffer {
  const ip = address.includes(':') ? ip6Bytes(address) : Buffer.from(address.split('.').map(Number))
  const value = Buffer.alloc(4)
  value[1] = ip.length === 4 ? 1 : 2
  value.writeUInt16BE(port ^ (STUN_COOKIE >>> 16), 2)
  return Buffer.concat([value, ip.map((byte, i) => byte ^ (mask[i] ?? 0))])
}

function ip6Bytes(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}

async function publicNode(port: string, ip4: string, ip6: string): Promise<Node> {
  serveStun('udp4')
  serveStun('udp6')
  return createLibp2p({
    addresses: {
      listen: [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`],
      announce: [`/ip4/${ip4}/tcp/${port}`, `/ip6/${ip6}/tcp/${port}`],
    },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      relay: circuitRelayServer({ reservations: { maxReservations: RESERVATIONS_MAX } }),
      autoNAT: autoNATv2(),
    },
  })
}

async function hostNode(port: string, stun: string, relays: readonly string[]): Promise<Node> {
  return createLibp2p({
    addresses: {
      listen: [
        `/ip4/0.0.0.0/tcp/${port}`,
        `/ip6/::/tcp/${port}`,
        ...relays.map((relay) => `${relay}/p2p-circuit`),
        '/webrtc',
      ],
    },
    transports: [tcp(), circuitRelayTransport(), webRTC({ rtcConfiguration: { iceServers: [{ urls: stun }] } })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    transportManager: { faultTolerance: 1 },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      autoNAT: autoNATv2(),
      dcutr: dcutr(),
    },
  })
}

async function serve(node: Node): Promise<void> {
  const options = { runOnLimitedConnection: true }
  const echo = (stream: Stream): void => {
    stream.addEventListener('message', ({ data }) => stream.send(data))
  }
  const sink = (stream: Stream): void => {
    let bytes = 0
    stream.addEventListener('message', ({ data }) => {
      bytes += data.byteLength
      if (bytes >= BULK_BYTES) stream.send(new Uint8Array(1))
    })
  }
  await node.handle(ECHO, echo, options)
  await node.handle(SINK, sink, options)
}

const isRelayed = (connection: Connection): boolean => connection.remoteAddr.toString().includes('/p2p-circuit')
const isWebRtc = (connection: Connection): boolean => connection.remoteAddr.toString().includes('/webrtc')

function pathOf(connection: Connection): Path {
  if (isWebRtc(connection)) return 'direct-webrtc'
  return isRelayed(connection) ? 'relay' : 'direct-dial'
}

/** So many bytes come back. */
async function hears(stream: Stream, bytes: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let missing = bytes
    const end = (heard: boolean): void => {
      clearTimeout(timer)
      stream.removeEventListener('message', take)
      resolve(heard)
    }
    const take = ({ data }: { data: { byteLength: number } }): void => {
      missing -= data.byteLength
      if (missing <= 0) end(true)
    }
    const timer = setTimeout(end, timeoutMs, false)
    stream.addEventListener('message', take)
    stream.addEventListener('close', () => {
      end(false)
    })
  })
}

async function streamOn(connection: Connection, protocol: string, timeoutMs = DIAL_MS): Promise<Stream> {
  return connection.newStream(protocol, { runOnLimitedConnection: true, signal: AbortSignal.timeout(timeoutMs) })
}

async function roundTrip(connection: Connection, samples: number, timeoutMs = DIAL_MS): Promise<number | null> {
  const stream = await streamOn(connection, ECHO, Math.max(1, Math.round(timeoutMs)))
  const times: number[] = []
  for (let i = 0; i < samples; i++) {
    const began = performance.now()
    const heard = hears(stream, 100, timeoutMs)
    stream.send(new Uint8Array(100))
    if (!(await heard)) break
    times.push(performance.now() - began)
  }
  stream.abort(new Error('measured'))
  return times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)] ?? null
}

/** Mbit/s of 4 MiB; none where the relay cuts the stream before they are over. */
async function throughput(connection: Connection): Promise<number | null> {
  const stream = await streamOn(connection, SINK)
  const began = performance.now()
  const done = hears(stream, 1, BULK_MS)
  const state = { over: false }
  void done.then(() => (state.over = true))
  for (let sent = 0; sent < BULK_BYTES && !state.over; sent += CHUNK_BYTES) {
    if (!stream.send(new Uint8Array(CHUNK_BYTES))) await Promise.race([stream.onDrain().catch(() => {}), done])
  }
  const whole = await done
  stream.abort(new Error('measured'))
  return whole ? (BULK_BYTES * 8) / (performance.now() - began) / 1_000 : null
}

async function connect(node: Node, addresses: readonly string[]): Promise<Connection | undefined> {
  try {
    return await node.dial(
      addresses.map((text) => multiaddr(text)),
      { signal: AbortSignal.timeout(DIAL_MS) },
    )
  } catch {
    return undefined
  }
}

/** Until a connection without a relay stands. DCUtR works by itself; WebRTC is dialled beside it, as an application would. */
async function becomesDirect(node: Node, first: Connection, order: StockOrder): Promise<Connection | undefined> {
  const signalling = order.addresses.filter((address) => address.includes('/webrtc'))
  const end = performance.now() + order.directMs
  const peer = first.remotePeer
  const direct = (): Connection | undefined =>
    node.getConnections(peer).find((one) => one.status === 'open' && (!isRelayed(one) || isWebRtc(one)))
  if (direct() === undefined && signalling.length > 0) {
    void node
      .dial(
        signalling.map((text) => multiaddr(text)),
        { force: true, signal: AbortSignal.timeout(order.directMs) },
      )
      .catch(() => {})
  }
  // A WebRTC connection is listed before anything gets through; it counts once an echo came back on it.
  while (performance.now() < end) {
    const found = direct()
    if (found !== undefined && (await roundTrip(found, 1, end - performance.now()).catch(() => null)) !== null)
      return found
    await pause(20)
  }
  return undefined
}

async function talk(node: Node, order: StockOrder): Promise<Figures> {
  const began = performance.now()
  const plain = order.addresses.filter((address) => !address.includes('/webrtc'))
  const first = await connect(node, plain)
  const nothing: Figures = { path: 'none', firstMessageMs: null, directMs: null, rttMs: null, throughputMbit: null }
  if (first === undefined || (await roundTrip(first, 1)) === null) return nothing
  const firstMessageMs = performance.now() - began
  const direct = await becomesDirect(node, first, order)
  const directMs = direct === undefined ? null : performance.now() - began
  const used = direct ?? first
  const rttMs = await roundTrip(used, RTT_SAMPLES).catch(() => null)
  const throughputMbit = await throughput(used).catch(() => null)
  return { path: pathOf(used), firstMessageMs, directMs, rttMs, throughputMbit }
}

/** Waits until others can dial us somewhere; where that does not happen, what there is. */
async function reachable(node: Node): Promise<readonly string[]> {
  const end = performance.now() + READY_MS
  const addresses = (): readonly string[] => node.getMultiaddrs().map(String)
  const found = (): boolean => addresses().some((address) => address.includes('/p2p-circuit/webrtc'))
  while (!found() && performance.now() < end) await pause(50)
  return addresses()
}

const [role, port = '0', ...rest] = process.argv.slice(2)
const node =
  role === 'public'
    ? await publicNode(port, rest[0] ?? '', rest[1] ?? '')
    : await hostNode(port, rest[0] ?? '', rest.slice(1))
await serve(node)
await node.start()
const addresses = role === 'public' ? node.getMultiaddrs().map(String) : await reachable(node)
console.log(JSON.stringify({ peerId: node.peerId.toString(), addresses } satisfies StockHello))
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await talk(node, JSON.parse(line) as StockOrder)))
}
process.exit()
