/** One running daemon: what is always there, and what comes and goes with the passphrase. */
import type { Base } from './base.ts'
import { wipe } from '../lib/bytes.ts'
import { sleep, withDeadline } from '../lib/clock.ts'
import { ConflictError, LockedError, nameOf, NetworkError, NotFoundError } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import { KeyedQueue } from '../lib/queue.ts'
import { accountOfPhrase, createAccount } from '../services/account/create.ts'
import { rotateAccount } from '../services/account/rotate.ts'
import { loadAccount, Unlocker } from '../services/account/unlock.ts'
import type { RestoredHome } from '../services/backup/restore.ts'
import type { LiveSignal } from '../services/live/ports.ts'
import { AutoLock } from '../services/settings/auto-lock.ts'
import type { StatusView } from '../api/application/account.ts'
import type { ZoneView } from '../api/application/network.ts'
import type { RoleName } from '../lib/roles.ts'
import type { HeldStore } from '../store/held.ts'
import { reseal } from '../store/reseal.ts'
import type { Vault } from '../store/vault.ts'
import { askForCard } from './ask-card.ts'
import type { CardAnswer } from './ask-card.ts'
import { accountSeeds, restoredHome, sealedBackup } from './backup.ts'
import { Unlocked } from './unlocked.ts'
import type { UnlockedRooms } from './build-rooms.ts'

/** How long an invited guest tries the addresses in the invite. */
const JOIN_MS = 8_000
/** How long an inviter's card is looked for, and how often. */
const INVITER_MS = 10_000
const LOOK_AGAIN_MS = 500
/** How long the network is asked for what belongs to 24 words, before the account is made, after it, and after it in vain. */
const CARD_WAIT_MS = 8_000
const RECOVERY_WAIT_MS = 12_000
const UNHEARD_WAIT_MS = 3_000
/** Unlocking, locking and the like wait for one another; more than this many are refused. */
const WAITING_MAX = 16

export interface Created {
  readonly phrase: string
  /** What the network gave back; undefined for a new account. */
  readonly recovered: { readonly card: boolean; readonly contacts: number; readonly settings: boolean } | undefined
}

export interface DaemonInit {
  readonly base: Base
  readonly version: string
  /** Undefined where the daemon holds nothing for others. */
  readonly holder:
    | { readonly held: HeldStore; readonly role: { readonly open: boolean }; readonly bytesMax?: number }
    | undefined
  readonly hasAccount: boolean
  readonly role?: RoleName
}

export class Daemon implements Startable {
  readonly base: Base
  readonly version: string
  readonly role: RoleName
  readonly #holder: DaemonInit['holder']
  readonly #unlocker: Unlocker
  readonly #queue = new KeyedQueue(WAITING_MAX)
  readonly #listeners = new Set<(last: number) => void>()
  /** Told when the keys are sealed. */
  readonly #sealing = new Set<() => void>()
  readonly #watchers = new Set<(signal: LiveSignal) => void>()
  readonly #startedAt: number
  #autoLock: AutoLock | undefined
  #hasAccount: boolean
  #unlocked: Unlocked | undefined

  constructor(init: DaemonInit) {
    this.base = init.base
    this.version = init.version
    this.role = init.role ?? 'peer'
    this.#holder = init.holder
    this.#hasAccount = init.hasAccount
    this.#unlocker = new Unlocker(init.base.account)
    this.#startedAt = init.base.clock.now()
    init.base.host.direct.meetBy(() => 'stranger')
    init.base.host.direct.onFrame(async (peerId, frame) => {
      await this.#unlocked?.onFrame(peerId, frame)
    })
    init.base.host.direct.onStream((peerId, open) => {
      this.#unlocked?.onStream(peerId, open)
    })
    init.base.host.onReach(() => this.#unlocked?.onReach())
    init.base.host.joining.onReturn(() => {
      this.#unlocked?.onReturn()
    })
    init.base.host.holderNetwork.onPeerChange((peerId, connected) => {
      this.inBackground(this.#unlocked?.onPeer(peerId, connected) ?? Promise.resolve())
    })
  }

  start(): void {}

  async stop(): Promise<void> {
    await this.#queue.run('', async () => {
      await this.#close()
    })
  }

  get rooms(): UnlockedRooms | undefined {
    return this.#unlocked?.rooms
  }

