/**
 * Deletes letters at their whole zone, and goes on for three days for the sake of holders that were down. What it owes is
 * on disk before `bury` resolves.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { nameOf } from '../../lib/errors.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { toHex } from '../../lib/bytes.ts'
import { HOLDER_STATUS, HOLDER_VERB, TOMBSTONES_MAX } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { DAY_MS } from '../../protocol/mailbox-rules.ts'
import { BURIAL_ACKS_MAX } from '../../store/burials.ts'
import type { Burial } from '../../store/burials.ts'
import { ask, isNetworkFault } from './ask.ts'
import type { MailDeps } from './deps.ts'
import type { Zones } from './zones.ts'

/** Where burials survive a restart (`store/burials`). Both writes resolve when the disk has it. */
export interface BurialStore {
  all(): Promise<readonly Burial[]>
  save(burials: readonly Burial[]): Promise<void>
  remove(ids: readonly Uint8Array[]): Promise<void>
}

/** After that a holder that comes back is put right by the next reader who sees the letter on it. */
const KEEP_MS = 3 * DAY_MS
const RETRY = { firstMs: 60_000, maxMs: 6 * 3_600_000, factor: 4 } as const
/** Burials that are kept at once; the reader's own list of what it has seen covers what is beyond. */
const BURIALS_MAX = 50_000

export class TombstoneSender implements Startable {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #store: BurialStore
  readonly #burials = new Map<string, Burial>()
  #stopping = new AbortController()
  #cancel: (() => void) | undefined
  #round: Promise<void> | undefined

  constructor(deps: MailDeps, zones: Zones, store: BurialStore) {
    this.#deps = deps
    this.#zones = zones
    this.#store = store
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    for (const burial of await this.#store.all()) this.#burials.set(toHex(burial.id), burial)
    this.#wake()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancel?.()
    this.#cancel = undefined
    await this.#round
  }

  /** Letters that some holder may still have to be told of. */
  get size(): number {
    return this.#burials.size
  }

  /** Deletes a letter everywhere, now and as often as it takes. Resolves when it cannot be forgotten any more. */
  async bury(id: Uint8Array, preimage: Uint8Array, address: Uint8Array): Promise<void> {
    if (this.#burials.has(toHex(id)) || this.#burials.size >= BURIALS_MAX) return
    const now = this.#deps.clock.now()
    const burial = { id, preimage, address, until: now + KEEP_MS, acked: [], attempts: 0, nextAt: now }
    this.#burials.set(toHex(id), burial)
    await this.#store.save([burial])
    this.#wake()
  }

  /** A holder still shows a letter that was deleted: it hears of it at once. */
  async again(id: Uint8Array, preimage: Uint8Array, address: Uint8Array, peerId: string): Promise<void> {
    const known = this.#burials.get(toHex(id))
    if (known === undefined) return this.bury(id, preimage, address)
    const acked = known.acked.filter((other) => other !== peerId)
    this.#burials.set(toHex(id), { ...known, acked, nextAt: this.#deps.clock.now() })
    this.#wake()
  }

  /** Resolves when the round under way, if any, is over. */
  async idle(): Promise<void> {
    while (this.#round !== undefined) await this.#round
  }

  #wake(): void {
    if (this.#round !== undefined || this.#stopping.signal.aborted) return
    this.#cancel?.()
    const next = Math.min(...[...this.#burials.values()].map((burial) => Math.min(burial.nextAt, burial.until)))
    if (next === Number.POSITIVE_INFINITY) return
    const delayMs = next - this.#deps.clock.now()
    if (delayMs <= 0) this.#begin()
    else
      this.#cancel = this.#deps.clock.after(delayMs, () => {
        this.#begin()
      })
  }

  #begin(): void {
    this.#round = this.#run().finally(() => {
      this.#round = undefined
      this.#wake()
    })
  }

  async #run(): Promise<void> {
    try {
      await this.#dropOld()
      const now = this.#deps.clock.now()
      const due = [...this.#burials.values()].filter(({ nextAt }) => nextAt <= now)
      for (const group of byAddress(due).values()) await this.#sendGroup(group)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#deps.log.error('sending tombstones failed', { error: nameOf(error) })
      this.#postpone()
    }
  }

  /** After a failure of ours (the disk, say): no tight loop. */
  #postpone(): void {
    const now = this.#deps.clock.now()
    for (const [key, burial] of this.#burials) {
      if (burial.nextAt <= now) this.#burials.set(key, { ...burial, nextAt: now + RETRY.firstMs })
    }
  }

  async #dropOld(): Promise<void> {
    const now = this.#deps.clock.now()
    const old = [...this.#burials.values()].filter(({ until }) => until <= now)
    if (old.length === 0) return
    for (const { id } of old) this.#burials.delete(toHex(id))
    await this.#store.remove(old.map(({ id }) => id))
  }

  async #sendGroup(group: readonly Burial[]): Promise<void> {
    const { signal } = this.#stopping
    const acked = new Map(group.map(({ id, acked }) => [toHex(id), new Set(acked)]))
    const zone = await this.#zone(group, signal)
    await Promise.all(zone.map((peer) => this.#sendTo(peer, group, acked, signal)))
    const changed = group.map((burial) => this.#after(burial, acked.get(toHex(burial.id)) ?? new Set()))
    for (const burial of changed) this.#burials.set(toHex(burial.id), burial)
    await this.#store.save(changed)
  }

  async #zone(group: readonly Burial[], signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const address = group[0]?.address
    try {
      return address === undefined ? [] : await this.#zones.of(address, signal)
    } catch (error) {
      if (isNetworkFault(error)) return []
      throw error
    }
  }

  /** Marks what the holder has taken, and what it refused: it will not take it the next time either. */
  async #sendTo(
    peer: PeerRecord,
    group: readonly Burial[],
    acked: ReadonlyMap<string, Set<string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const missing = group.filter(({ id }) => acked.get(toHex(id))?.has(peer.id) === false)
    for (let at = 0; at < missing.length; at += TOMBSTONES_MAX) {
      const some = missing.slice(at, at + TOMBSTONES_MAX)
      const tombstones = some.map(({ id, preimage }) => ({ id, preimage }))
      try {
        const { status } = await ask(this.#deps, peer, { kind: HOLDER_VERB.tomb, body: { tombstones } }, signal)
        if (status !== HOLDER_STATUS.ok && status !== HOLDER_STATUS.refused) return
        for (const { id } of some) acked.get(toHex(id))?.add(peer.id)
      } catch (error) {
        if (isNetworkFault(error)) return
        throw error
      }
    }
  }

  #after(burial: Burial, acked: ReadonlySet<string>): Burial {
    const nextAt = this.#deps.clock.now() + backoffMs(RETRY, burial.attempts, this.#deps.rng)
    return { ...burial, acked: [...acked].slice(-BURIAL_ACKS_MAX), attempts: burial.attempts + 1, nextAt }
  }
}

function byAddress(burials: readonly Burial[]): Map<string, Burial[]> {
  return Map.groupBy(burials, ({ address }) => toHex(address))
}
