/**
 * Everything that works with the account's keys, built top to bottom once the vault is open, and gone when it locks. The
 * only place that knows these classes; what they know of each other are ports.
 */
import { hiddenSelf } from './base.ts'
import type { Base } from './base.ts'
import { equal, wipe } from '../lib/bytes.ts'
import { nameOf } from '../lib/errors.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import type { Startable } from '../lib/lifecycle.ts'
import { DAY_MS, HOUR_MS } from '../lib/time.ts'
import { epochsToRead } from '../protocol/mailbox-rules.ts'
import { WRITE_QUORUM } from '../protocol/replicas.ts'
import { prekeysFit } from '../protocol/trust.ts'
import type { OwnCards } from '../services/account/cards.ts'
import type { OwnPool } from '../services/account/own-pool.ts'
import type { UnlockedAccount } from '../services/account/ports.ts'
import { Contacts } from '../services/contacts/contacts.ts'
import { Grants } from '../services/contacts/grants.ts'
import { contactHandlers } from '../services/contacts/handlers.ts'
import { LaneFinder } from '../services/contacts/lanes.ts'
import { Meetings } from '../services/contacts/meetings.ts'
import { Policies } from '../services/contacts/policies.ts'
import { Conversations } from '../services/conversations/conversations.ts'
import { CardNetwork } from '../services/mailbox/card-network.ts'
import { Mailbox } from '../services/mailbox/mailbox.ts'
import { Directory } from '../services/directory/directory.ts'
import { Journal } from '../services/events/journal.ts'
import { receiptHandler, textHandler, unsupportedHandler } from '../services/inbox/handlers/messages.ts'
import { Inbox } from '../services/inbox/inbox.ts'
import { Intake } from '../services/inbox/intake.ts'
import { Receipts } from '../services/inbox/receipts.ts'
import { Outbox } from '../services/outbox/outbox.ts'
import { OutboxWorker } from '../services/outbox/worker.ts'
import type { Bundles } from '../services/sessions/bundles.ts'
import { Sessions } from '../services/sessions/sessions.ts'
import { LetterStamps, stampSolver } from '../services/stamps/solver.ts'
import { bucketRange } from '../store/buckets.ts'
import { CONTACT_STATE } from '../store/records.ts'
import type { Contact } from '../store/records.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import type { Vault } from '../store/vault.ts'
import {
  expiredTokens,
  mailboxPlans,
  mend,
  NO_CHANGE,
  refresh,
  resealHanging,
  spendToken,
  standsUnder,
} from './upkeep.ts'
import { CONTENT_KIND } from '../wire/content.ts'
import { prekeyRooms } from './prekeys.ts'
import { toldAddresses } from './told-addresses.ts'
import type { ToldAddresses } from './told-addresses.ts'

const HOUSEKEEPING_MS = HOUR_MS
/** How long `msg why` can tell the story of a message that is done. */
const HISTORY_MS = 30 * DAY_MS
/** Addresses settle after the start; what is announced before would be wrong at once. */
const SETTLE_MS = 2_000

