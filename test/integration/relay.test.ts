/** Relays between real hosts on 127.0.0.1: who listens nowhere is reached over them. NATs themselves are in the lab. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import type { Host } from '../../src/net/host.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import { rawPeer } from '../unit/net/raw-peer.ts'
import { newHost, soon, startHost, tempDir, until } from '../unit/net/hosts.ts'

const STOP = '/libp2p/circuit/relay/0.2.0/stop'
const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const RELAY_DEADLINE_MS = 20_000

const frame = (byte: number, length = 100): DirectFrame => ({
  kind: DIRECT_FRAME.envelope,
  body: { envelope: new Uint8Array(length).fill(byte) },
})

/** Hosts that know one another. */
async function relays(t: TestContext, count: number): Promise<Host[]> {
  const hosts = [await newHost(t)]
  while (hosts.length < count) hosts.push(await newHost(t, { bootstrap: hosts[0]?.addresses() ?? [] }))
  await until(() => hosts.every((host) => host.reach().serves.relay))
  return hosts
}

/** A host that nobody can dial. */
async function hidden(t: TestContext, by: readonly Host[], places: number): Promise<Host> {
  const bootstrap = by.flatMap((host) => host.addresses())
  const host = await newHost(t, { listen: [], holder: false, bootstrap })
  await until(() => host.reach().relays.length === places, RELAY_DEADLINE_MS)
  return host
}

const relayIds = (host: Host): string[] => host.reach().relays.map(({ peerId }) => peerId)

test('NA-02 NA-05 who listens nowhere keeps two relays, is reached over them, and replaces one that stops', async (t) => {
  const public_ = await relays(t, 3)
  const host = await hidden(t, public_, 2)
  assert.equal(host.reach().reachability, 'behind-nat')
  const [first, second] = relayIds(host)
  assert.notEqual(first, second)
  assert.ok(host.addresses().length >= 2)
  assert.ok(host.addresses().every((address) => address.endsWith(`/p2p-circuit/p2p/${host.peerId}`)))
  assert.deepEqual(host.routing.self().addresses, host.addresses(), 'what contacts are told')

  const got: number[] = []
  host.direct.onFrame(async (_peerId, { body }) => void got.push('envelope' in body ? (body.envelope[0] ?? 0) : 0))
  const friend = await newHost(t, { holder: false })
  for (let at = 0; at < 20; at++) {
    await friend.direct.send({ id: host.peerId, addresses: host.addresses() }, frame(at, 5_000), soon(10_000))
  }
  await until(() => got.length === 20)
  assert.deepEqual(got, [...Array.from({ length: 20 }).keys()])

  const told: string[][] = []
  host.onReach(() => told.push([...host.addresses()]))
  const gone = public_.find(({ peerId }) => peerId === first) ?? assert.fail()
  await gone.stop()
  await until(() => host.reach().relays.length === 2 && !relayIds(host).includes(gone.peerId), RELAY_DEADLINE_MS)
  await until(() => told.at(-1)?.every((address) => !address.includes(gone.peerId)) === true)
})

test('NA-02 a place is back when the only relay was restarted', async (t) => {
  const dir = await tempDir(t)
  const relay = await startHost(t, dir, { role: 'relay', holder: false })
  const [address = assert.fail()] = relay.addresses()
  const host = await newHost(t, { listen: [], holder: false, bootstrap: [address] })
  await until(() => host.reach().relays.length === 1, RELAY_DEADLINE_MS)
  const port = /tcp\/(\d+)/.exec(address)?.[1] ?? assert.fail()
  await relay.stop()
  await until(() => host.reach().relays.length === 0)
  assert.deepEqual(host.addresses(), [], 'nobody is told a relay that is gone')
  const again = await startHost(t, dir, { role: 'relay', holder: false, listen: [`/ip4/127.0.0.1/tcp/${port}`] })
  assert.equal(again.peerId, relay.peerId)
  await until(() => host.reach().relays.length === 1, 3 * RELAY_DEADLINE_MS)
  assert.equal(again.reach().serves.reservations, 1)
  const friend = await newHost(t, { holder: false })
  await friend.direct.send({ id: host.peerId, addresses: host.addresses() }, frame(1), soon(10_000))
})

test('NA-05 three who write a MiB each over one relay at a time are all read, and everybody in order', async (t) => {
  const relay = await startHost(t, await tempDir(t), { role: 'relay', holder: false })
  const host = await hidden(t, [relay], 1)
  const got = new Map<string, number[]>()
  host.direct.onFrame(async (peerId, { body }) => {
    const numbers = got.get(peerId) ?? []
    got.set(peerId, [...numbers, 'envelope' in body ? (body.envelope[0] ?? 0) : 0])
  })
  const friends = await Promise.all([1, 2, 3].map(async () => newHost(t, { holder: false })))
  const record = { id: host.peerId, addresses: host.addresses() }
  await Promise.all(
    friends.map(async (friend) => {
      for (let at = 0; at < 16; at++) await friend.direct.send(record, frame(at, 65_536), soon(20_000))
    }),
  )
  assert.equal(relay.reach().serves.circuits, 3)
  await until(() => friends.every(({ peerId }) => got.get(peerId)?.length === 16), RELAY_DEADLINE_MS)
  for (const numbers of got.values()) assert.deepEqual(numbers, [...Array.from({ length: 16 }).keys()])
})

test('AS-08 a relay carries to nobody who did not ask for it, and gives up the places of those who are gone', async (t) => {
  const [relay = assert.fail()] = await relays(t, 1)
  const host = await hidden(t, [relay], 1)
  assert.equal(relay.reach().serves.reservations, 1)
  const friend = await newHost(t, { holder: false })
  const [at = assert.fail()] = relay.addresses()
  const stranger = await newHost(t, { holder: false })
  const circuit = `${at}/p2p-circuit/p2p/${stranger.peerId}`
  await assert.rejects(friend.direct.send({ id: stranger.peerId, addresses: [circuit] }, frame(1), soon()), {
    name: 'NetworkError',
  })
  await host.stop()
  await until(() => relay.reach().serves.reservations === 0)
})

test('AS-08 a stranger cannot carry connections to a peer that asked for no place there', async (t) => {
  const raw = await rawPeer(t)
  const [relay = assert.fail()] = await relays(t, 1)
  const bootstrap = [...relay.addresses(), ...raw.getMultiaddrs().map(String)]
  const host = await newHost(t, { listen: [], holder: false, bootstrap })
  await until(() => host.reach().relays.length === 1, RELAY_DEADLINE_MS)
  await until(() => raw.getConnections().some(({ remotePeer }) => remotePeer.toString() === host.peerId))
  const [connection = assert.fail()] = raw.getConnections()
  const stream = await connection.newStream(STOP)
  await until(() => stream.status !== 'open')
  assert.deepEqual(relayIds(host), [relay.peerId])
})

test('OP-28 a light peer carries nothing for others', async (t) => {
  const light = await newHost(t, { role: 'light', holder: false })
  const raw = await rawPeer(t)
  const connection = await raw.dial(light.addresses().map((text) => multiaddr(text)))
  await until(() => light.reach().reachability === 'public')
  await assert.rejects(connection.newStream(HOP))
  assert.equal(light.reach().serves.relay, false)
})
