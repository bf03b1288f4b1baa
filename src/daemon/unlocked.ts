/** What comes and goes with the passphrase: the rooms of the account, their start, their housekeeping and their stop. */
import { hiddenSelf } from './base.ts'
import type { Base } from './base.ts'
import { wipe } from '../lib/bytes.ts'
import { nameOf } from '../lib/errors.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import type { Startable } from '../lib/lifecycle.ts'
import { DAY_MS, HOUR_MS } from '../lib/time.ts'
import type { UnlockedAccount } from '../services/account/ports.ts'
import { Meetings } from '../services/contacts/meetings.ts'
import type { Intake } from '../services/inbox/intake.ts'
import { bucketRange } from '../store/buckets.ts'
import { CONTACT_STATE } from '../store/records.ts'
import { openStore } from '../store/store.ts'
import type { Vault } from '../store/vault.ts'
import { expiredTokens, NO_CHANGE, refresh, resealHanging } from './upkeep.ts'
import { toldAddresses } from './told-addresses.ts'
import type { ToldAddresses } from './told-addresses.ts'
import { buildRooms } from './build-rooms.ts'
import type { UnlockedRooms } from './build-rooms.ts'

const HOUSEKEEPING_MS = HOUR_MS
/** How long the copy is kept that is made before a home is brought to a new format. */
const OLD_FORMAT_MS = 7 * DAY_MS
/** How long `msg why` can tell the story of a message that is done. */
const HISTORY_MS = 30 * DAY_MS
/** Addresses settle after the start; what is announced before would be wrong at once. */
const SETTLE_MS = 2_000

/** The rooms, and their start and stop. */
export class Unlocked implements Startable {
  readonly rooms: UnlockedRooms
  readonly #base: Base
  readonly #vault: Vault
  readonly #intake: Intake
  readonly #lifecycle: Lifecycle
  readonly #told: ToldAddresses
  readonly #meetings: Meetings
  #cancelHousekeeping: (() => void) | undefined
  #housekeeping: Promise<void> | undefined
  #running = false

