/**
 * Keeps the device's prekey card and the account's card fresh in the network (protocol §2): prekeys change weekly, the
 * intro boxes with every epoch, and both cards are put again daily. A number is on disk before anybody sees it.
 */
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { equal, wipe } from '../../lib/bytes.ts'
import { LockedError, nameOf, StorageError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { accountIdOfCard, DAY_S, sameDevice, verifyAccountCard } from '../../protocol/card-rules.ts'
import { accountCardKey, epochOf, prekeyCardKey, type EpochProfile } from '../../protocol/mailbox-rules.ts'
import { PREKEY_REPUBLISH_MS, rotationDue } from '../../protocol/prekey-rules.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import type { Accounts, OwnAccount } from '../../store/accounts.ts'
import type { Devices, OwnDevice } from '../../store/devices.ts'
import type { OwnSignedPrekey, Prekeys } from '../../store/prekeys.ts'
import { CARD_KIND, type CardRecord } from '../../wire/holder.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { FormerAccounts } from './former.ts'
import { makePrekeyCard } from './make-cards.ts'
import { isOvertaken } from './own-records.ts'
import type { AccountChange, CardNetwork, ChangeLog, UnlockedAccount } from './ports.ts'
import { nextPool } from './pool-plan.ts'
import { expiredOps, type HeldPrekeys, rotatePrekeys } from './prekey-rotation.ts'

/** A look at what is due happens at least this often. */
const LOOK_MS = 10 * 60_000
/** A prekey card with less than this left is made anew: who was asleep for weeks starts with a whole month. */
const PREKEY_CARD_LEFT_S = 15 * DAY_S
const WIPE_MS = 24 * 60 * 60_000
/** An account card with less than this left is spoken of, and how often. */
const ENDS_SOON_S = 21 * DAY_S
const WARN_MS = 24 * 60 * 60_000
const RETRY = { firstMs: 1_000, maxMs: 15 * 60_000, factor: 2 } as const

export interface OwnCardsComponents {
  readonly account: UnlockedAccount
  readonly store: {
    readonly accounts: Pick<Accounts, 'own' | 'put'>
    readonly devices: Pick<Devices, 'own' | 'put'>
    readonly prekeys: Pick<Prekeys, 'signed' | 'kem' | 'oneTime' | 'pool' | 'putPool'>
    readonly former: Pick<FormerAccounts, 'list' | 'put' | 'delete'>
  }
  readonly journal: ChangeLog
  readonly network: CardNetwork
  readonly profile: EpochProfile
  /** The price of a stranger's letter, as the card tells it. */
  readonly stampBits: number
  /** Whether the account's card may not go out (yet): its words brought it back, and the network was not asked. */
  readonly held?: () => Promise<boolean>
  /** A new prekey card was made: its pool may be another one. */
  readonly onRemade?: () => void
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

/** The newest prekey card, and the seed behind its last-resort KEM prekey: what a session begins with. */
export interface OwnPrekeys {
  readonly card: PrekeyCard
  readonly kemPrekeySeed: Uint8Array
}

/** Numbers of the cards, and when (ms) they were last stored by enough holders; 0: never. */
export interface CardsStatus {
  readonly accountNumber: number
  readonly accountPublishedAt: number
  readonly prekeyNumber: number
  readonly prekeysPublishedAt: number
}

interface Current extends OwnPrekeys {
  readonly signed: OwnSignedPrekey
  readonly epoch: number
}

type Written = Omit<AccountChange<undefined>, 'result'>

export class OwnCards implements Startable {
  readonly #c: OwnCardsComponents
  #current: Current | undefined
  #prekeysPublishedAt = 0
  #abort = new AbortController()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #attempt = 0
  #wipedAt = 0
  #warnedAt = 0

  constructor(components: OwnCardsComponents) {
    this.#c = components
  }

  /** Resolves when a prekey card is made and on disk. Publication goes on in the background. */
  async start(): Promise<void> {
    this.#abort = new AbortController()
    await this.#remake()
    this.#look()
  }

  /** Ends publication and wipes the prekeys that are in memory. */
  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancelTimer?.()
    await this.#running
    wipe(this.#current?.signed.secret, this.#current?.kemPrekeySeed)
    this.#current = undefined
  }

  /** What sessions begin with. Throws {@link LockedError} before the start and after the stop. */
  current(): OwnPrekeys {
    if (this.#current === undefined) throw new LockedError('the account is not unlocked')
    return this.#current
  }

  async status(): Promise<CardsStatus> {
    const own = await this.#own()
    return {
      accountNumber: own.card.body.number,
      accountPublishedAt: own.publishedAt,
      prekeyNumber: this.current().card.body.number,
      prekeysPublishedAt: this.#prekeysPublishedAt,
    }
  }

  /** Resolves when the round under way, if any, is over. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Makes the next prekey card, over the one-time prekeys that are there now. It is on disk then; publication goes on. */
  async renew(): Promise<void> {
    await this.#remake()
    this.hurry()
  }

  /** Replaces the signed and the last-resort prekey now, whatever their age; those of before open what is under way. */
  async rotate(): Promise<void> {
    await this.#remake(0, true)
    this.hurry()
  }

  /** Tries now what waits for a retry: peers have come, or the network is back. */
  hurry(): void {
    this.#attempt = 0
    this.#look()
  }

  #look(): void {
    if (this.#abort.signal.aborted || this.#running !== undefined) return
    this.#cancelTimer?.()
    this.#running = this.#round()
  }

  async #round(): Promise<void> {
    let whole = false
    try {
      whole = await this.#work()
    } catch (error) {
      this.#c.log.error('the cards could not be kept fresh', { error: nameOf(error) })
    }
    this.#running = undefined
    this.#plan(whole)
  }

  #plan(whole: boolean): void {
    if (this.#abort.signal.aborted) return
    const retryMs = whole ? LOOK_MS : backoffMs(RETRY, this.#attempt, this.#c.rng)
    this.#attempt = whole ? 0 : this.#attempt + 1
    this.#cancelTimer = this.#c.clock.after(Math.min(retryMs, LOOK_MS, this.#untilNextEpoch()), () => {
      this.#look()
    })
  }

  #untilNextEpoch(): number {
    const now = this.#c.clock.now()
    return (epochOf(now, this.#c.profile) + 1) * this.#c.profile.epochMs - now
  }

  /** Whether everything that was due is stored by enough holders. */
  async #work(): Promise<boolean> {
    if (this.#prekeysDue()) await this.#remake()
    await this.#wipeExpired()
    await this.#warnOfEnd()
    // Who finds the account is to find a device that can be written to.
    const prekeys = await this.#publishPrekeys()
    const account = await this.#publishAccount()
    const former = await this.#publishFormer()
    return account && prekeys && former
  }

  #prekeysDue(): boolean {
    const { card, signed, epoch } = this.#current ?? {}
    if (card === undefined || signed === undefined) return true
    const now = this.#c.clock.now()
    const left = card.body.expiresAt - now / 1_000
    return rotationDue(signed.createdAt, now) || epoch !== epochOf(now, this.#c.profile) || left < PREKEY_CARD_LEFT_S
  }

  /** The next prekey card, with the prekeys in use or new ones. Its number is above `above` and every one given before. */
  async #remake(above = 0, asked = false): Promise<void> {
    this.#current = await this.#c.journal.commit(async () => {
      const { store, crypto, clock, rng, profile, stampBits, account } = this.#c
      const device = await this.#device()
      const now = clock.now()
      const rotation = rotatePrekeys(await this.#held(), { rng, now, nextId: device.nextPrekeyId, asked })
      const { signed, kem, nextId } = rotation
      const number = Math.max(device.prekeyCardNumber, above) + 1
      const pool = await nextPool(crypto, store.prekeys)
      const plan = {
        account: account.account,
        number,
        signedPrekey: signed,
        kemPrekey: kem,
        pool: pool.tree,
        nowMs: now,
        profile,
        stampBits,
      }
      const card = await makePrekeyCard(crypto, device, plan)
      return {
        ops: [
          ...rotation.ops(store.prekeys),
          ...pool.ops,
          ...store.devices.put({ ...device, prekeyCardNumber: number, nextPrekeyId: nextId }),
        ],
        facts: rotation.rotated ? [{ type: 'prekeys:rotated', data: { number, signedPrekeyId: signed.id } }] : [],
        result: { card, kemPrekeySeed: kem.seed, signed, epoch: epochOf(now, profile) },
      }
    })
    this.#prekeysPublishedAt = 0
    this.#c.onRemade?.()
  }

  /** Once a day, so that a private half is gone within a day of the end of its retention. */
  async #wipeExpired(): Promise<void> {
    if (!this.#passed(this.#wipedAt, WIPE_MS)) return
    const now = this.#c.clock.now()
    const { prekeys } = this.#c.store
    await this.#change(async () => ({ ops: expiredOps(await this.#held(), now, prekeys), facts: [] }))
    this.#wipedAt = now
  }

  /** The account's card is made anew at an unlock only: who never locks is told in time, once a day. */
  async #warnOfEnd(): Promise<void> {
    const own = await this.#own()
    const { expiresAt } = own.card.body
    const left = expiresAt - this.#c.clock.now() / 1_000
    if (left >= ENDS_SOON_S || isOvertaken(own) || !this.#passed(this.#warnedAt, WARN_MS)) return
    const data = { expiresAt: new Date(expiresAt * 1_000).toISOString() }
    await this.#change(() => ({ ops: [], facts: [{ type: 'account:expiring', data }] }))
    this.#warnedAt = this.#c.clock.now()
  }

  async #held(): Promise<HeldPrekeys> {
    const { signed, kem } = this.#c.store.prekeys
    return { signed: await signed.list(), kem: await kem.list() }
  }

  async #publishPrekeys(): Promise<boolean> {
    if (!this.#putDue(this.#prekeysPublishedAt)) return true
    const { card } = this.current()
    if (!(await this.#publish({ kind: CARD_KIND.prekeys, body: card }))) {
      await this.#overtake(card)
      return false
    }
    // A newer one was made meanwhile: it wants to be published as well.
    if (this.current().card !== card) return false
    this.#prekeysPublishedAt = this.#c.clock.now()
    return true
  }

  /** A home brought back from a copy: the network remembers a later prekey card than the copy does. */
  async #overtake(card: PrekeyCard): Promise<void> {
    const { accountId, deviceId } = this.#c.account
    const known = await this.#fetch(prekeyCardKey(this.#c.crypto, accountId, deviceId))
    if (known?.kind !== CARD_KIND.prekeys) return
    const { number } = known.body.body
    if (number > card.body.number) await this.#remake(number)
    // The same number with other contents, made by the copy we came from: the next number settles it.
    else if (number === card.body.number && !equal(known.body.signature.ed25519, card.signature.ed25519)) {
      await this.#remake()
    }
  }

  async #publishAccount(): Promise<boolean> {
    const own = await this.#own()
    if (!this.#putDue(own.publishedAt)) return true
    // Expired, or overtaken by a card without this device: nothing to say until the account key is at hand again.
    if (!this.#inForce(own) || isOvertaken(own)) return true
    if ((await this.#c.held?.()) === true) return false
    const stored = await this.#publish({ kind: CARD_KIND.account, body: own.card })
    await (stored ? this.#notePublished(own.number) : this.#catchUp())
    return stored
  }

  /** The account's card went on without this device (another one, or a copy of this home made it): take it over. */
  async #catchUp(): Promise<void> {
    const { crypto, clock, account, journal, store, log } = this.#c
    const known = await this.#fetch(accountCardKey(crypto, account.accountId))
    if (known?.kind !== CARD_KIND.account || !verifyAccountCard(crypto, known.body, clock.now() / 1_000)) return
    const card = known.body
    if (!equal(accountIdOfCard(crypto, card), account.accountId)) return
    await journal.commit(async () => {
      const own = await this.#own()
      const { number } = card.body
      if (number <= own.number) return { ops: [], facts: [], result: undefined }
      const listed = card.body.devices.some(({ body }) => sameDevice(body, account.certificate.body))
      if (!listed) log.warn('a newer account card does not list this device')
      const next = listed ? { ...own, card, number } : { ...own, number }
      return {
        ops: store.accounts.put(next),
        facts: [{ type: 'account:overtaken', data: { number, listed } }],
        result: undefined,
      }
    })
  }

  async #publishFormer(): Promise<boolean> {
    let whole = true
    for (const former of await this.#c.store.former.list(this.#c.account.accountId)) {
      if (!this.#inForce(former)) {
        await this.#change(() => ({ ops: this.#c.store.former.delete(former.accountId), facts: [] }))
      } else if (this.#putDue(former.publishedAt)) {
        const stored = await this.#publish({ kind: CARD_KIND.account, body: former.card })
        const noted = { ...former, publishedAt: this.#c.clock.now() }
        if (stored) await this.#change(() => ({ ops: this.#c.store.former.put(noted), facts: [] }))
        whole &&= stored
      }
    }
    return whole
  }

  async #notePublished(number: number): Promise<void> {
    await this.#change(async () => {
      const own = await this.#own()
      if (own.number !== number) return { ops: [], facts: [] }
      const first = own.publishedAt === 0
      const ops = this.#c.store.accounts.put({ ...own, publishedAt: this.#c.clock.now() })
      return { ops, facts: first ? [{ type: 'account:published', data: { number } }] : [] }
    })
  }

  async #change(build: () => Promise<Written> | Written): Promise<void> {
    await this.#c.journal.commit(async () => ({ ...(await build()), result: undefined }))
  }

  #putDue(publishedAt: number): boolean {
    return publishedAt === 0 || this.#passed(publishedAt, PREKEY_REPUBLISH_MS)
  }

  /** Whether `ms` have passed since a time; also where that time lies ahead, for the clock was wrong then. */
  #passed(since: number, ms: number): boolean {
    const age = this.#c.clock.now() - since
    return age < 0 || age >= ms
  }

  #inForce(account: OwnAccount): boolean {
    return account.card.body.expiresAt > this.#c.clock.now() / 1_000
  }

  /** Whether enough holders signed for it. A network that does not answer is no fault: there is a next look. */
  async #publish(record: CardRecord): Promise<boolean> {
    try {
      const { receipts } = await this.#c.network.publish(record, this.#abort.signal)
      return receipts >= WRITE_QUORUM
    } catch (error) {
      this.#c.log.debug('a card could not be published', { kind: record.kind, error: nameOf(error) })
      return false
    }
  }

  async #fetch(key: Uint8Array): Promise<CardRecord | undefined> {
    try {
      return await this.#c.network.fetch(key, this.#abort.signal)
    } catch (error) {
      this.#c.log.debug('a card could not be fetched', { error: nameOf(error) })
      return undefined
    }
  }

  async #own(): Promise<OwnAccount> {
    const own = await this.#c.store.accounts.own()
    if (own === undefined) throw new StorageError('the account is not in the store')
    return own
  }

  async #device(): Promise<OwnDevice> {
    const device = await this.#c.store.devices.own()
    if (device === undefined) throw new StorageError('the device is not in the store')
    return device
  }
}