  state(): StatusView['state'] {
    if (this.#unlocked === undefined) return this.#hasAccount ? 'locked' : 'empty'
    return this.base.host.peers().length === 0 ? 'joining' : 'ready'
  }

  heldUsage(): StatusView['holder'] {
    const usage = this.#holder?.held.usage
    return { serving: this.#holder?.role.open ?? false, records: usage?.letters ?? 0, bytes: usage?.bytes ?? 0 }
  }

  /** The same for the picture of the zone. */
  heldForOthers(): ZoneView['held'] {
    const { serving, records: letters, bytes } = this.heldUsage()
    const usage = this.#holder?.held.usage
    const { mailboxes, cards } = usage ?? { mailboxes: 0, cards: 0 }
    return { serving, letters, bytes, bytesMax: this.#holder?.bytesMax ?? 0, mailboxes, cards }
  }

  uptimeSeconds(): number {
    return Math.floor((this.base.clock.now() - this.#startedAt) / 1_000)
  }

  /**
   * Makes the account and unlocks it; the phrase is shown once. With a phrase, that account is brought back: what the network has of it is
   * waited for, a while. Throws ConflictError where there is an account, or where that of the phrase has a successor.
   */
  async create(input: { passphrase: string; phrase?: string }): Promise<Created> {
    return this.#queue.run('', async () => {
      if (this.#hasAccount) throw new ConflictError('this home has an identity already; use another --home')
      const known = input.phrase === undefined ? undefined : await this.#lookFor(input.phrase)
      const created = await createAccount(this.base.account, { ...input, ...known })
      this.#hasAccount = true
      await this.#open(created.vault)
      if (known === undefined) return { phrase: created.phrase, recovered: undefined }
      const found = await this.#unlocked?.rooms.recovery.recovered(known.asked ? RECOVERY_WAIT_MS : UNHEARD_WAIT_MS)
      const { contacts, settings } = found ?? { contacts: 0, settings: false }
      return { phrase: created.phrase, recovered: { card: known.newest !== undefined, contacts, settings } }
    })
  }

  /** The newest card of an account that is to be brought back, if the network answers in time. */
  async #lookFor(phrase: string): Promise<CardAnswer> {
    return this.#cardOf(await accountOfPhrase(this.base.account, phrase))
  }

  async #cardOf(accountId: Uint8Array): Promise<CardAnswer> {
    const answer = await askForCard(this.base, accountId, CARD_WAIT_MS)
    if (answer.newest?.body.successor === undefined) return answer
    throw new ConflictError('this account was replaced by a newer one: use the words that you were given then')
  }

  /** A sealed copy of the home. Throws LockedError, PassphraseError and RateError before its first bytes. */
  async *backup(input: { current: string; passphrase: string }): AsyncGenerator<Uint8Array> {
    const { rooms } = this
    if (rooms === undefined) throw new LockedError('the keys are sealed: run sotto unlock')
    const seeds = await this.#unlocker.attempt(async () => accountSeeds(this.base, rooms, input.current))
    // Sealing the keys ends it, also where nobody reads on.
    const giveUp = (): void => {
      wipe(seeds.ed25519, seeds.mldsa65)
    }
    this.#sealing.add(giveUp)
    try {
      if (this.rooms !== rooms) throw new LockedError('the keys were sealed meanwhile')
      for await (const chunk of sealedBackup(this.base, rooms, seeds, input.passphrase)) {
        if (this.rooms !== rooms) throw new LockedError('the keys were sealed meanwhile')
        yield chunk
      }
    } finally {
      giveUp()
      this.#sealing.delete(giveUp)
    }
  }

  /** Makes the account from a backup, and unlocks it. Throws ConflictError, PassphraseError, CodecError; then nothing is changed. */
  async restore(input: Parameters<typeof restoredHome>[1]): Promise<RestoredHome> {
    return this.#queue.run('', async () => {
      if (this.#hasAccount) throw new ConflictError('this home has an identity already; use another --home')
      const restored = await this.#unlocker.attempt(async () =>
        restoredHome(this.base, input, async (accountId) => this.#cardOf(accountId)),
      )
      this.#hasAccount = true
      await this.#open(restored.vault)
      return restored
    })
  }

  /** Seals vault and account key with another passphrase. Throws PassphraseError, RateError, NotFoundError. */
  async changePassphrase({ passphrase, newPassphrase }: { passphrase: string; newPassphrase: string }): Promise<void> {
    await this.#queue.run('', async () => {
      if (!this.#hasAccount) throw new NotFoundError('this home has no account yet: run sotto init')
      const { account } = this.base
      await this.#unlocker.attempt(async () => reseal(account.files, passphrase, newPassphrase, account, account.cost))
    })
  }

