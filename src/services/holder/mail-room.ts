/**
 * Room for mail on a full disk, made in this order: what has run out, what is spare (enough others have it, and this peer is
 * not of its zone), what strangers paid the least for. Nothing else goes before its time: then the answer is "full".
 */
import { toHex } from '../../lib/bytes.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import type { HolderDeps } from './deps.ts'
import type { Quotas } from './quotas.ts'

/** Letters that go for one: the largest for the smallest, and some that turn out to be gone already. */
const GIVEN_UP_MAX = 64
/** Puts that wait for room at the same time. */
const WAITING_MAX = 64
const SWEEP_EVERY_MS = 60_000

export class MailRoom {
  readonly #deps: Pick<HolderDeps, 'clock' | 'held' | 'log'>
  readonly #quotas: Pick<Quotas, 'hasMailRoom'>
  readonly #queue = new KeyedQueue(WAITING_MAX)
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(deps: Pick<HolderDeps, 'clock' | 'held' | 'log'>, quotas: Pick<Quotas, 'hasMailRoom'>) {
    this.#deps = deps
    this.#quotas = quotas
  }

  /** Whether there is room for `bytes` now; a letter with `stampBits` drives out only those with fewer. One at a time. */
  async make(bytes: number, stampBits: number): Promise<boolean> {
    if (this.#queue.size >= WAITING_MAX) return false
    const bitsBelow = stampBits === 0 ? Number.POSITIVE_INFINITY : stampBits
    return this.#queue.run('', async () => this.#make(bytes, bitsBelow))
  }

  async #make(bytes: number, bitsBelow: number): Promise<boolean> {
    await this.#sweep(bytes)
    const cheap = new Set<string>()
    let count = 0
    for (; !this.#quotas.hasMailRoom(bytes) && count < GIVEN_UP_MAX; count++) {
      if (!(await this.#deps.held.evictSpare()) && !(await this.#evictCheapest(bitsBelow, cheap))) break
    }
    if (count > 0) this.#deps.log.info('letters gave way on a full disk', { count })
    return this.#quotas.hasMailRoom(bytes)
  }

  /** Whether there was one that was not tried before. */
  async #evictCheapest(bitsBelow: number, tried: Set<string>): Promise<boolean> {
    const next = this.#deps.held.usage.cheapest(bitsBelow, tried)
    if (next === undefined) return false
    tried.add(toHex(next.id))
    await this.#deps.held.evict(next.address, next.id)
    return true
  }

  async #sweep(bytes: number): Promise<void> {
    const now = this.#deps.clock.now()
    if (this.#quotas.hasMailRoom(bytes) || Math.abs(now - this.#sweptAt) < SWEEP_EVERY_MS) return
    this.#sweptAt = now
    await this.#deps.held.sweep(now)
  }
}
