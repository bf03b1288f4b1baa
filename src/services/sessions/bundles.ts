/**
 * Prekeys for sessions to come: a card and a one-time prekey for each device, taken from a holder before the session is begun.
 * A device that cannot be served in time, or has none left, gets a session from its card alone (protocol §2: nothing ever refuses
 * a session for want of a one-time prekey).
 */
import { toHex } from '../../lib/bytes.ts'
import { withDeadline } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { DAY_MS } from '../../lib/time.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { sameDevice } from '../../protocol/card-rules.ts'
import { prekeyCardKey } from '../../protocol/mailbox-rules.ts'
import type { PrekeyBundle } from '../../wire/prekey-slices.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'

/** A first message waits this long for a one-time prekey; one that comes later serves the next session. */
const WAIT_MS = 1_500
const FETCH_MS = 8_000
/** A prekey that was taken is kept for this long. Its owner keeps the private half for 60 days. */
const KEPT_MS = DAY_MS
const KEPT_MAX = 256
/** A device that could not be served is not asked for again before this. */
const PAUSE_MS = 60_000

/** Where prekeys come from. Throws NotFoundError where nobody knows the device, NetworkError. */
export interface PrekeySource {
  take(card: Uint8Array, signal: AbortSignal): Promise<PrekeyBundle>
}

export interface BundlesComponents {
  readonly source: PrekeySource
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Logger
}

export class Bundles implements Startable {
  readonly #c: BundlesComponents
  readonly #kept: ExpiringMap<string, PrekeyBundle>
  readonly #tried: ExpiringMap<string, true>
  readonly #running = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()

  constructor(components: BundlesComponents) {
    this.#c = components
    this.#kept = new ExpiringMap(components.clock, KEPT_MS, KEPT_MAX)
    this.#tried = new ExpiringMap(components.clock, PAUSE_MS, KEPT_MAX)
  }

  start(): void {}

  /** Calls off what is under way; for the end of the daemon. */
  stop(): void {
    this.#stop.abort()
  }

  /** Takes a bundle of the device; `undefined` where one is there, or none could be had lately. Never rejects. */
  prepare(accountId: Uint8Array, deviceId: Uint8Array): Promise<void> | undefined {
    const key = prekeyCardKey(this.#c.crypto, accountId, deviceId)
    const name = toHex(key)
    const running = this.#running.get(name)
    if (running !== undefined) return this.#inTime(running)
    if (this.#stop.signal.aborted || this.#kept.get(name) !== undefined || this.#tried.get(name) === true) {
      return undefined
    }
    this.#tried.set(name, true)
    const fetching = this.#fetch(name, key).finally(() => {
      this.#running.delete(name)
    })
    this.#running.set(name, fetching)
    return this.#inTime(fetching)
  }

  /** The bundle of the device whose card is known, once: one that is not older than the card, and of the same keys. */
  use(known: PrekeyCard): PrekeyBundle | undefined {
    const { accountId, deviceId } = known.body.certificate.body
    const name = toHex(prekeyCardKey(this.#c.crypto, accountId, deviceId))
    const bundle = this.#kept.get(name)
    this.#kept.delete(name)
    if (bundle === undefined || bundle.card.body.number < known.body.number) return undefined
    return sameDevice(bundle.card.body.certificate.body, known.body.certificate.body) ? bundle : undefined
  }

  async #fetch(name: string, key: Uint8Array): Promise<void> {
    const { clock, source, log } = this.#c
    try {
      const taken = await withDeadline(clock, FETCH_MS, async (signal) => source.take(key, signal), this.#stop.signal)
      this.#kept.set(name, taken)
      this.#tried.delete(name)
    } catch (error) {
      log.debug('no one-time prekey was to be had', { error: nameOf(error) })
    }
  }

  async #inTime(fetching: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#c.clock.after(WAIT_MS, resolve)
      void fetching.then(() => {
        cancel()
        resolve()
      })
    })
  }
}
