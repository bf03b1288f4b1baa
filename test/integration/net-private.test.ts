import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { nativeProvider } from '../../src/crypto/native.ts'
import { seededRng } from '../../src/lib/rng.ts'
import type { Host } from '../../src/net/host.ts'
import { multihashOfPeerId, positions } from '../../src/net/peer-id.ts'
import { newHost, soon, until } from '../unit/net/hosts.ts'
import { rawPeer } from '../unit/net/raw-peer.ts'

const SEED = 3
const WALKS = 8
const positionOf = positions((bytes) => nativeProvider.sha256(bytes))

/** Everything that a stranger gets to see of a network by asking for these: kad-dht's answers, and those of holders. */
async function dump(t: TestContext, network: readonly Host[], wanted: readonly Host[]): Promise<string> {
  const [entrance = assert.fail()] = network
  const rng = seededRng(SEED)
  const seen: string[] = []
  const raw = await rawPeer(t)
  await raw.dial(entrance.addresses().map((text) => multiaddr(text)))
  const keys = [
    ...wanted.map(({ peerId }) => multihashOfPeerId(peerId) ?? assert.fail()),
    ...Array.from({ length: WALKS }, () => rng.bytes(32)),
  ]
  for (const key of keys) {
    for await (const event of raw.services.dht.getClosestPeers(key, { signal: soon() })) {
      if (event.name !== 'PEER_RESPONSE') continue
      seen.push(...event.closer.map(({ id, multiaddrs }) => `${id.toString()} ${multiaddrs.join(' ')}`))
    }
  }
  const stranger = await newHost(t, { holder: false, bootstrap: entrance.addresses() })
  await until(() => stranger.routing.known(new Uint8Array(32), 1).length > 0)
  const targets = [...wanted.map(({ peerId }) => positionOf(peerId) ?? assert.fail()), ...keys.slice(wanted.length)]
  for (const target of targets) seen.push(JSON.stringify(await stranger.routing.closest(target, 20, soon())))
  for (const host of network) seen.push(JSON.stringify(targets.map((target) => host.routing.known(target, 20))))
  return seen.join('\n')
}

test(`NA-01 who is a client only is in no answer of the network: neither its id nor where it is (seed ${SEED})`, async (t) => {
  const network = [await newHost(t)]
  while (network.length < 4) network.push(await newHost(t, { bootstrap: network[0]?.addresses() ?? [] }))
  const bootstrap = network.flatMap((host) => host.addresses())
  const home = await newHost(t, { role: 'light', holder: false, bootstrap })
  await until(() => network.every((host) => host.peers().some(({ id }) => id === home.peerId)))
  const [server = assert.fail()] = network.slice(1)
  const portOf = (host: Host): string => /tcp\/(\d+)/.exec(host.addresses()[0] ?? '')?.[1] ?? assert.fail()
  const seen = await dump(t, network, [home, server])
  assert.ok(seen.includes(server.peerId) && seen.includes(`/tcp/${portOf(server)}`), 'the dump has who serves')
  assert.ok(!seen.includes(home.peerId), 'its id is told')
  assert.doesNotMatch(seen, new RegExp(`/tcp/${portOf(home)}\\b`), 'where it is is told')
})