export interface UnlockedRooms {
  readonly store: Store
  readonly journal: Journal
  readonly account: UnlockedAccount
  readonly contacts: Contacts
  readonly conversations: Conversations
  readonly directory: Directory
  readonly outbox: Outbox
  readonly receipts: Receipts
  readonly sessions: Sessions
  readonly mailbox: Mailbox
  readonly cards: OwnCards
  readonly pool: OwnPool
  readonly bundles: Bundles
  readonly policies: Policies
  readonly inbox: Inbox
}

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
        { name: 'sessions', part: { start: async () => rooms.sessions.reload(), stop() {} } },
        { name: 'cards', part: rooms.cards },
        { name: 'pool', part: rooms.pool },
        { name: 'bundles', part: rooms.bundles },
        { name: 'outbox', part: rooms.outbox },
        { name: 'receipts', part: rooms.receipts },
        { name: 'policies', part: rooms.policies },
        { name: 'mailbox', part: rooms.mailbox },
        { name: 'directory', part: { start() {}, stop: () => rooms.directory.stop() } },
      ],
      base.log,
    )
  }

  static async open(base: Base, vault: Vault, account: UnlockedAccount): Promise<Unlocked> {
    const store = await openStore(base.database, vault)
    return new Unlocked(base, vault, build(base, vault, store, account))
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

  /** A peer came or went: whatever waits for it, or for any network at all, is tried. */
  async onPeer(peerId: string, connected: boolean): Promise<void> {
    if (!this.#running || !connected) return
    for (const room of [this.rooms.cards, this.rooms.pool, this.rooms.policies]) room.hurry()
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
    for (const room of [this.rooms.cards, this.rooms.pool, this.rooms.policies]) room.hurry()
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
    const { store, contacts, directory, journal } = this.rooms
    const now = this.#base.clock.now()
    await this.#told.round()
    // Replaced ratchet states and spent prekeys leave LevelDB's files only when it compacts (forward secrecy on disk).
    for (const bucket of ['sessions', 'signedPrekeys', 'kemPrekeys', 'oneTimePrekeys'] as const) {
      await this.#base.database.compact(bucketRange(bucket))
    }
    await store.history.sweep(now - HISTORY_MS)
    await Promise.all([store.seen.sweep(now), store.sessions.seenInitials.sweep(now), store.events.sweep()])
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

function build(
  base: Base,
  vault: Vault,
  store: Store,
  account: UnlockedAccount,
): { rooms: UnlockedRooms; intake: Intake } {
  const { clock, rng, crypto, profile, host } = base
  const log = (part: string) => base.log.child(part)
  const journal = new Journal({ store, clock, log: log('journal') })
  const find = async (accountId: Uint8Array): Promise<Contact | undefined> => store.contacts.get(accountId)

  const solver = stampSolver(crypto, rng)
  const mailbox: Mailbox = new Mailbox(
    { ...base.mail, log: log('mailbox') },
    {
      seeds: [account.mailboxSeed, account.introSeed],
      sinceMs: account.createdAt,
      burials: store.burials,
      stamps: new LetterStamps(crypto, solver, clock),
      onLetter: async (letter) => intake.onLetter(letter),
    },
  )
  const network = new CardNetwork(mailbox.cards)
  const { cards, pool, bundles } = prekeyRooms({
    base,
    vault,
    store,
    account,
    journal,
    network,
    holders: mailbox.prekeys(solver),
  })
  const directory = new Directory({
    crypto,
    clock,
    log: log('directory'),
    network,
    contacts: store.contacts,
    journal,
    onSuspend: async (accountId) => sessions.setSuspended(accountId, true),
    onFollow: (accountId) => {
      outbox.hurry(accountId)
    },
  })

  const sessions = new Sessions({
    crypto,
    rng,
    clock,
    store,
    local: () => {
      const { card, kemPrekeySeed } = cards.current()
      return { prekeyCard: card, identitySecret: account.identitySecret, kemPrekeySeed }
    },
    allows: async (accountId, deviceId, card) => {
      const contact = await find(accountId)
      if (contact?.changed !== undefined) return false
      const pinned = contact?.pinned
      if (pinned === undefined) return true
      if (card !== undefined) return prekeysFit(pinned, card)
      return pinned.body.devices.some(({ body }) => equal(body.deviceId, deviceId))
    },
    bundles,
    onUse: () => {
      pool.changed()
    },
    onReuse: (id) => {
      pool.reused(id)
    },
  })
  const conversations = new Conversations({ store, journal, clock })
  const sending = { sessions, messages: conversations, crypto, clock, rng, log: log('outbox') }
  const outbox = new Outbox({ ...sending, store: store.outbox, history: store.history, journal })
  const worker = new OutboxWorker({
    ...sending,
    outbox,
    contacts: store.contacts,
    direct: host.direct,
    mail: mailbox.post,
    profile,
  })
  outbox.use(async (lane) => {
    await worker.run(lane)
  })
  const onLanesChanged = (): void => {
    policies.changed()
  }
  const { mailboxSeed } = account
  const told = { routing: host.routing, hidden: () => hiddenSelf(base), neverDirect: base.neverDirect }
  const grants = new Grants({ crypto, profile, mailboxSeed, ...told })
  const contacts = new Contacts({
    store,
    journal,
    outbox,
    sessions,
    grants,
    clock,
    rng,
    self: () => account.accountId,
    onLanesChanged,
  })
  const receipts = new Receipts({ store, journal, contacts: store.contacts, outbox, clock, rng, log: log('receipts') })
  const inbox = new Inbox({
    crypto,
    clock,
    journal,
    sessions,
    contacts: store.contacts,
    seen: store.seen,
    parts: store.parts,
    receipts,
    onReplaced: async (accountId, deviceId) => outbox.resealOps(accountId, deviceId),
    handlers: {
      0: unsupportedHandler(conversations),
      [CONTENT_KIND.text]: textHandler(conversations),
      [CONTENT_KIND.receipt]: receiptHandler(outbox, async (id, contact) => standsUnder(base, store, id, contact)),
      ...contactHandlers({
        store,
        clock,
        outbox,
        onLanesChanged,
        answer: (contact) => contacts.acceptOps(contact),
        spend: async (token) => spendToken(store, token),
      }),
    },
  })
  const policies: Policies = new Policies({
    store,
    journal,
    plans: async () => mailboxPlans(base, store, account),
    publish: async (plan, number, signal) => {
      const order = { ...plan, number, stampBits: profile.stampBits }
      const published = await mailbox.cards.publishPolicies(order, signal)
      return published.every((each) => each.receipts.length >= WRITE_QUORUM)
    },
    clock,
    rng,
    log: log('policies'),
  })
  const rooms: UnlockedRooms = {
    store,
    journal,
    account,
    contacts,
    conversations,
    directory,
    outbox,
    receipts,
    sessions,
    mailbox,
    cards,
    pool,
    bundles,
    policies,
    inbox,
  }
  const lanes = new LaneFinder(crypto, account.mailboxSeed)
  const intake: Intake = new Intake({
    inbox,
    direct: host.direct,
    onAcks: async (acks) => {
      await outbox.onAcks(acks)
    },
    contacts,
    contactOfLane: async (letter) => lanes.find(await contacts.all(), epochsToRead(clock.now(), profile), letter),
    mend: async (contact, reason) => {
      await mend(rooms, contact, reason)
    },
    clock,
    log: log('intake'),
  })
  journal.follow(sessions)
  journal.follow(outbox)
  return { rooms, intake }
}
