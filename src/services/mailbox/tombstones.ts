/**
 * Deletes letters at their whole zone, and goes on for three days for the sake of holders that were down. What it owes is
 * on disk before `bury` resolves.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { nameOf } from '../../lib/errors.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { toHex } from '../../lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { HOLDER_STATUS, HOLDER_VERB, TOMBSTONES_MAX } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { RUNGS } from '../../wire/letter.ts'
import type { Rung, Tombstone } from '../../wire/letter.ts'
import { idOfName } from '../../protocol/mailbox-rules.ts'
import { BURIAL_ACKS_MAX } from '../../store/burials.ts'
import type { Burial } from '../../store/burials.ts'
import type { StoreOp } from '../../store/database.ts'
import { ask, isNetworkFault } from './ask.ts'
import type { Cards } from './cards.ts'
import type { MailDeps } from './deps.ts'
import type { Zones } from './zones.ts'

/** Where burials survive a restart (`store/burials`). `save` and `remove` resolve when the disk has it; `put` is for a batch. */
export interface BurialStore {
  all(): Promise<readonly Burial[]>
  put(burials: readonly Burial[]): readonly StoreOp[]
  save(burials: readonly Burial[]): Promise<void>
  remove(ids: readonly Uint8Array[]): Promise<void>
}

/** After that a holder that comes back is put right by the next reader who sees the letter on it. */
const KEEP_MS = 3 * DAY_MS
const RETRY = { firstMs: 60_000, maxMs: 6 * HOUR_MS, factor: 4 } as const
/** Burials that are kept at once; the reader's own list of what it has seen covers what is beyond. */
const BURIALS_MAX = 50_000

/**
 * After these a holder need not be told again: it has it, or it would not take the letter either. One whose policy lacks the
 * lane and that never saw the letter is of the second kind.
 */
const SETTLED = new Set<HolderStatus>([
  HOLDER_STATUS.ok,
  HOLDER_STATUS.refused,
  HOLDER_STATUS.lane,
  HOLDER_STATUS.stamp,
])

export class TombstoneSender implements Startable {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #cards: Pick<Cards, 'bringPolicy'>
  readonly #store: BurialStore
  readonly #burials = new Map<string, Burial>()
  #stopping = new AbortController()
  #cancel: (() => void) | undefined
  #round: Promise<void> | undefined

  constructor(deps: MailDeps, zones: Zones, cards: Pick<Cards, 'bringPolicy'>, store: BurialStore) {
    this.#deps = deps
    this.#zones = zones
    this.#cards = cards
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
  async bury(tombstone: Tombstone, rungs: readonly Rung[] = [0]): Promise<void> {
    const id = idOfName(this.#deps.crypto, tombstone)
    if (this.#burials.has(toHex(id)) || this.#burials.size >= BURIALS_MAX) return
    const burial = this.#burial(id, tombstone, rungs)
    this.#burials.set(toHex(id), burial)
    await this.#store.save([burial])
    this.#wake()
  }

  /** The same as part of a batch of the caller's, who calls `added` once it is on the disk. */
  buryOps(
    graves: readonly { readonly id: Uint8Array; readonly tombstone: Tombstone; readonly rungs: readonly Rung[] }[],
  ): {
    readonly ops: readonly StoreOp[]
    readonly added: () => void
  } {
    const burials = graves.map(({ id, tombstone, rungs }) => this.#burial(id, tombstone, rungs))
    return {
      ops: this.#store.put(burials),
      added: () => {
        for (const burial of burials) this.#burials.set(toHex(burial.id), burial)
        this.#wake()
      },
    }
  }

  #burial(id: Uint8Array, tombstone: Tombstone, rungs: readonly Rung[]): Burial {
    const now = this.#deps.clock.now()
    const everywhere = RUNGS.filter((rung) => rung === 0 || rungs.includes(rung))
    return { id, tombstone, rungs: everywhere, until: now + KEEP_MS, acked: [], attempts: 0, nextAt: now }
  }

  /**
   * A holder, met at this rung, still shows a letter that was deleted: it hears of it at once. False where the tombstone is not
   * kept any more.
   */
  again(id: Uint8Array, peerId: string, rung: Rung = 0): boolean {
    const known = this.#burials.get(toHex(id))
    if (known === undefined) return false
    const acked = known.acked.filter((other) => other !== peerId)
    const rungs = RUNGS.filter((each) => each === rung || known.rungs.includes(each))
    this.#burials.set(toHex(id), { ...known, acked, rungs, nextAt: this.#deps.clock.now() })
    this.#wake()
    return true
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
      for (const group of byZone(due).values()) await this.#sendGroup(group)
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
    // One that a holder has shown meanwhile goes out again as it is now.
    const same = group.filter((burial) => this.#burials.get(toHex(burial.id)) === burial)
    const changed = same.map((burial) => this.#after(burial, acked.get(toHex(burial.id)) ?? new Set()))
    for (const burial of changed) this.#burials.set(toHex(burial.id), burial)
    await this.#store.save(changed)
  }

  async #zone(group: readonly Burial[], signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const [first] = group
    const members = new Map<string, PeerRecord>()
    try {
      for (const rung of first?.rungs ?? []) {
        const zone = await this.#zones.of((first as Burial).tombstone.header.address, signal, rung)
        for (const peer of zone) members.set(peer.id, peer)
      }
      return [...members.values()]
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
      try {
        if (!SETTLED.has(await this.#tell(peer, some, signal))) return
        for (const { id } of some) acked.get(toHex(id))?.add(peer.id)
      } catch (error) {
        if (isNetworkFault(error)) return
        throw error
      }
    }
  }

  /** A holder that came to the zone lately never saw the letter, and needs the policy to believe the tombstone. */
  async #tell(peer: PeerRecord, some: readonly Burial[], signal: AbortSignal): Promise<HolderStatus> {
    const request = { kind: HOLDER_VERB.tomb, body: { tombstones: some.map(({ tombstone }) => tombstone) } } as const
    const { status } = await ask(this.#deps, peer, request, signal)
    const address = some[0]?.tombstone.header.address
    if (status !== HOLDER_STATUS.lane || address === undefined) return status
    await this.#cards.bringPolicy(peer, address, signal)
    return (await ask(this.#deps, peer, request, signal)).status
  }

  #after(burial: Burial, acked: ReadonlySet<string>): Burial {
    const nextAt = this.#deps.clock.now() + backoffMs(RETRY, burial.attempts, this.#deps.rng)
    return { ...burial, acked: [...acked].slice(-BURIAL_ACKS_MAX), attempts: burial.attempts + 1, nextAt }
  }
}

function byZone(burials: readonly Burial[]): Map<string, Burial[]> {
  return Map.groupBy(burials, ({ tombstone, rungs }) => `${toHex(tombstone.header.address)}/${rungs.join()}`)
}
