/** Names that strangers give: no server of names ever hears of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { soon, until } from './hosts.ts'
import { rawPeer } from './raw-peer.ts'

const KAD = protocolsOf('local').kadId
const HOSTILE = multiaddr('/dnsaddr/evil.example')

interface Inner {
  readonly components: { dns: unknown; readonly connectionManager: Pick<Node, 'isDialable'> }
}

/** A node, and the names that it asks for: each is two others, and so on. */
async function asking(t: TestContext): Promise<{ node: Node; names: string[] }> {
  const node = await rawPeer(t)
  const names: string[] = []
  const twoOf = (name: string): object[] => ['a', 'b'].map((part) => ({ data: `dnsaddr=/dnsaddr/${part}.${name}` }))
  const query = async (name: string): Promise<object> => {
    names.push(name)
    if (names.length > 8) throw new Error('this would go on for ever')
    return { Answer: twoOf(name.replace('_dnsaddr.', '')) }
  }
  ;(node as unknown as Inner).components.dns = { query }
  return { node, names }
}

/** Says to every question that `id` is to be found at the address. */
async function lies(liar: Node, id: Uint8Array, address: Multiaddr): Promise<void> {
  const field = (number: number, bytes: Uint8Array): number[] => [(number << 3) | 2, bytes.length, ...bytes]
  const peer = Uint8Array.from([...field(1, id), ...field(2, address.bytes)])
  await liar.unhandle(KAD)
  await liar.handle(KAD, (stream) => {
    stream.addEventListener('message', ({ data }) => {
      const question = data.subarray()
      const type = question[question.indexOf(0x08) + 1] ?? 0
      const answer = [0x08, type, ...field(8, peer)]
      stream.send(Uint8Array.from([answer.length, ...answer]))
    })
  })
}

test('AS-08 SE-19 a name that a stranger wants dialled is not looked up, however it is dressed', async (t) => {
  const { node, names: asked } = await asking(t)
  for (const text of [
    '/dnsaddr/evil.example',
    '/dnsaddr/evil.example/tcp/1',
    '/ip4/8.8.8.8/tcp/1/dnsaddr/evil.example',
  ])
    await (node as unknown as Inner).components.connectionManager.isDialable(multiaddr(text))
  await assert.rejects(node.dial(HOSTILE, { signal: soon() }))
  assert.deepEqual(asked, [])
})

test('AS-08 SE-19 MB-30 an answer of kad-dht that names a name leads to no question about it', async (t) => {
  const { node, names: asked } = await asking(t)
  const liar = await rawPeer(t)
  const named = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes
  await lies(liar, named, HOSTILE)
  await node.dial(liar.getMultiaddrs(), { signal: soon() })
  const table = (node.services.dht as unknown as { readonly routingTable: { readonly size: number } }).routingTable
  await until(() => table.size > 0)
  const told: number[] = []
  for await (const event of node.services.dht.getClosestPeers(named, { signal: soon() }))
    if (event.name === 'PEER_RESPONSE') told.push(event.closer.length)
  assert.ok(told.includes(1), 'the lie was heard')
  assert.deepEqual(asked, [])
})
