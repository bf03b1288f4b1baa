/** Two nodes on 127.0.0.1 that know each other over a relay only, with direct streams and what upgrades them. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../../src/lib/network-profile.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { parseAddress } from '../../../src/net/addresses.ts'
import { Dialer } from '../../../src/net/dialer.ts'
import { DirectStreams } from '../../../src/net/direct/direct.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { encrypters } from '../../../src/net/holders/links.ts'
import type { LinkName } from '../../../src/net/holders/links.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { TcpDialer } from '../../../src/net/upgrade/tcp-dialer.ts'
import { Upgrader } from '../../../src/net/upgrade/upgrader.ts'
import { WebRtc } from '../../../src/net/upgrade/webrtc/webrtc.ts'
import { DIRECT_FRAME } from '../../../src/wire/direct.ts'
import type { DirectFrame } from '../../../src/wire/direct.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'
import { soon, until } from './hosts.ts'

export interface EndOptions {
  readonly clock?: Clock
  readonly profile?: NetworkProfile
  readonly links?: readonly LinkName[]
  /** Whether conversations are upgraded by themselves; not by default. */
  readonly upgrades?: boolean
  /** Whether conversations move to direct connections; they do unless told not to. */
  readonly moves?: boolean
  /** See {@link DirectStreams}. */
  readonly guestsMax?: number
  readonly tcp?: TcpDialer
  /** Whether it tells others where to dial it; by default. */
  readonly reachable?: boolean
}

export interface End {
  readonly node: Node
  readonly id: string
  /** Over the relay. */
  readonly record: PeerRecord
  readonly dialer: Dialer
  readonly tcp: TcpDialer
  readonly webRtc: WebRtc
  readonly streams: DirectStreams
  readonly upgrader: Upgrader
}

const protocols = protocolsOf('local')

async function bareNode(
  t: TestContext,
  listen: readonly string[],
  relay: boolean,
  tcp: TcpDialer,
  links?: readonly LinkName[],
) {
  const node = await createLibp2p({
    start: false,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', ...listen] },
    transports: [tcp.transport, circuitRelayTransport()],
    connectionEncrypters: [...encrypters(links ?? ['tls', 'noise'], nativeProvider, systemRng)],
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: 1_048_576, maxStreamWindowSize: 524_288 } })],
    connectionManager: { inboundConnectionThreshold: Number.POSITIVE_INFINITY },
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      ping: ping(),
      ...(relay ? { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) } : {}),
    },
  })
  t.after(async () => node.stop())
  return node as unknown as Node
}

/** A relay without limits; its address. */
export async function newRelay(t: TestContext): Promise<string> {
  const node = await bareNode(t, [], true, new TcpDialer())
  await node.start()
  return node.getMultiaddrs()[0]?.toString() ?? assert.fail()
}

/** A node with a reservation at the relay. */
export async function newEnd(t: TestContext, relay: string, options: EndOptions = {}): Promise<End> {
  const { clock = systemClock, profile = LOCAL, upgrades = false, reachable = true, moves = true, guestsMax } = options
  const tcp = options.tcp ?? new TcpDialer()
  const node = await bareNode(t, [`${relay}/p2p-circuit`], false, tcp, options.links)
  const dialer = new Dialer(node)
  const withKnown = (peer: PeerRecord): PeerRecord => peer
  const streams = new DirectStreams({
    ...(guestsMax === undefined ? {} : { guestsMax }),
    dialer,
    withKnown,
    limits: protocols.direct,
    clock,
    log: silentLogger,
  })
  await node.handle(protocols.direct.id, async (stream, connection) => streams.serve(stream, connection), {
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    runOnLimitedConnection: true,
  })
  const addresses = (): readonly string[] => node.getMultiaddrs().map(String)
  const webRtc = new WebRtc({
    clock,
    rng: systemRng,
    log: silentLogger,
    profile,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    stunPeers: () => [],
  })
  const parts = {
    selfId: node.peerId.toString(),
    node,
    dialer,
    streams,
    tcp,
    webRtc,
    limits: protocols.upgrade,
    profile,
  }
  const upgrader = new Upgrader({
    ...parts,
    addresses: () => (reachable ? addresses() : []),
    clock,
    rng: systemRng,
    log: silentLogger,
  })
  if (upgrades) await upgrader.start()
  else if (moves) node.addEventListener('connection:open', ({ detail }) => void move(streams, detail))
  await node.start()
  t.after(async () => {
    streams.stop()
    await upgrader.stop()
  })
  await until(() => addresses().some((address) => address.includes('p2p-circuit')))
  const relayed = addresses().filter((address) => address.includes('p2p-circuit'))
  return {
    node,
    id: node.peerId.toString(),
    record: { id: node.peerId.toString(), addresses: relayed },
    dialer,
    tcp,
    webRtc,
    streams,
    upgrader,
  }
}

async function move(streams: DirectStreams, connection: Connection): Promise<void> {
  if (connection.direction === 'outbound' && !connection.remoteAddr.toString().includes('p2p-circuit'))
    await streams.moveTo(connection)
}

/** A dials B past the relay. */
export async function dialPast(a: End, b: End): Promise<Connection> {
  const direct = b.node.getMultiaddrs().filter((address) => !address.toString().includes('p2p-circuit'))
  return a.dialer.dialDirect(
    direct.map((address) => parseAddress(address.toString()) ?? assert.fail()),
    soon(),
  )
}

/** A frame with a number and a filling. */
export function numbered(number: number, bytes = 8): DirectFrame {
  const envelope = new Uint8Array(Math.max(4, bytes))
  new DataView(envelope.buffer).setUint32(0, number)
  return { kind: DIRECT_FRAME.envelope, body: { envelope } }
}

/** What comes in at an end, as numbers. */
export function listen(end: End, onNumber: (number: number) => Promise<void> = async () => {}): number[] {
  const numbers: number[] = []
  end.streams.onFrame(async (_peerId, frame) => {
    const { envelope } = frame.kind === DIRECT_FRAME.envelope ? frame.body : assert.fail()
    const number = new DataView(envelope.buffer, envelope.byteOffset).getUint32(0)
    numbers.push(number)
    await onNumber(number)
  })
  return numbers
}
