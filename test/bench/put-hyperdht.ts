/** The peer of the put bench: hyperdht's own testnet, and its mutable put. */
import { randomBytes } from 'node:crypto'
import DHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { KEYS } from './put-sides.ts'
import type { PutSide, PutTimes } from './put-sides.ts'

/** The most that a mutable record of hyperdht holds, less a margin for its header. */
const VALUE_BYTES = 900

/** `nodes` nodes and a client; puts new values under keys of its own, in turn. */
export async function openHyperdht(nodes: number): Promise<PutSide> {
  const testnet = await createTestnet(nodes)
  const client = testnet.createNode()
  await client.fullyBootstrapped()
  const keys = Array.from({ length: KEYS }, () => DHT.keyPair())
  return {
    async put(index: number): Promise<PutTimes> {
      const key = keys[index % KEYS]
      if (key === undefined) throw new Error('there is no key')
      const value = randomBytes(VALUE_BYTES)
      const startMs = performance.now()
      await client.mutablePut(key, value, { seq: Math.floor(index / KEYS) + 1 })
      const wholeMs = performance.now() - startMs
      return { storedMs: wholeMs, wholeMs }
    },
    close: async () => testnet.destroy(),
  }
}