  private constructor(base: Base, vault: Vault, built: { rooms: UnlockedRooms; intake: Intake }) {
    const { rooms, intake } = built
    this.rooms = rooms
    this.#base = base
    this.#vault = vault
    this.#intake = intake
    this.#told = toldAddresses(base, rooms)
    this.#meetings = new Meetings({
      contacts: rooms.store.contacts,
      network: base.host.direct,
      hidden: () => hiddenSelf(base),
      neverDirect: base.neverDirect,
    })
    this.#lifecycle = new Lifecycle(
      [
        { name: 'meetings', part: this.#meetings },
        { name: 'settings', part: rooms.settings },
        { name: 'sessions', part: { start: async () => rooms.sessions.reload(), stop() {} } },
        { name: 'cards', part: rooms.cards },
        { name: 'pool', part: rooms.pool },
        { name: 'bundles', part: rooms.bundles },
        { name: 'outbox', part: rooms.outbox },
        { name: 'receipts', part: rooms.receipts },
        { name: 'sweeper', part: rooms.messages.sweeper },
        { name: 'profiles', part: rooms.profiles },
        { name: 'live', part: rooms.live },
        { name: 'policies', part: rooms.policies },
        { name: 'mailbox', part: rooms.mailbox },
        { name: 'recovery', part: rooms.recovery },
        { name: 'search', part: rooms.search },
        { name: 'directory', part: { start() {}, stop: () => rooms.directory.stop() } },
      ],
      base.log,
    )
  }

  static async open(base: Base, vault: Vault, account: UnlockedAccount): Promise<Unlocked> {
    const store = await openStore(base.database, vault)
    return new Unlocked(base, vault, buildRooms(base, vault, store, account))
  }

  async start(): Promise<void> {
    await this.#lifecycle.start()
    this.#running = true
    this.#cancelHousekeeping = this.#base.clock.after(SETTLE_MS, () => {
      this.#keepHouse()
    })
  }

  /** Stops every part, waits for what is being written, and wipes the keys. */
  async stop(): Promise<void> {
    this.#running = false
    this.#cancelHousekeeping?.()
    await this.#told.stop()
    await this.#lifecycle.stop()
    await this.#housekeeping
    await this.rooms.journal.idle()
    this.rooms.sessions.clear()
    const { signingSeeds, identitySecret, mailboxSeed, introSeed } = this.rooms.account
    wipe(signingSeeds.ed25519, signingSeeds.mldsa65, identitySecret, mailboxSeed, introSeed)
    this.#vault.lock()
  }

  /** Frames of direct streams; dropped while it does not run. */
  async onFrame(...frame: Parameters<Intake['onFrame']>): Promise<void> {
    if (this.#running) await this.#intake.onFrame(...frame)
  }

  /** A stream to a peer opened, or the last one is gone. */
  onStream(peerId: string, open: boolean): void {
    if (this.#running) this.rooms.live.onStream(peerId, open)
  }

  /** A peer came or went: whatever waits for it, or for any network at all, is tried. */
  async onPeer(peerId: string, connected: boolean): Promise<void> {
    if (!this.#running || !connected) return
    this.#hurry()
    for (const { accountId, deviceId } of await this.#devicesOf(peerId)) this.rooms.outbox.hurry(accountId, deviceId)
  }

  /** Others reach us in another way. */
  onReach(): void {
    if (!this.#running) return
    this.#meetings.changed()
    this.#told.changed()
  }

  /** The network is back: subscriptions are renewed, mailboxes read, and whatever waits is tried, directly first. */
  onReturn(): void {
    if (!this.#running) return
    void this.rooms.mailbox.reader.sweep()
    this.rooms.outbox.hurry()
    this.#hurry()
  }

  /** What waits for the network is tried. */
  #hurry(): void {
    const { cards, pool, policies, recovery } = this.rooms
    for (const room of [cards, pool, policies, recovery]) room.hurry()
  }

  async #devicesOf(peerId: string): Promise<readonly { accountId: Uint8Array; deviceId: Uint8Array }[]> {
    const contacts = await this.rooms.contacts.all()
    return contacts.flatMap(({ accountId, devices }) =>
      devices.filter(({ grant }) => grant?.peerId === peerId).map(({ deviceId }) => ({ accountId, deviceId })),
    )
  }

  #keepHouse(): void {
    if (!this.#running) return
    this.#housekeeping = this.#houseRound()
      .catch((error: unknown) => {
        this.#base.log.warn('housekeeping failed', { error: nameOf(error) })
      })
      .finally(() => {
        if (!this.#running) return
        this.#cancelHousekeeping = this.#base.clock.after(HOUSEKEEPING_MS, () => {
          this.#keepHouse()
        })
      })
  }

  async #houseRound(): Promise<void> {
    const { store, contacts, directory, journal, consumers } = this.rooms
    const now = this.#base.clock.now()
    await this.#told.round()
    // Replaced ratchet states and spent prekeys leave LevelDB's files only when it compacts (forward secrecy on disk).
    for (const bucket of ['sessions', 'signedPrekeys', 'kemPrekeys', 'oneTimePrekeys'] as const) {
      await this.#base.database.compact(bucketRange(bucket))
    }
    await this.rooms.search.tend()
    await this.#base.database.dropBackups(now - OLD_FORMAT_MS)
    await store.history.sweep(now - HISTORY_MS)
    await Promise.all([store.seen.sweep(now), store.sessions.seenInitials.sweep(now)])
    await consumers.sweep()
    await store.events.sweep(await consumers.keep())
    // Parts and tokens are read, then written: nothing may come in between.
    await journal.commit(async () => {
      await store.parts.sweep(now)
      return { ...NO_CHANGE, ops: [...(await expiredTokens(store, now)), ...this.rooms.sessions.tidy()] }
    })
    await resealHanging(this.rooms)
    for (const contact of await contacts.all()) {
      if (contact.state === CONTACT_STATE.accepted) await refresh(directory, contact.accountId)
    }
  }
}
