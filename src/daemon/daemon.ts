/** One running daemon: what is always there, and what comes and goes with the passphrase. */
import type { Base } from './base.ts'
import { sleep, withDeadline } from '../lib/clock.ts'
import { ConflictError, LockedError, nameOf, NetworkError, NotFoundError } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import { KeyedQueue } from '../lib/queue.ts'
import { createAccount } from '../services/account/create.ts'
import { rotateAccount } from '../services/account/rotate.ts'
import { loadAccount, Unlocker } from '../services/account/unlock.ts'
import type { StatusView } from '../api/application.ts'
import type { RoleName } from '../lib/roles.ts'
import type { HeldStore } from '../store/held.ts'
import type { Vault } from '../store/vault.ts'
import { Unlocked } from './unlocked.ts'
import type { UnlockedRooms } from './unlocked.ts'

/** How long an invited guest tries the addresses in the invite. */
const JOIN_MS = 8_000
/** How long an inviter's card is looked for, and how often. */
const INVITER_MS = 10_000
const LOOK_AGAIN_MS = 500
/** Unlocking, locking and the like wait for one another; more than this many are refused. */
const WAITING_MAX = 16

export interface DaemonInit {
  readonly base: Base
  readonly version: string
  /** Undefined where the daemon holds nothing for others. */
  readonly holder: { readonly held: HeldStore; readonly role: { readonly open: boolean } } | undefined
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
  readonly #startedAt: number
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

  uptimeSeconds(): number {
    return Math.floor((this.base.clock.now() - this.#startedAt) / 1_000)
  }

  /** Makes the account and unlocks it; the phrase is shown once. Throws ConflictError where there is one. */
  async create(input: { passphrase: string; phrase?: string }): Promise<string> {
    return this.#queue.run('', async () => {
      if (this.#hasAccount) throw new ConflictError('this home has an identity already; use another --home')
      const created = await createAccount(this.base.account, input)
      this.#hasAccount = true
      await this.#open(created.vault)
      return created.phrase
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

  onEvent(listener: (last: number) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
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
    try {
      await unlocked.start()
    } catch (error) {
      await unlocked.stop()
      throw error
    }
    this.#unlocked = unlocked
  }

  async #close(): Promise<void> {
    const unlocked = this.#unlocked
    this.#unlocked = undefined
    await unlocked?.stop()
  }
}