  async unlock(passphrase: string): Promise<void> {
    await this.#queue.run('', async () => {
      const { vault } = await this.#unlocker.unlock(passphrase)
      if (this.#unlocked === undefined) await this.#open(vault)
      else vault.lock()
    })
  }

  async lock(): Promise<void> {
    await this.#queue.run('', async () => {
      await this.#close()
    })
  }

  /** New account keys. Everything that ran under the old ones stops and starts anew. */
  async rotate(passphrase: string): Promise<string> {
    return this.#queue.run('', async () => {
      const before = this.#unlocked
      if (before === undefined) throw new LockedError('the keys are sealed: run sotto unlock')
      const { vault } = await this.#unlocker.unlock(passphrase)
      const { phrase } = await rotateAccount(
        this.base.account,
        { vault, journal: before.rooms.journal },
        { passphrase },
      )
      await this.#close()
      await this.#open(vault)
      return phrase
    })
  }

  /** Joins by the addresses that came with an invite; they are tried on in the background where none answers in time. */
  async join(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return
    const { host, clock } = this.base
    try {
      await withDeadline(clock, JOIN_MS, async (signal) => {
        await host.joining.joinBy(addresses, signal)
      })
    } catch {
      this.base.log.info('none of the invite’s addresses answered')
    }
  }

  /** Looks for an inviter who may have been alone until its guest came: its cards go out only then. */
  async patiently<T>(find: () => Promise<T>): Promise<T> {
    const { clock, host } = this.base
    for (const end = clock.now() + INVITER_MS; ; await sleep(clock, LOOK_AGAIN_MS)) {
      try {
        return await find()
      } catch (error) {
        const early = error instanceof NotFoundError || error instanceof NetworkError
        if (!early || clock.now() >= end || host.peers().length === 0) throw error
      }
    }
  }

  /** Calls back whenever the keys are sealed. */
  onLock(listener: () => void): () => void {
    this.#sealing.add(listener)
    return () => {
      this.#sealing.delete(listener)
    }
  }

  onEvent(listener: (last: number) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** What contacts do at the moment; across locking and unlocking. */
  onLive(listener: (signal: LiveSignal) => void): () => void {
    this.#watchers.add(listener)
    return () => {
      this.#watchers.delete(listener)
    }
  }

  /** A user did something: the time until the keys are sealed begins anew; where it is over, they are sealed first. */
  async noteUse(): Promise<void> {
    await this.#autoLock?.used()
  }

  /** Before anything else is asked for: timers stand still while a machine sleeps. */
  async lockIfDue(): Promise<void> {
    await this.#autoLock?.lockIfDue()
  }

  /** Work that nobody waits for; its failure is logged. */
  inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.base.log.debug('background work failed', { error: nameOf(error) })
    })
  }

  async #open(vault: Vault): Promise<void> {
    const unlocked = await Unlocked.open(this.base, vault, await loadAccount(this.base.account, vault))
    unlocked.rooms.journal.onEvent((last) => {
      for (const listener of this.#listeners) listener(last)
    })
    unlocked.rooms.live.watch((signal) => {
      for (const watcher of this.#watchers) watcher(signal)
    })
    try {
      await unlocked.start()
    } catch (error) {
      await unlocked.stop()
      throw error
    }
    this.#unlocked = unlocked
    this.#autoLock = this.#autoLockOf(unlocked)
    this.#autoLock.start()
  }

  #autoLockOf({ rooms: { settings } }: Unlocked): AutoLock {
    const lock = async (): Promise<void> => {
      const locking = this.lock()
      this.inBackground(locking)
      await locking.catch(() => {})
    }
    return new AutoLock({ settings, clock: this.base.clock, lock })
  }

  async #close(): Promise<void> {
    this.#autoLock?.stop()
    this.#autoLock = undefined
    const unlocked = this.#unlocked
    this.#unlocked = undefined
    for (const tell of this.#sealing) tell()
    await unlocked?.stop()
    // Who watches the log looks again, and finds it sealed: an open stream would wait for the unlocking and say nothing.
    for (const listener of this.#listeners) listener(0)
  }
}
