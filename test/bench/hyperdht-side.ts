/**
 * The peer of the put, read and half-gone benches: `hyperdht NODES [PORT]`. Orders: `put`, `get`, `put-get`; its mutable records, each
 * written before. With a port its nodes join the one that listens there.
 */
import { randomBytes } from 'node:crypto'
import DHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { cpuMs, inFlight, percentile, timed } from './harness.ts'
import type { Sample } from './harness.ts'
import { KEYS, LANES } from './side-types.ts'
import type { BenchSide } from './side-types.ts'

/** The most that a mutable record of hyperdht holds, less a margin for its header. */
const VALUE_BYTES = 900

type KeyPair = ReturnType<typeof DHT.keyPair>

class HyperdhtSide {
  readonly #client: DHT
  readonly #reader: DHT
  readonly #keys = Array.from({ length: KEYS }, () => DHT.keyPair())
  #seq = 0

  constructor(client: DHT, reader: DHT) {
    this.#client = client
    this.#reader = reader
  }

  /** Every key is written once. */
  async prepare(): Promise<void> {
    for (const key of this.#keys) await this.#put(key)
  }

  async puts(count: number): Promise<Sample> {
    let times: readonly number[] = []
    const spent = await cpuMs(async () => {
      times = await timed(count, async (i) => this.#put(this.#key(i)))
    })
    const [p50, p95] = [percentile(times, 50), percentile(times, 95)]
    return { p50, p95, whole: p50, cpu: spent / count }
  }

  /** The newest of all 20 nodes, and the first that any of them gives. */
  async gets(count: number): Promise<Sample> {
    let whole: readonly number[] = []
    const spent = await cpuMs(async () => {
      whole = await timed(count, async (i) => this.#get(this.#key(i), true))
    })
    const first = await timed(count, async (i) => this.#get(this.#key(i), false))
    return { whole: percentile(whole, 50), first: percentile(first, 50), cpu: spent / count }
  }

  async putsAndGets(count: number): Promise<Sample> {
    const puts: number[] = []
    const gets: number[] = []
    await inFlight(count, LANES, async (i) => {
      puts.push(...(await timed(1, async () => this.#put(this.#key(i)))))
      gets.push(...(await timed(1, async () => this.#get(this.#key(i), false))))
    })
    return {
      put50: percentile(puts, 50),
      put95: percentile(puts, 95),
      read50: percentile(gets, 50),
      read95: percentile(gets, 95),
    }
  }

  #key(index: number): KeyPair {
    return this.#keys[index % KEYS] as KeyPair
  }

  async #put(key: KeyPair): Promise<void> {
    await this.#client.mutablePut(key, randomBytes(VALUE_BYTES), { seq: ++this.#seq })
  }

  async #get(key: KeyPair, latest: boolean): Promise<void> {
    if ((await this.#reader.mutableGet(key.publicKey, { latest })) === null) throw new Error('the value was not found')
  }
}

export async function open([nodes = '', port = '']: readonly string[]): Promise<BenchSide> {
  const testnet = await createTestnet(
    Number(nodes),
    port === '' ? {} : { bootstrap: [{ host: '127.0.0.1', port: Number(port) }] },
  )
  const [client, reader] = [testnet.createNode(), testnet.createNode()]
  await Promise.all([client.fullyBootstrapped(), reader.fullyBootstrapped()])
  const side = new HyperdhtSide(client, reader)
  let prepared: Promise<void> | undefined
  return {
    info: String(testnet.bootstrap[0]?.port ?? ''),
    turn: async (order, count) => {
      await (prepared ??= side.prepare())
      if (order === 'put') return side.puts(count)
      if (order === 'get') return side.gets(count)
      return order === 'prepare' ? {} : side.putsAndGets(count)
    },
    close: async () => testnet.destroy(),
  }
}
