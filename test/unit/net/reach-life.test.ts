/** Reach itself, with parts that only write down what is asked of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, IdentifyResult } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { ROLES } from '../../../src/lib/roles.ts'
import { identifiedAddresses } from '../../../src/net/addresses.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { parsePeerId } from '../../../src/net/peer-id.ts'
import type { ReachParts } from '../../../src/net/reach/parts.ts'
import { Reach } from '../../../src/net/reach/reach.ts'

const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const RELAY = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'
const relayId = parsePeerId(RELAY) ?? assert.fail()

function reaching(profile: NetworkProfile) {
  const clock = new VirtualClock()
  const done: string[] = []
  const dials: string[][] = []
  const state = { looks: 0, walks: 0, connections: [] as Connection[], mode: Promise.resolve(), listening: false }
  const places = new Map<string, number>()
  const node = {
    addEventListener() {},
    removeEventListener() {},
    getConnections: () => state.connections,
    getMultiaddrs: () => [],
    dial: async (targets: readonly unknown[]) => {
      dials.push(targets.map(String))
      return state.connections.find(({ direction }) => direction === 'outbound') ?? assert.fail()
    },
    peerStore: { merge: async (id: unknown) => void done.push(`protect ${String(id)}`) },
    services: { dht: { setMode: async () => state.mode }, identify: { identify: async () => {} } },
  }
  const parts = {
    proofs: {
      onProof() {},
      verified: () => [],
      unproved: () => [],
      candidates: () => 'none',
      hopeful: false,
      identified() {},
      opened() {},
      look: () => void state.looks++,
      autoNat: { serve: async () => {} },
    },
    client: {
      onLost() {},
      listen: async (on: boolean) => {
        state.listening = on
        done.push(on ? 'listen' : 'listen no more')
      },
      reserve: async (id: string) => {
        places.set(id, clock.now() + 3_600_000)
        return clock.now() + 3_600_000
      },
      carries: async () => true,
      expiresAt: (id: string) => places.get(id),
      release() {},
    },
    server: undefined,
  }
  const reach = new Reach({
    node: node as unknown as Node,
    parts: parts as unknown as ReachParts,
    role: ROLES.peer,
    profile,
    observed: { mapping: () => 'unknown', punchable: () => undefined },
    selfId: 'self',
    walk: async () => void state.walks++,
    clock,
    rng: seededRng(5),
    log: silentLogger,
  })
  return { reach, clock, state, done, dials }
}

function connection(direction: 'inbound' | 'outbound', address: string): Connection {
  return { direction, status: 'open', remotePeer: relayId, remoteAddr: multiaddr(address) } as unknown as Connection
}

function identified(over: Connection, listenAddrs: readonly string[] = []): IdentifyResult {
  return {
    peerId: relayId,
    protocols: [HOP],
    connection: over,
    listenAddrs: listenAddrs.map((text) => multiaddr(text)),
  }
}

test('AS-08 NA-02 nobody puts off the look at our reachability by speaking to us all the time', async () => {
  const { reach, clock, state } = reaching(MAIN)
  reach.start()
  const chatter = identified(connection('inbound', `/ip4/11.0.0.2/tcp/5000/p2p/${RELAY}`))
  for (let at = 0; at < 200; at++) {
    reach.identified(chatter)
    reach.moved()
    await clock.advance(100)
  }
  assert.ok(state.looks > 60 && state.looks < 110, `${state.looks} looks in 20 s`)
  await reach.stop()
})

test('SE-07 a stop that comes while a verdict is being applied leaves nothing running', async () => {
  const { reach, clock, state, done } = reaching(LOCAL) // who listens nowhere is hidden there
  const { promise, resolve } = Promise.withResolvers<void>()
  state.mode = promise
  reach.start()
  await clock.advance(1_000)
  const stopping = reach.stop()
  await clock.advance(1_000)
  resolve()
  await stopping
  await clock.advance(600_000)
  assert.deepEqual([done, state.walks, state.listening], [['listen no more'], 0, false])
})

test('SE-07 after the stop no place is looked for, and nothing is looked at', async () => {
  const { reach, clock, state, done } = reaching(LOCAL)
  reach.start()
  await clock.advance(60_000)
  assert.ok(state.walks > 0)
  assert.ok(state.listening)
  await reach.stop()
  const walks = state.walks
  reach.moved()
  await clock.advance(600_000)
  assert.deepEqual([state.walks, state.listening, done.at(-1)], [walks, false, 'listen no more'])
})

test('AS-08 NA-02 the relay’s address that others are told is one that we dialled, whatever it says', async () => {
  const { reach, clock, state, dials } = reaching({ ...MAIN, diversity: false })
  const victim = '/ip4/12.0.0.9/tcp/25'
  const inbound = connection('inbound', `/ip4/11.0.0.2/tcp/5000/p2p/${RELAY}`)
  const stranger = connection('outbound', '/ip4/13.0.0.1/tcp/4001')
  state.connections = [inbound, stranger]
  reach.start()
  await clock.advance(10_000) // nobody proves an address: behind a NAT
  reach.identified(identified(inbound, [victim]))
  await clock.advance(10_000)
  assert.deepEqual([dials, reach.relayed()], [[], []], 'what leads elsewhere is not even dialled')

  state.connections = [inbound, connection('outbound', `/ip4/11.0.0.2/tcp/4001/p2p/${RELAY}`)]
  reach.identified(identified(inbound, [victim, '/ip4/11.0.0.2/tcp/4001']))
  await clock.advance(10_000)
  assert.deepEqual(reach.relayed(), [`/ip4/11.0.0.2/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/self`])
  await reach.stop()
})

test('NA-02 who was met by WebRTC is no relay of ours until we have dialled it, and is no sign of a line', async () => {
  const { reach, clock, state, dials } = reaching({ ...MAIN, diversity: false })
  const met = connection('outbound', `/ip4/11.0.0.2/udp/50000/webrtc/p2p/${RELAY}`)
  const came = connection('inbound', `/ip4/11.0.0.2/udp/50000/webrtc/p2p/${RELAY}`)
  const address = '/ip4/11.0.0.2/tcp/4001'
  state.connections = [met, came]
  reach.start()
  await clock.advance(10_000)
  assert.equal(reach.status().reachability, 'unknown', 'nobody was dialled')
  state.connections.push(connection('outbound', '/ip4/13.0.0.1/tcp/4001'))
  await clock.advance(10_000)
  assert.equal(reach.status().reachability, 'behind-nat')
  state.connections.pop()
  for (const over of [met, came]) reach.identified(identified(over, [address]))
  await clock.advance(10_000)
  assert.deepEqual([dials, reach.relayed()], [[], []])

  reach.identified(identified(connection('inbound', `/ip4/11.0.0.2/tcp/5000/p2p/${RELAY}`), [address]))
  await clock.advance(10_000)
  assert.deepEqual(dials[0], [`${address}/p2p/${RELAY}`], 'dialled though WebRTC leads to it')
  await reach.stop()
})

test('SE-19 however many addresses a peer names, the one that we reached it by is kept', () => {
  const dialled = `/ip4/11.0.0.2/tcp/4001/p2p/${RELAY}`
  const claims = Array.from({ length: 20 }, (_, at) => `/ip4/12.0.0.${at + 1}/tcp/25`)
  const kept = identifiedAddresses(identified(connection('outbound', dialled), claims), MAIN)
  assert.equal(kept[0], dialled)
  assert.equal(kept.length, 8)
})

test('NA-02 a relay’s connection is protected as soon as it carries to us', async () => {
  const { reach, clock, state, done } = reaching(LOCAL)
  const over = connection('outbound', `/ip4/127.0.0.1/tcp/4001/p2p/${RELAY}`)
  state.connections = [over]
  reach.start()
  await clock.advance(30_000)
  reach.identified(identified(over))
  await clock.advance(1)
  assert.equal(reach.relayed().length, 1)
  await clock.advance(1_000)
  assert.ok(done.includes(`protect ${RELAY}`))
  await reach.stop()
})
