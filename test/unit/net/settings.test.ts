import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawPeer } from './raw-peer.ts'

/** What `@libp2p/kad-dht` was told, as it keeps it. */
interface KadSettings {
  readonly clientMode: boolean
  readonly routingTable: { readonly kBucketSize: number; readonly kb?: { readonly kBucketSize: number } }
  readonly queryManager: { readonly alpha: number; readonly disjointPaths: number }
}

test('MB-32 MB-33 NA-04 kad-dht: buckets of 20, three questions side by side, over two disjoint paths', async (t) => {
  const node = await rawPeer(t)
  const kad = node.services.dht as unknown as KadSettings
  assert.equal(kad.routingTable.kBucketSize, 20)
  assert.equal(kad.queryManager.alpha, 3)
  assert.equal(kad.queryManager.disjointPaths, 2)
})
