/**
 * Everything that works with the account's keys, built top to bottom once the vault is open, and gone when it locks. The
 * only place that knows these classes; what they know of each other are ports.
 */
import { hiddenSelf } from './base.ts'
import type { Base } from './base.ts'
import { equal } from '../lib/bytes.ts'
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
import { Policies } from '../services/contacts/policies.ts'
import type { Conversations } from '../services/conversations/conversations.ts'
import { CardNetwork } from '../services/mailbox/card-network.ts'
import { Mailbox } from '../services/mailbox/mailbox.ts'
import { Directory } from '../services/directory/directory.ts'
import { Consumers } from '../services/events/consumers.ts'
import { Journal } from '../services/events/journal.ts'
import { receiptHandler, textHandler, unsupportedHandler } from '../services/inbox/handlers/messages.ts'
import { operationHandlers } from '../services/inbox/handlers/operations.ts'
import { Inbox } from '../services/inbox/inbox.ts'
import { withoutRead } from '../services/inbox/handlers/without-read.ts'
import { Intake } from '../services/inbox/intake.ts'
import { Receipts } from '../services/inbox/receipts.ts'
import { Live } from '../services/live/live.ts'
import { abandonOps } from '../services/outbox/abandon.ts'
import { Outbox } from '../services/outbox/outbox.ts'
import { OutboxWorker } from '../services/outbox/worker.ts'
import { profileHandler } from '../services/profile/handler.ts'
import { ProfileBook } from '../services/profile/profile.ts'
import type { Bundles } from '../services/sessions/bundles.ts'
import { Sessions } from '../services/sessions/sessions.ts'
import { SettingsBook } from '../services/settings/settings.ts'
import { LetterStamps, stampSolver } from '../services/stamps/solver.ts'
import type { Contact } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { Vault } from '../store/vault.ts'
import { mailboxPlans, mend, spendToken, standsUnder } from './upkeep.ts'
import { CONTENT_KIND } from '../wire/content.ts'
import { messageRooms } from './message-rooms.ts'
import type { MessageRooms } from './message-rooms.ts'
import { prekeyRooms } from './prekeys.ts'
import { recoveryRoom } from './recovery.ts'
import { searchKeeper } from './search.ts'
import type { SearchKeeper } from '../services/search/search-keeper.ts'
import type { RecoveryRoom } from '../services/recovery/recovery.ts'

/** What may change what is kept for recovery, or lets contacts be met again. */
const KEPT_FACTS = /^(account|contact|conversation:changed|profile|recovery|settings)/

export interface UnlockedRooms {
  readonly store: Store
  readonly journal: Journal
  readonly consumers: Consumers
  readonly account: UnlockedAccount
  readonly contacts: Contacts
  readonly conversations: Conversations
  readonly messages: MessageRooms
  readonly directory: Directory
  readonly outbox: Outbox
  readonly receipts: Receipts
  readonly sessions: Sessions
  readonly mailbox: Mailbox
  readonly cards: OwnCards
  readonly pool: OwnPool
  readonly bundles: Bundles
  readonly policies: Policies
  readonly recovery: RecoveryRoom
  readonly search: SearchKeeper
  readonly inbox: Inbox
  readonly settings: SettingsBook
  readonly profiles: ProfileBook
  readonly live: Live
}

export function buildRooms(
  base: Base,
  vault: Vault,
  store: Store,
  account: UnlockedAccount,
): { rooms: UnlockedRooms; intake: Intake } {
  const { clock, rng, crypto, profile, host } = base
  const log = (part: string) => base.log.child(part)
  const journal = new Journal({ store, clock, log: log('journal') })
  const settings = new SettingsBook({ store, journal })
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
    held: async () => recovery.holdsCard(),
  })
  const directory = new Directory({
    crypto,
    clock,
    log: log('directory'),
    network,
    contacts: store.contacts,
    journal,
    remembers: async (accountId) => {
      const known = await store.recovery.contact(accountId)
      return known?.pin && { ...known.pin, suspended: known.suspended }
    },
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
  const messages = messageRooms({
    base,
    store,
    journal,
    mailbox,
    choices: () => settings.current(),
    outbox: () => outbox,
  })
  const { conversations } = messages
  settings.watch(() => {
    messages.sweeper.retain()
  })
  const sending = { sessions, messages: conversations, crypto, clock, rng, log: log('outbox') }
  const outbox: Outbox = new Outbox({ ...sending, store: store.outbox, history: store.history, journal })
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
    abandonOps: async (contact) => abandonOps(outbox, conversations, contact),
    sessions,
    grants,
    clock,
    rng,
    self: () => account.accountId,
    onLanesChanged,
  })
  const receipts = new Receipts({
    store,
    journal,
    contacts: store.contacts,
    outbox,
    tellsRead: () => settings.current().readReceipts,
    clock,
    rng,
    log: log('receipts'),
  })
  const self = (): Uint8Array => account.accountId
  const profiles = new ProfileBook({ store, journal, outbox, self, clock, rng, log: log('profile') })
  const live = new Live({
    contacts: store.contacts,
    direct: host.direct,
    sessions,
    settings,
    journal,
    clock,
    rng,
    log: log('live'),
  })
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
      [CONTENT_KIND.receipt]: withoutRead(
        receiptHandler(outbox, async (id, contact) => standsUnder(base, store, id, contact)),
        () => settings.current().readReceipts,
      ),
      ...operationHandlers(conversations, async (id, contact) => standsUnder(base, store, id, contact)),
      [CONTENT_KIND.profile]: profileHandler(store.profiles),
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
  const recovery: RecoveryRoom = recoveryRoom({
    base,
    store,
    journal,
    mailbox,
    directory,
    contacts,
    settings,
    onLanesChanged,
    onAnswer: () => {
      cards.hurry()
    },
  })
  journal.onEvent((_, facts) => {
    // Others write messages: that is no reason to look whether something of ours has changed.
    if (facts.some(({ type }) => KEPT_FACTS.test(type))) recovery.changed()
  })
  const rooms: UnlockedRooms = {
    store,
    journal,
    consumers: new Consumers({ store, journal, clock }),
    account,
    contacts,
    conversations,
    messages,
    directory,
    outbox,
    receipts,
    sessions,
    mailbox,
    cards,
    pool,
    bundles,
    policies,
    recovery,
    search: searchKeeper(base, store, journal),
    inbox,
    settings,
    profiles,
    live,
  }
  const lanes = new LaneFinder(crypto, account.mailboxSeed)
  const intake: Intake = new Intake({
    inbox,
    live,
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
