/**
 * Keeps the recovery records in the network: written when something of them has changed, and every day. A number is on disk before it
 * leaves, and a device whose account has gone on without it writes nothing any more.
 */
import { equal } from '../../lib/bytes.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { packEntries, RECOVERY_LIFE_HOURS, RECOVERY_NUMBER_MAX, sealRecovery } from '../../protocol/recovery-rules.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import type { OwnAccount } from '../../store/accounts.ts'
import { RECOVERY_STATE } from '../../store/recovery.ts'
import type { OwnRecovery } from '../../store/recovery.ts'
import type { AccountCard } from '../../wire/card.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import type { RecoveryChunk, RecoveryEntry } from '../../wire/recovery.ts'
import { encodedEntries, entriesOf } from './entries.ts'
import type { RecoveryChange, RecoveryDeps } from './ports.ts'
import { readChunk } from './read.ts'
import { Rounds } from './rounds.ts'
import type { Next } from './rounds.ts'
import { passesOurs, shownCard } from './shown-card.ts'

/** Changes gathered into one snapshot … */
const GATHER_MS = 10_000
/** … of which a few may follow one another, and then one in five minutes. */
const SNAPSHOT_RATE = { perSecond: 1 / 300, burst: 4 }
const SNAPSHOTS = 'snapshots'
const REPUBLISH_MS = DAY_MS
/** How often it is looked whether another device writes them. */
const LOOK_MS = 6 * HOUR_MS
/** Where holders know of a number that nobody shows, ours goes up by a step, and seldom: anybody can say that he knows one. */
const LEAP = 4_096
const LEAP_RATE = { perSecond: 1 / 3_600, burst: 4 }
const LEAPS = 'leaps'

/** What of the home goes into a snapshot now. */
interface Snapshot {
  readonly own: OwnRecovery
  readonly account: OwnAccount
  readonly deviceId: Uint8Array
  readonly chunks: readonly (readonly RecoveryEntry[])[]
  /** SHA-256 of all that. */
  readonly digest: Uint8Array
}

const NO_CHANGE: RecoveryChange<undefined> = { ops: [], facts: [], result: undefined }

export class RecoveryKeeper implements Startable {
  readonly #deps: RecoveryDeps
  readonly #onNewer: () => void
  readonly #rounds: Rounds
  readonly #rate: RateLimiter
  readonly #leaps: RateLimiter
  #lookedAt = -Infinity

  /** `onNewer`: an earlier device has left a later snapshot than the one that was found. */
  constructor(deps: RecoveryDeps, onNewer: () => void) {
    this.#deps = deps
    this.#onNewer = onNewer
    this.#rate = new RateLimiter(SNAPSHOT_RATE, deps.clock)
    this.#leaps = new RateLimiter(LEAP_RATE, deps.clock)
    this.#rounds = new Rounds({ ...deps, work: async (signal) => this.#round(signal) })
  }

