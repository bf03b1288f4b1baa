/** Recovery among the other rooms: what of the home is kept for it, how the home takes it back, and how contacts are met again. */
import type { Base } from './base.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { accountCardHash } from '../protocol/card-rules.ts'
import type { Contacts } from '../services/contacts/contacts.ts'
import type { Directory } from '../services/directory/directory.ts'
import type { Journal } from '../services/events/journal.ts'
import type { Mailbox } from '../services/mailbox/mailbox.ts'
import { mergedContact } from '../services/recovery/merge.ts'
import type { FoundHow, RecoveryContent, RecoveryHome, RecoveryNetwork, Restoring } from '../services/recovery/ports.ts'
import { RecoveryRoom } from '../services/recovery/recovery.ts'
import { SETTINGS_NAME } from '../services/settings/settings.ts'
import type { SettingsBook } from '../services/settings/settings.ts'
import { emptyConversation } from '../store/conversation-counters.ts'
import type { StoreOp } from '../store/database.ts'
import { OWN_PROFILE } from '../store/profiles.ts'
import { CONTACT_STATE } from '../store/records.ts'
import type { Contact, Conversation } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { AccountCard } from '../wire/card.ts'
import { encode, tryDecode } from '../wire/codec.ts'
import { profileBodyCodec } from '../wire/content.ts'
import type { RecoveredContact } from '../wire/recovery.ts'

/** Causal numbers are kept rounded up, or every message would be a change of what is kept. */
const LAMPORT_STEP = 1_024

export interface RecoveryRoomInit {
  readonly base: Base
  readonly store: Store
  readonly journal: Journal
  readonly mailbox: Mailbox
  readonly directory: Directory
  readonly contacts: Contacts
  readonly settings: SettingsBook
  readonly onLanesChanged: () => void
  readonly onAnswer: () => void
}

export function recoveryRoom(init: RecoveryRoomInit): RecoveryRoom {
  const { base, store, journal, directory, contacts } = init
  const { clock, rng, crypto } = base
  return new RecoveryRoom({
    store,
    journal,
    network: recoveryNetwork(init.mailbox),
    home: recoveryHome(init),
    meeter: {
      find: async (accountId) => (await directory.resolve(accountId, { refresh: true })).accountId,
      async greetOps(accountId) {
        const contact = await contacts.get(accountId)
        const isOpen = contact?.state === CONTACT_STATE.accepted || contact?.state === CONTACT_STATE.requested
        return contact !== undefined && isOpen ? contacts.renewOps(contact) : { ops: [], added: () => {} }
      },
    },
    onAnswer: init.onAnswer,
    crypto,
    clock,
    rng,
    log: base.log.child('recovery'),
  })
}

function recoveryNetwork({ cards }: Mailbox): RecoveryNetwork {
  return {
    async publish(record, signal) {
      const { receipts, stale } = await cards.publish(record, signal)
      return { receipts: receipts.length, stale }
    },
    fetch: async (key, signal) => cards.fetch(key, signal, { whole: true }),
  }
}

function recoveryHome({ base, store, settings, onLanesChanged }: RecoveryRoomInit): RecoveryHome {
  return {
    async gather(): Promise<RecoveryContent> {
      const kept = await store.settings.get(SETTINGS_NAME)
      const profile = await store.profiles.get(OWN_PROFILE)
      const contacts = await store.contacts.list()
      return {
        contacts: await Promise.all(
          contacts.map(async (contact) => keptOf(base, contact, await store.conversations.get(contact.accountId))),
        ),
        settings: kept === undefined ? [] : [{ name: SETTINGS_NAME, value: kept }],
        profile: profile === undefined ? undefined : encode(profileBodyCodec, profile),
      }
    },

    async restoreOps(content, found): Promise<Restoring> {
      const ops: StoreOp[] = []
      let fresh = 0
      for (const each of content.contacts) {
        const here = await store.contacts.get(each.accountId)
        ops.push(...(await contactOps(base, store, here, each, found)))
        if (here === undefined) fresh++
      }
      const chosen = await settingsOps(store, content)
      const said = await profileOps(store, content)
      return {
        ops: [...ops, ...chosen, ...said],
        contacts: fresh,
        settings: chosen.length > 0,
        done: () => {
          if (ops.length > 0) onLanesChanged()
          if (chosen.length > 0) void settings.reload()
        },
      }
    },
  }
}

function keptOf({ crypto }: Base, contact: Contact, conversation: Conversation | undefined): RecoveredContact {
  const { accountId, name, state, note, pinned, pinSource, verified, favourite, direct, addedAt } = contact
  const { muted, pinned: first, timerSeconds, lamport } = conversation ?? emptyConversation(accountId)
  return {
    version: 1,
    accountId,
    name,
    state,
    note,
    pin: pinned && { number: pinned.body.number, hash: hashOf(crypto, pinned) },
    pinSource,
    verified,
    suspended: contact.changed !== undefined,
    favourite,
    direct,
    addedAt,
    muted,
    pinned: first,
    timer: timerSeconds,
    lamport: Math.ceil(lamport / LAMPORT_STEP) * LAMPORT_STEP,
  }
}

/** Contacts are looked at whenever something happens, and their cards seldom change. */
const hashes = new WeakMap<AccountCard, Uint8Array>()

function hashOf(crypto: CryptoProvider, card: AccountCard): Uint8Array {
  const known = hashes.get(card)
  if (known !== undefined) return known
  const hash = accountCardHash(crypto, card)
  hashes.set(card, hash)
  return hash
}

/** What is to be done about a contact that was found, beside the one that is here (`services/recovery/merge`). */
async function contactOps(
  { crypto }: Base,
  store: Store,
  here: Contact | undefined,
  kept: RecoveredContact,
  found: FoundHow,
): Promise<readonly StoreOp[]> {
  const merged = mergedContact(crypto, here, kept, found)
  if (merged === undefined) return []
  const { contact, sought } = merged
  return [
    ...store.contacts.put(contact),
    ...(sought === undefined ? [] : store.recovery.putContact(sought)),
    ...(here === undefined ? await conversationOps(store, kept) : []),
  ]
}

async function conversationOps(
  store: Store,
  { accountId, muted, pinned, timer, lamport }: RecoveredContact,
): Promise<readonly StoreOp[]> {
  if (!muted && !pinned && timer === 0 && lamport === 0) return []
  const before = (await store.conversations.get(accountId)) ?? emptyConversation(accountId)
  return store.conversations.put({
    ...before,
    muted,
    pinned,
    timerSeconds: timer,
    lamport: Math.max(before.lamport, lamport),
  })
}

/** Where the user has not chosen anything here yet. */
async function settingsOps(store: Store, { settings }: RecoveryContent): Promise<readonly StoreOp[]> {
  if ((await store.settings.get(SETTINGS_NAME)) !== undefined) return []
  return settings
    .filter(({ name }) => name === SETTINGS_NAME)
    .flatMap(({ name, value }) => store.settings.put(name, value))
}

async function profileOps(store: Store, { profile }: RecoveryContent): Promise<readonly StoreOp[]> {
  const found = profile === undefined ? undefined : tryDecode(profileBodyCodec, profile)
  if (found === undefined || (await store.profiles.line(OWN_PROFILE)) !== undefined) return []
  return store.profiles.put(OWN_PROFILE, found)
}
