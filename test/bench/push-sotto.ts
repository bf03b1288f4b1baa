/** Somebody who writes and somebody who has subscribed: `push-sotto HOLDERS`. One order, `push`. */
import { toHex } from '../../src/lib/bytes.ts'
import { Mailbox } from '../../src/services/mailbox/mailbox.ts'
import { percentile } from './harness.ts'
import type { Sample } from './harness.ts'
import { SottoNetwork } from './network-sotto.ts'
import type { Client, Correspondent } from './network-sotto.ts'
import type { BenchSide } from './side-types.ts'

const ARRIVE_MS = 30_000
const SUBSCRIBED_MS = 30_000

class Pushes {
  readonly #writer: Client
  readonly #box: Correspondent
  readonly #waiting = new Map<string, () => void>()

  constructor(writer: Client, box: Correspondent) {
    this.#writer = writer
    this.#box = box
  }

  arrived(id: Uint8Array): void {
    this.#waiting.get(toHex(id))?.()
  }

  /** From the put to the subscriber's event, and to the third receipt. */
  async push(count: number): Promise<Sample> {
    const times: number[] = []
    for (let i = 0; i < count; i++) times.push(await this.one(ARRIVE_MS))
    return { p50: percentile(times, 50), p95: percentile(times, 95) }
  }

  async one(withinMs: number): Promise<number> {
    const { letter, id, proof } = this.#box.letter()
    const signal = AbortSignal.timeout(withinMs)
    const arrived = new Promise<number>((resolve, reject) => {
      this.#waiting.set(toHex(id), () => {
        resolve(performance.now())
      })
      signal.addEventListener('abort', () => {
        reject(new Error('nothing was pushed'))
      })
    })
    const startMs = performance.now()
    const [atMs] = await Promise.all([arrived, this.#writer.depositor.put(letter, proof, { exclude: [], signal })])
    this.#waiting.delete(toHex(id))
    return atMs - startMs
  }
}

export async function open([holders = '']: readonly string[]): Promise<BenchSide> {
  const network = await SottoNetwork.open(Number(holders))
  const writer = await network.client(Math.min(20, Number(holders)))
  const [box] = await writer.correspondents(1)
  if (box === undefined) throw new Error('there is no mailbox')
  const pushes = new Pushes(writer, box)
  const { deps, stamps } = await network.client(Math.min(20, Number(holders)))
  const mailbox = new Mailbox(deps, {
    seeds: [box.mailboxSeed],
    sinceMs: deps.clock.now(),
    burials: { all: async () => [], put: () => [], save: async () => {}, remove: async () => {} },
    stamps,
    onLetter: async (_letter, id) => {
      pushes.arrived(id)
      return { kind: 'junk' }
    },
  })
  await mailbox.start()
  await subscribed(pushes)
  return {
    info: network.info,
    turn: async (_order, count) => pushes.push(count),
    close: async () => {
      await mailbox.stop()
      await network.close()
    },
  }
}

/** Until letters arrive faster than a sweep would bring them. */
async function subscribed(pushes: Pushes): Promise<void> {
  const endMs = performance.now() + SUBSCRIBED_MS
  for (let inTime = 0; inTime < 3;) {
    inTime = (await pushes.one(ARRIVE_MS)) < 250 ? inTime + 1 : 0
    if (performance.now() > endMs) throw new Error('nobody pushes')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
