/** The owner of a mailbox of 100 letters, who reads it: `read-sotto HOLDERS`. One order, `read`. */
import { COMPLETE_ANSWERS } from '../../src/protocol/replicas.ts'
import { Collector } from '../../src/services/mailbox/collect.ts'
import { OwnKeys } from '../../src/services/mailbox/own-keys.ts'
import { OwnerSessions } from '../../src/services/mailbox/sessions.ts'
import { cpuMs, inFlight, percentile } from './harness.ts'
import type { Sample } from './harness.ts'
import { SottoNetwork } from './network-sotto.ts'
import type { Client, Correspondent } from './network-sotto.ts'
import { LANES } from './side-types.ts'
import type { BenchSide } from './side-types.ts'

export const LETTERS = 100
const READ_MS = 60_000

class Owner {
  readonly #client: Client
  readonly #box: Correspondent
  readonly #sessions: OwnerSessions
  readonly #keys: OwnKeys

  constructor(client: Client, box: Correspondent) {
    const { deps } = client
    this.#client = client
    this.#box = box
    this.#sessions = new OwnerSessions(deps)
    this.#keys = new OwnKeys(deps.crypto, deps.profile, [box.mailboxSeed], deps.clock.now())
  }

  /** Reads it as somebody who has nothing of it yet, and once more, when there is nothing new. Links and sessions are warm. */
  async read(count: number): Promise<Sample> {
    const [first, whole, again]: [number[], number[], number[]] = [[], [], []]
    let againCpu = 0
    const spent = await cpuMs(async () => {
      for (let i = 0; i < count; i++) {
        const startMs = performance.now()
        let letters = 0
        const collector = this.#collector(() => {
          if (++letters === 1) first.push(performance.now() - startMs)
        })
        await this.#sweep(collector)
        whole.push(performance.now() - startMs)
        if (letters !== LETTERS) throw new Error(`${letters} letters of ${LETTERS}`)
        const againMs = performance.now()
        againCpu += await cpuMs(async () => this.#sweep(collector))
        again.push(performance.now() - againMs)
      }
    })
    const median = (values: readonly number[]): number => percentile(values, 50)
    const cpu = { cpu: (spent - againCpu) / count, againCpu: againCpu / count }
    return { first: median(first), whole: median(whole), again: median(again), ...cpu }
  }

  #collector(onLetter: () => void): Collector {
    const { deps, zones } = this.#client
    const tombstones = { bury: async () => {}, again: () => false }
    const rooms = { zones, sessions: this.#sessions, tombstones, keys: this.#keys }
    return new Collector(deps, rooms, async () => {
      onLetter()
      return { kind: 'junk' }
    })
  }

  async #sweep(collector: Collector): Promise<void> {
    const { complete, answers } = await collector.sweepMailbox(this.#box.key, AbortSignal.timeout(READ_MS))
    if (!complete || answers < COMPLETE_ANSWERS) throw new Error(`${answers} answers`)
  }
}

export async function open([holders = '']: readonly string[]): Promise<BenchSide> {
  const network = await SottoNetwork.open(Number(holders))
  const writer = await network.client(Number(holders))
  const [box] = await writer.correspondents(1)
  if (box === undefined) throw new Error('there is no mailbox')
  await inFlight(LETTERS, LANES, async () => {
    const { letter, proof } = box.letter()
    const options = { exclude: [], signal: AbortSignal.timeout(READ_MS) }
    if ((await writer.depositor.put(letter, proof, options)).refused !== 'none') throw new Error('a letter was refused')
  })
  const owner = new Owner(await network.client(Number(holders)), box)
  return { info: network.info, turn: async (_order, count) => owner.read(count), close: async () => network.close() }
}
