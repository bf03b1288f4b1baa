import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { IdentifyResult } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../../src/lib/network-profile.ts'
import { ROLES } from '../../../src/lib/roles.ts'
import { createNode, listeningOn, stopNode } from '../../../src/net/libp2p-node.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { tlsLink } from '../../../src/net/link/tls-link.ts'
import { soon, until } from './hosts.ts'
import { rawPeer } from './raw-peer.ts'

async function nodeOn(t: TestContext, profile: NetworkProfile, announce: readonly string[] = []): Promise<Node> {
  const node = await createNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/0.0.0.0/tcp/0'],
    announce,
    role: ROLES.peer,
    profile,
    kadId: protocolsOf(profile.name).kadId,
    encrypters: [tlsLink()],
    trustedAddresses: new Set(),
  })
  await node.start()
  t.after(async () => stopNode(node, silentLogger))
  return node
}

/** What a stranger hears from the node, asked and unasked. */
async function heard(t: TestContext, node: Node): Promise<string[]> {
  const stranger = await rawPeer(t)
  const results: IdentifyResult[] = []
  let known = false
  stranger.addEventListener('peer:identify', ({ detail }) => results.push(detail))
  node.addEventListener('peer:identify', () => (known = true))
  const at = listeningOn(node).find((address) => address.toString().startsWith('/ip4/127.')) ?? assert.fail()
  await stranger.dial(multiaddr(at.toString()), { signal: soon() })
  await until(() => known && results.length > 0)
  await node.handle('/news', (stream) => stream.abort(new Error('no news')))
  await until(() => results.some(({ protocols }) => protocols.includes('/news')))
  return results.flatMap(({ listenAddrs, signedPeerRecord }) =>
    [...listenAddrs, ...(signedPeerRecord?.addresses ?? [])].map(String),
  )
}

test('NA-01 NA-08 on a public network strangers hear no private address of ours, on a local one where we listen', async (t) => {
  const hidden = await nodeOn(t, MAIN)
  const announcing = await nodeOn(t, MAIN, ['/ip4/21.0.0.7/tcp/443', '/ip4/192.168.1.4/tcp/443'])
  const local = await nodeOn(t, LOCAL)
  const told = await Promise.all([hidden, announcing, local].map(async (node) => [...new Set(await heard(t, node))]))
  assert.ok(listeningOn(hidden).length > 0)
  assert.deepEqual(told, [[], ['/ip4/21.0.0.7/tcp/443'], listeningOn(local).map(String)])
})
