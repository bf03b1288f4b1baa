/** What each entry of a backup becomes in the new home. */
import { toHex } from '../../lib/bytes.ts'
import { CodecError } from '../../lib/errors.ts'
import { accountCardHash } from '../../protocol/card-rules.ts'
import { BACKUP_ENTRY } from '../../store/backup-entries.ts'
import type { BackupEntry } from '../../store/backup-entries.ts'
import { Contacts } from '../../store/contacts.ts'
import { isUnread } from '../../store/conversation-counters.ts'
import { Conversations } from '../../store/conversations.ts'
import type { StoreOp } from '../../store/database.ts'
import { Expiries } from '../../store/expiries.ts'
import { MarkRecords } from '../../store/marks.ts'
import { Messages } from '../../store/messages.ts'
import { OWN_PROFILE, Profiles } from '../../store/profiles.ts'
import { CONTACT_STATE, MESSAGE_STATUS } from '../../store/records.ts'
import type { Contact, Conversation, Message, StoredMarks } from '../../store/records.ts'
import { Recovery } from '../../store/recovery.ts'
import { Settings } from '../../store/settings.ts'
import { Starred } from '../../store/starred.ts'
import type { Vault } from '../../store/vault.ts'
import type { AccountCard } from '../../wire/card.ts'
import type { RestoreContext } from './ports.ts'

/** What was counted of a conversation's messages. */
interface Count {
  readonly last: Message
  readonly unread: number
  readonly unreadFrom: number
}

export class Restored {
  contacts = 0
  messages = 0
  readonly #context: RestoreContext
  readonly #settingNames: readonly string[]
  readonly #settings: Settings
  readonly #profiles: Profiles
  readonly #contacts: Contacts
  readonly #conversations: Conversations
  readonly #messages: Messages
  readonly #marks: MarkRecords
  readonly #starred: Starred
  readonly #expiries: Expiries
  readonly #recovery: Recovery
  readonly #counts = new Map<string, Count>()
  readonly #stars = new Set<number>()

  constructor(context: RestoreContext, vault: Vault, settings: readonly string[]) {
    const { database } = context
    this.#context = context
    this.#settingNames = settings
    this.#settings = new Settings(database, vault)
    this.#profiles = new Profiles(database, vault)
    this.#contacts = new Contacts(database, vault)
    this.#conversations = new Conversations(database, vault)
    this.#messages = new Messages(database, vault)
    this.#marks = new MarkRecords(database, vault)
    this.#starred = new Starred(database, vault)
    this.#expiries = new Expiries(database, vault)
    this.#recovery = new Recovery(database, vault)
  }

  /** What the entry adds. Throws CodecError where it stands in the wrong place. */
  ops(entry: BackupEntry): readonly StoreOp[] {
    switch (entry.kind) {
      case BACKUP_ENTRY.setting: {
        const { name, value } = entry.body
        return this.#settingNames.includes(name) ? this.#settings.put(name, value) : []
      }
      case BACKUP_ENTRY.profile:
        return this.#profiles.put(entry.body.accountId ?? OWN_PROFILE, entry.body.profile)
      case BACKUP_ENTRY.contact:
        return this.#contact(entry.body)
      case BACKUP_ENTRY.message:
        return this.#message(entry.body.message, entry.body.marks)
      case BACKUP_ENTRY.conversation:
        return this.#conversation(entry.body)
      case BACKUP_ENTRY.end:
        return []
      default:
        throw new CodecError('the backup has a second beginning')
    }
  }

  /** Pinned as it was; its devices are met again as after a recovery, and told of ours. */
  #contact(contact: Contact): readonly StoreOp[] {
    const { accountId, pinned, changed, state } = contact
    this.contacts++
    const pin = pinned && { number: pinned.body.number, hash: accountCardHash(this.#context.crypto, pinned) }
    const greet = state === CONTACT_STATE.accepted || state === CONTACT_STATE.requested
    const sought = { version: 1, accountId, pin, suspended: changed !== undefined, greet } as const
    return [
      ...this.#contacts.put({ ...contact, laneNumber: 0, token: undefined, devices: pinned ? listed(pinned) : [] }),
      ...(state === CONTACT_STATE.blocked ? [] : this.#recovery.putContact(sought)),
    ]
  }

  #message(was: Message, marks: StoredMarks | undefined): readonly StoreOp[] {
    const message = { ...was, status: statusOf(was), marked: marks !== undefined }
    this.messages++
    this.#count(message)
    // Two messages of one star's place would come of a backup that was made while one was being starred.
    const starred = marks === undefined || marks.starred === 0 || this.#stars.has(marks.starred) ? 0 : marks.starred
    if (starred !== 0) this.#stars.add(starred)
    const { contact, id, expiresAt } = message
    return [
      ...this.#messages.put(message),
      ...(marks === undefined ? [] : this.#marks.put(contact, id, { ...marks, starred })),
      ...(starred === 0 ? [] : this.#starred.put({ messageId: id, order: starred })),
      ...(expiresAt === 0 ? [] : this.#expiries.put({ messageId: id, at: expiresAt })),
    ]
  }

  #count(message: Message): void {
    const name = toHex(message.contact)
    const before = this.#counts.get(name)
    const unread = isUnread(message)
    this.#counts.set(name, {
      last: before === undefined || message.order > before.last.order ? message : before.last,
      unread: (before?.unread ?? 0) + (unread ? 1 : 0),
      unreadFrom: Math.min(
        before?.unreadFrom ?? Number.MAX_SAFE_INTEGER,
        unread ? message.order : Number.MAX_SAFE_INTEGER,
      ),
    })
  }

  /** As its messages say, whatever came while the backup was made. */
  #conversation(conversation: Conversation): readonly StoreOp[] {
    const count = this.#counts.get(toHex(conversation.contact))
    const { last, unread = 0, unreadFrom = 0 } = count ?? {}
    return this.#conversations.put({
      ...conversation,
      lastMessage: last?.id,
      lastOrder: Math.max(conversation.lastOrder, last?.order ?? 0),
      unread,
      unreadFrom: unread === 0 ? 0 : unreadFrom,
    })
  }
}

/** The devices of a card, with nothing known of them yet: what is said meanwhile waits for them. */
function listed(card: AccountCard): Contact['devices'] {
  return card.body.devices.map(({ body: { deviceId } }) => {
    return { deviceId, prekeys: undefined, prekeysAt: 0, grant: undefined, grantSent: 0 }
  })
}

/** What waited to be sent is in no queue any more: it is said to have failed, and can be sent again. */
function statusOf({ outgoing, status }: Message): Message['status'] {
  return outgoing && status === MESSAGE_STATUS.queued ? MESSAGE_STATUS.failed : status
}
