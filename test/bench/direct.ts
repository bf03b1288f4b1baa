/** `direct`: from the API call on one daemon to the event on the other's client, beside the composed reference. */
import { openReference, openSotto } from './direct-sides.ts'
import type { DirectSide } from './direct-sides.ts'
import { compared, cpuMsOf, inFlight, interleave, percentile, timed } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'

const NAME = 'direct'
const PEER = 'composed reference (no receipt)'
const ONE_BY_ONE = 60
const SUSTAINED = 400
const IN_FLIGHT = 16
const TEXT = 'x'.repeat(1_024)
const LOST_MS = 10_000

/** Waits for ids that may have come already. */
class Arrivals {
  readonly #came = new Set<string>()
  readonly #waiting = new Map<string, () => void>()

  readonly note = (id: string): void => {
    const wake = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (wake === undefined) this.#came.add(id)
    else wake()
  }

  async of(id: string): Promise<void> {
    if (this.#came.delete(id)) return
    await new Promise<void>((resolve, reject) => {
      const lost = setTimeout(() => {
        reject(new Error(`a message did not come within ${LOST_MS} ms`))
      }, LOST_MS)
      this.#waiting.set(id, () => {
        clearTimeout(lost)
        resolve()
      })
    })
  }
}

class Talk {
  readonly side: DirectSide
  readonly #received = new Arrivals()
  readonly #delivered = new Arrivals()

  constructor(side: DirectSide) {
    this.side = side
    side.onReceived(this.#received.note)
    side.onDelivered(this.#delivered.note)
  }

  /** Until the other end's client has the event. */
  async say(): Promise<void> {
    await this.#received.of(await this.side.send(TEXT))
  }

  /** Until there is all the proof that the side gives: the receipt, or else the event. */
  async sayForSure(): Promise<void> {
    const id = await this.side.send(TEXT)
    await Promise.all([this.#received.of(id), ...(this.side.receipts ? [this.#delivered.of(id)] : [])])
  }

  async turn(): Promise<Sample> {
    const times = await timed(ONE_BY_ONE, async () => this.say())
    const { senderPid, receiverPid } = this.side
    const [sender, receiver, startMs] = [cpuMsOf(senderPid), cpuMsOf(receiverPid), performance.now()]
    await inFlight(SUSTAINED, IN_FLIGHT, async () => this.sayForSure())
    const tookMs = performance.now() - startMs
    return {
      p50: percentile(times, 50),
      p95: percentile(times, 95),
      rate: (SUSTAINED * 1_000) / tookMs,
      sender: ((cpuMsOf(senderPid) - sender) * 1_000) / SUSTAINED,
      receiver: ((cpuMsOf(receiverPid) - receiver) * 1_000) / SUSTAINED,
    }
  }
}

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  note('two daemons and their holders start')
  const reference = await openReference()
  try {
    const sotto = await openSotto()
    try {
      note('messages')
      const [ours, theirs] = [new Talk(sotto), new Talk(reference)]
      const turns = await interleave(
        runs,
        async () => ours.turn(),
        async () => theirs.turn(),
      )
      const figure = (metric: string, key: string, unit: string, goal?: Goal): Figure =>
        compared(turns, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
      const rate = `1 KiB sustained, ${IN_FLIGHT} in flight, durable receipts`
      return [
        figure('API call to event, 1 KiB, p50', 'p50', 'ms', { of: 'ratio', at: 'most', bound: 3 }),
        figure('API call to event, 1 KiB, p95', 'p95', 'ms'),
        figure(rate, 'rate', 'msg/s', { of: 'ratio', at: 'least', bound: 0.7 }),
        figure('CPU of the sender for one message, sustained', 'sender', 'µs'),
        figure('CPU of the receiver for one message, sustained', 'receiver', 'µs'),
      ]
    } finally {
      await sotto.close()
    }
  } finally {
    await reference.close()
  }
}

export const direct: Bench = { name: NAME, run }
