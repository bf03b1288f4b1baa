/** How often one device's slice is written and its prekeys are given out; in memory only, like every rate by source. */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { toHex } from '../../lib/bytes.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../lib/time.ts'
import type { HolderCaller } from '../ports.ts'
import { sourcesOf } from './quotas.ts'
import { WindowCounter } from './window-counter.ts'

/** Slices that a device writes in a minute, and that a source brings, whosever they are. */
export const SLICE_WRITES_PER_MINUTE = 5
const SLICE_ATTEMPTS_PER_MINUTE = 10
/** Bundles that a peer fetches in a minute (PK-20). */
export const TAKES_PER_MINUTE = 30
/** One-time prekeys of one device that a peer is given in a day: it needs one, and one more for each session that is lost. */
export const TARGET_TAKES_PER_DAY = 4
/** The peers of one public network have so many times as much together. */
const NETWORK_FACTOR = 4
const STAMPS_MAX = 65_536
/** A stamp names its hour, and is good in the hours beside it. */
const SPENT_MS = 3 * HOUR_MS

export class PrekeyQuotas {
  readonly #writes: WindowCounter
  readonly #attempts: WindowCounter
  readonly #takes: WindowCounter
  readonly #targets: WindowCounter
  readonly #spent: ExpiringMap<string, true>

  constructor(clock: Clock) {
    this.#writes = new WindowCounter(clock, MINUTE_MS, SLICE_WRITES_PER_MINUTE)
    this.#attempts = new WindowCounter(clock, MINUTE_MS, SLICE_ATTEMPTS_PER_MINUTE)
    this.#takes = new WindowCounter(clock, MINUTE_MS, TAKES_PER_MINUTE)
    this.#targets = new WindowCounter(clock, DAY_MS, TARGET_TAKES_PER_DAY)
    this.#spent = new ExpiringMap(clock, SPENT_MS, STAMPS_MAX)
  }

  /** Whether the caller may bring a slice, and the device of this card have it written. Counts the attempt alone. */
  takeAttempt(caller: HolderCaller, card: Uint8Array): boolean {
    return this.#writes.has(toHex(card)) && takeAll(this.#attempts, sourcesOf(caller))
  }

  /** Counts a write that the device signed for: what others bring under its name must not use up its own. */
  written(card: Uint8Array): void {
    this.#writes.take(toHex(card))
  }

  takeFetch(caller: HolderCaller): boolean {
    return takeAll(this.#takes, sourcesOf(caller))
  }

  /** Whether the caller may have one more prekey of this device. */
  takeTarget(caller: HolderCaller, card: Uint8Array): boolean {
    return takeAll(
      this.#targets,
      sourcesOf(caller).map((source) => `${toHex(card)} ${source}`),
    )
  }

  /** Whether the stamp was shown before, and a prekey asked for with it. */
  isSpent(card: Uint8Array, nonce: Uint8Array): boolean {
    return this.#spent.get(stampKey(card, nonce)) === true
  }

  /** Notes a stamp that was found to be good; false where somebody else was faster. */
  spend(card: Uint8Array, nonce: Uint8Array): boolean {
    if (this.isSpent(card, nonce)) return false
    this.#spent.set(stampKey(card, nonce), true)
    return true
  }
}

function stampKey(card: Uint8Array, nonce: Uint8Array): string {
  return `${toHex(card)} ${toHex(nonce)}`
}

/** The peer has its own count, its public network (where it has one) a larger one. */
function takeAll(counter: WindowCounter, [peer, ...networks]: readonly string[]): boolean {
  if (peer === undefined || !counter.has(peer)) return false
  if (!networks.every((network) => counter.has(network, NETWORK_FACTOR))) return false
  counter.take(peer)
  for (const network of networks) counter.take(network)
  return true
}