  start(): void {
    this.#lookedAt = -Infinity
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** Something was written: it may be of a kind that is kept. */
  changed(): void {
    this.#rounds.within(GATHER_MS)
  }

  hurry(): void {
    this.#rounds.hurry()
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const snapshot = await this.#snapshot()
    if (snapshot === undefined) return 'never'
    const now = this.#deps.clock.now()
    const { own, digest } = snapshot
    const age = now - own.publishedAt
    const due = own.publishedAt === 0 || age < 0 || age >= REPUBLISH_MS || !equal(digest, own.digest)
    if (!due) return REPUBLISH_MS - age
    const wait = this.#rate.retryAfterMs(SNAPSHOTS)
    if (wait > 0) return wait
    const not = await this.#mayNotSay(snapshot, signal)
    if (not !== undefined) return not
    return (await this.#publish(signal)) ? 0 : 'again'
  }

  async #snapshot(): Promise<Snapshot | undefined> {
    const { store, home, crypto } = this.#deps
    const [own, account, device] = [await store.recovery.own(), await store.accounts.own(), await store.devices.own()]
    if (own === undefined || account === undefined || device === undefined) return undefined
    if (own.state === RECOVERY_STATE.searching || own.state === RECOVERY_STATE.replaced) return undefined
    if (account.card.body.number < account.number || !equal(own.accountId, account.accountId)) return undefined
    const content = await home.gather()
    // Causal numbers go up with what others write: they come along, and are no reason to write.
    const chosen = { ...content, contacts: content.contacts.map((contact) => ({ ...contact, lamport: 0 })) }
    const digest = crypto.sha256(device.deviceId, ...encodedEntries(entriesOf(chosen)))
    return { own, account, deviceId: device.deviceId, chunks: packEntries(entriesOf(content)), digest }
  }

  /** Undefined where the newest record in the network is this device's, or of one that it replaced; else when to look again. */
  async #mayNotSay({ own, account, deviceId }: Snapshot, signal: AbortSignal): Promise<Next | undefined> {
    const now = this.#deps.clock.now()
    if (now - this.#lookedAt < LOOK_MS) return undefined
    const found = await readChunk(this.#deps, own.secret, 0, signal)
    signal.throwIfAborted()
    if (found.kind === 'found') {
      const { chunk } = found
      const ours = equal(chunk.deviceId, deviceId)
      if (!ours && chunk.cardNumber > account.number) {
        const shown = await shownCard(this.#deps, own.accountId, signal)
        signal.throwIfAborted()
        if (shown.kind === 'unheard') return 'again'
        if (shown.kind === 'card' && (await this.#overtaken(shown.card, deviceId))) return 'never'
      }
      if (chunk.number > own.number && !ours) return this.#lookAgain()
      if (chunk.number > own.number) await this.#goOnAbove(chunk)
    }
    this.#lookedAt = now
    return undefined
  }

  /**
   * Whether the account lives on another device, by its later card: then what that writes is what counts. A record's word is not enough:
   * who took the recovery secret from a device can write one, and cannot sign a card.
   */
  async #overtaken(card: AccountCard, deviceId: Uint8Array): Promise<boolean> {
    const { accounts, recovery } = this.#deps.store
    return this.#deps.journal.commit(async () => {
      const [account, own] = [await accounts.own(), await recovery.own()]
      const { number } = card.body
      if (account === undefined || own === undefined || number <= account.number) return { ...NO_CHANGE, result: false }
      if (!passesOurs(this.#deps, account, deviceId, card)) return { ...NO_CHANGE, result: false }
      this.#deps.log.warn('another device was brought back in this one’s place')
      return {
        ops: [...accounts.put({ ...account, number }), ...recovery.put({ ...own, signAgain: false })],
        facts: [{ type: 'account:overtaken', data: { number, listed: false } }],
        result: true,
      }
    })
  }

  /** This home was brought back from a copy of before. */
  async #goOnAbove({ number }: RecoveryChunk): Promise<void> {
    await this.#change((own) => ({ ...own, number: Math.max(own.number, number) }))
  }

  /** The device that we replace has left something newer than what was found: a holder showed an old record, and is found out. */
  async #lookAgain(): Promise<'never'> {
    await this.#change((own) => ({
      ...own,
      state: RECOVERY_STATE.searching,
      asked: true,
      since: this.#deps.clock.now(),
    }))
    this.#onNewer()
    return 'never'
  }

  /** The home as it is now, under the next number; whether enough holders have every chunk. */
  async #publish(signal: AbortSignal): Promise<boolean> {
    const snapshot = await this.#numbered()
    if (snapshot === undefined) return true
    const { own, digest, chunks } = snapshot
    let stale = false
    let stored = true
    // The first one last: what it counts is there by then.
    for (let index = chunks.length - 1; index >= 0; index--) {
      const outcome = await this.#put(snapshot, index, signal)
      signal.throwIfAborted()
      stale ||= outcome.stale
      stored = outcome.receipts >= WRITE_QUORUM
      if (!stored) break
    }
    // One holder's word beside enough receipts is a reason to look, and no more.
    if (stale) this.#lookedAt = -Infinity
    if (stale && !stored) await this.#leap()
    if (!stored) return false
    // One that was not stored is tried again by the pauses of the rounds.
    this.#rate.take(SNAPSHOTS)
    const publishedAt = this.#deps.clock.now()
    await this.#change((latest) => ({ ...latest, digest, publishedAt, chunks: chunks.length }), own)
    return true
  }

  async #numbered(): Promise<Snapshot | undefined> {
    return this.#deps.journal.commit(async () => {
      const snapshot = await this.#snapshot()
      if (snapshot === undefined) return NO_CHANGE
      // A number that has overflowed is none: what is shown, or a leap, brings it up again.
      const before = snapshot.own.number >= RECOVERY_NUMBER_MAX ? 0 : snapshot.own.number
      const own = { ...snapshot.own, number: before + 1 }
      return { ops: this.#deps.store.recovery.put(own), facts: [], result: { ...snapshot, own } }
    })
  }

  async #put(
    { own, account, deviceId, chunks }: Snapshot,
    index: number,
    signal: AbortSignal,
  ): Promise<{ readonly receipts: number; readonly stale: boolean }> {
    const chunk: RecoveryChunk = {
      version: 1,
      number: own.number,
      index,
      count: chunks.length,
      deviceId,
      cardNumber: account.number,
      entries: chunks[index] ?? [],
    }
    const expiry = Math.floor(this.#deps.clock.now() / HOUR_MS) + RECOVERY_LIFE_HOURS
    const body = await sealRecovery(this.#deps, own.secret, chunk, expiry)
    return this.#deps.network.publish({ kind: CARD_KIND.recovery, body }, signal)
  }

  /** Too few took it, and somebody says that he knows a later number. Where it is shown, the next look takes it up. */
  async #leap(): Promise<void> {
    if (this.#leaps.retryAfterMs(LEAPS) > 0) return
    this.#leaps.take(LEAPS)
    await this.#change((own) => ({ ...own, number: Math.min(own.number + LEAP, RECOVERY_NUMBER_MAX - 1) }))
  }

  async #change(change: (own: OwnRecovery) => OwnRecovery, before?: OwnRecovery): Promise<void> {
    await this.#deps.journal.commit(async () => {
      const own = await this.#deps.store.recovery.own()
      if (own === undefined || (before !== undefined && own.number !== before.number)) return NO_CHANGE
      return { ops: this.#deps.store.recovery.put(change(own)), facts: [], result: undefined }
    })
  }
}
