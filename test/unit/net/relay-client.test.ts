/** Places at a relay as libp2p comes with, which is slow or carries nothing where a test wants that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { ROLES } from '../../../src/lib/roles.ts'
import { createNode, stopNode } from '../../../src/net/libp2p-node.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { encrypters } from '../../../src/net/holders/links.ts'
import type { LinkName } from '../../../src/net/holders/links.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { reachParts } from '../../../src/net/reach/parts.ts'
import type { RelayClient } from '../../../src/net/reach/relay-client.ts'
import { soon } from './hosts.ts'

interface Server {
  readonly reservations: { readonly size: number }
  onHop: (...args: unknown[]) => Promise<void>
  handleConnect: (...args: unknown[]) => Promise<void>
}

interface World {
  readonly client: RelayClient
  readonly node: Node
  readonly server: Server
  readonly relayId: string
  /** Where the client dialled the relay. */
  readonly address: string
}

async function world(t: TestContext, link: LinkName, slow: Promise<void> = Promise.resolve()): Promise<World> {
  const links = encrypters([link], nativeProvider, systemRng)
  const relay = await createLibp2p({
    start: false,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [...links],
    streamMuxers: [yamux()],
    services: { identify: identify(), relay: circuitRelayServer() },
  })
  const server = relay.services.relay as unknown as Server
  const onHop = server.onHop.bind(server)
  server.onHop = async (...args) => {
    await slow
    await onHop(...args)
  }
  await relay.start()
  t.after(async () => relay.stop())

  const role = ROLES.light
  const parts = reachParts({
    announced: [],
    listen: [],
    role,
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
  })
  const node = await createNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [],
    announce: [],
    role,
    profile: LOCAL,
    kadId: protocolsOf('local').kadId,
    encrypters: links,
    trustedAddresses: new Set(),
    reach: parts,
  })
  await node.start()
  t.after(async () => stopNode(node, silentLogger))
  const connection = await node.dial(relay.getMultiaddrs(), { signal: soon() })
  await parts.client.listen(true)
  return {
    client: parts.client,
    node,
    server,
    relayId: relay.peerId.toString(),
    address: connection.remoteAddr.toString(),
  }
}

test('NA-02 a place that is granted when none is wanted any more is not kept, and not renewed', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { client, server, relayId } = await world(t, 'tls', promise)
  const asked = client.reserve(relayId, soon())
  await client.listen(false)
  resolve()
  await asked
  assert.equal(server.reservations.size, 1)
  assert.equal(client.expiresAt(relayId), undefined)
})

for (const link of ['tls', 'noise'] as const) {
  test(`NA-02 whether a relay carries to us is seen by dialling ourselves over it (${link})`, async (t) => {
    const { client, server, relayId, address } = await world(t, link)
    assert.ok((await client.reserve(relayId, soon())) > Date.now())
    for (let at = 0; at < 5; at++) assert.equal(await client.carries(address, soon()), true)
    const { handleConnect } = server
    let asked = 0
    server.handleConnect = async () => void asked++
    assert.equal(await client.carries(address, soon(300)), false, 'silence')
    assert.equal(asked, 1)
    server.handleConnect = handleConnect
    client.release(relayId)
    assert.equal(client.expiresAt(relayId), undefined)
    assert.equal(await client.carries(address, soon()), false, 'we want nothing carried by it')
  })
}

test('NA-02 a relay that we met by WebRTC is tried, and asked for a place, where others dial it', async (t) => {
  const { client, node, relayId, address } = await world(t, 'tls')
  const [met] = node.getConnections()
  Object.assign(met ?? assert.fail(), { remoteAddr: multiaddr(`/ip4/127.0.0.1/udp/9/webrtc/p2p/${relayId}`) })
  assert.equal(await client.carries(`/ip4/127.0.0.1/tcp/1/p2p/${relayId}`, soon()), false, 'nobody can dial it there')
  assert.equal(node.getConnections().length, 1)
  assert.equal(await client.carries(address, soon()), false, 'no place yet')
  const [, dialled] = node.getConnections()
  assert.equal(dialled?.remoteAddr.toString(), address)
  const asked: string[] = []
  for (const each of node.getConnections()) {
    const newStream = each.newStream.bind(each)
    each.newStream = async (...args) => {
      asked.push(each.remoteAddr.toString())
      return newStream(...args)
    }
  }
  await client.reserve(relayId, soon())
  assert.equal(await client.carries(address, soon()), true)
  assert.deepEqual([...new Set(asked)], [address])
})
