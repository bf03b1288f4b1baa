/** The application as the local API sees it: text and JSON on this side, services on the other. */
import type {
  Application,
  ContactChange,
  ContactView,
  ConversationView,
  EventView,
  IdentityView,
  KeyView,
  MailboxView,
  MessageView,
  NetView,
  Page,
  PeerView,
  PrekeysView,
  StatusView,
  VerifyView,
  WhyView,
} from '../api/application.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { LockedError, NotFoundError, UsageError } from '../lib/errors.ts'
import { DAY_MS } from '../lib/time.ts'
import { encodeAccountId, parseAccountId } from '../protocol/account-id.ts'
import { formatSafetyNumber, safetyNumber, safetyQr } from '../protocol/safety-number.ts'
import { send } from '../services/outbox/send.ts'
import { takeBack } from '../services/outbox/take-back.ts'
import { hiddenWays } from '../services/contacts/meetings.ts'
import { CONTACT_DIRECT, PIN_SOURCE } from '../store/records.ts'
import type { Contact, Message } from '../store/records.ts'
import type { PrekeyCard } from '../wire/prekeys.ts'
import { encodeInvite, encodeSafetyQr, parseInvite } from '../wire/invite.ts'
import { hiddenSelf } from './base.ts'
import type { Daemon } from './daemon.ts'
import { netView } from './net-view.ts'
import type { UnlockedRooms } from './unlocked.ts'
import { publishNow, TOKEN_PREFIX } from './upkeep.ts'
import {
  contactView,
  conversationView,
  eventView,
  identityView,
  isoOrNull,
  keyView,
  mailboxView,
  messageView,
  prekeysView,
  whyView,
} from './views.ts'

/** An invite's one-time token is good for a week. */
const TOKEN_LIFE_MS = 7 * DAY_MS
const NAME_BYTES_MAX = 64
/** How long an invite waits for holders to take the policy that has its lane; without it the guest pays a stamp. */
const INVITE_PUBLISH_MS = 3_000

export class DaemonApplication implements Application {
  readonly #daemon: Daemon

  constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  async status(): Promise<StatusView> {
    const { host, profile } = this.#daemon.base
    const rooms = this.#daemon.rooms
    const sweep = rooms?.mailbox.reader.lastSweep
    const held = this.#daemon.heldUsage()
    const conversations = (await rooms?.conversations.all()) ?? []
    return {
      version: this.#daemon.version,
      network: profile.name,
      state: this.#daemon.state(),
      accountId: rooms === undefined ? null : encodeAccountId(rooms.account.accountId),
      deviceId: rooms === undefined ? null : toHex(rooms.account.deviceId),
      peerId: host.peerId,
      addresses: host.addresses(),
      peers: new Set(host.peers().map(({ id }) => id)).size,
      reach: { reachability: host.reach().reachability, relays: host.reach().relays.length },
      holder: held,
      outbox: { waiting: rooms?.outbox.queue.waiting ?? 0 },
      mailbox: {
        lastSweepAt: isoOrNull(sweep?.at ?? 0),
        complete: sweep?.complete ?? false,
        unread: conversations.reduce((sum, { unread }) => sum + unread, 0),
      },
      uptimeSeconds: this.#daemon.uptimeSeconds(),
    }
  }

  async createIdentity(input: {
    passphrase: string
    phrase?: string
  }): Promise<{ identity: IdentityView; phrase: string }> {
    const phrase = await this.#daemon.create(input)
    return { identity: await this.identity(), phrase }
  }

  async unlock(passphrase: string): Promise<IdentityView> {
    await this.#daemon.unlock(passphrase)
    return this.identity()
  }

  async lock(): Promise<void> {
    await this.#daemon.lock()
  }

  async identity(): Promise<IdentityView> {
    const rooms = this.#rooms()
    const own = await rooms.store.accounts.own()
    if (own === undefined) throw new NotFoundError('this home has no account yet: run sotto init')
    return identityView(own, rooms.account.deviceId)
  }

  async rotateIdentity(input: { passphrase: string }): Promise<{ identity: IdentityView; phrase: string }> {
    const phrase = await this.#daemon.rotate(input.passphrase)
    return { identity: await this.identity(), phrase }
  }

  async publishIdentity(): Promise<{ receipts: number }> {
    return { receipts: await publishNow(this.#daemon.base, this.#rooms()) }
  }

  async prekeys(): Promise<PrekeysView> {
    return prekeysView(await this.#rooms().pool.status())
  }

  async invite(input: { token: boolean }): Promise<{ link: string }> {
    const rooms = this.#rooms()
    const { base } = this.#daemon
    const token = input.token ? base.rng.bytes(16) : undefined
    if (token !== undefined) {
      const until = String(base.clock.now() + TOKEN_LIFE_MS)
      await rooms.journal.commit(() => ({
        ops: rooms.store.settings.put(TOKEN_PREFIX + toHex(token), until),
        facts: [],
        result: undefined,
      }))
      // Who is quick with the link is to find the lane open.
      await rooms.policies.publishSoon(INVITE_PUBLISH_MS)
    }
    const ways = base.host.joining.waysIn()
    const addresses = base.neverDirect ? hiddenWays(ways, base.host.routing.self(), hiddenSelf(base)) : ways
    return { link: encodeInvite({ version: 1, accountId: rooms.account.accountId, addresses, token }) }
  }

  async lookup(accountId: string): Promise<KeyView> {
    const resolved = await this.#rooms().directory.resolve(parseAccountId(accountId))
    return keyView(this.#daemon.base.crypto, resolved.account)
  }

  async contacts(): Promise<readonly ContactView[]> {
    return (await this.#rooms().contacts.all()).map(contactView)
  }

  async contact(accountId: string): Promise<ContactView> {
    return contactView(await this.#contact(accountId))
  }

  async addContact(input: {
    target: string
    name?: string
    note?: string
    source?: 'network' | 'invite' | 'qr'
  }): Promise<ContactView> {
    const rooms = this.#rooms()
    const invite = input.target.trim().startsWith('sotto:') ? parseInvite(input.target) : undefined
    // Who made the invite would see where the dials come from.
    if (invite !== undefined && !this.#daemon.base.neverDirect) await this.#daemon.join(invite.addresses)
    const accountId = invite?.accountId ?? parseAccountId(input.target.trim())
    const find = async () => rooms.directory.resolve(accountId)
    const resolved = await (invite === undefined ? find() : this.#daemon.patiently(find))
    // What the request is sealed with is fetched while it is being written down.
    for (const prekeys of resolved.prekeys) this.#prefetch(resolved.accountId, prekeys)
    const added = await rooms.contacts.add({
      accountId: resolved.accountId,
      name: checkedName(input.name ?? ''),
      note: input.note ?? '',
      source: PIN_SOURCE[input.source ?? (invite === undefined ? 'network' : 'invite')],
      token: invite?.token,
      resolved,
    })
    return contactView(added)
  }

  async acceptContact(accountId: string, input: { name?: string }): Promise<ContactView> {
    const rooms = this.#rooms()
    const id = parseAccountId(accountId)
    const accepted = await rooms.contacts.accept(id, input.name === undefined ? undefined : checkedName(input.name))
    // The card behind the request is pinned as soon as the network shows it.
    this.#daemon.inBackground(rooms.directory.resolve(id, { refresh: true }))
    return contactView(accepted)
  }

  async updateContact(accountId: string, input: ContactChange): Promise<ContactView> {
    const { direct, ...rest } = input
    if (input.name !== undefined) checkedName(input.name)
    const { contacts } = this.#rooms()
    const id = parseAccountId(accountId)
    if (direct !== undefined) await contacts.setDirect(id, CONTACT_DIRECT[direct])
    return contactView(await contacts.rename(id, rest))
  }

  async blockContact(accountId: string): Promise<ContactView> {
    return contactView(await this.#rooms().contacts.block(parseAccountId(accountId)))
  }

  async unblockContact(accountId: string): Promise<ContactView> {
    return contactView(await this.#rooms().contacts.unblock(parseAccountId(accountId)))
  }

  async removeContact(accountId: string): Promise<void> {
    await this.#rooms().contacts.remove(parseAccountId(accountId))
  }

  async safetyNumber(accountId: string): Promise<VerifyView> {
    const rooms = this.#rooms()
    const contact = await this.#contact(accountId)
    const pinned = contact.pinned ?? (await rooms.directory.resolve(contact.accountId)).account
    const own = await rooms.store.accounts.own()
    if (own === undefined) throw new NotFoundError('this home has no account yet: run sotto init')
    const { crypto } = this.#daemon.base
    return {
      accountId: encodeAccountId(contact.accountId),
      digits: formatSafetyNumber(safetyNumber(crypto, own.accountId, contact.accountId)),
      qr: encodeSafetyQr(safetyQr(crypto, own.card, pinned)),
      verified: contact.verified,
    }
  }

  async verifyContact(accountId: string, input: { verified?: boolean; acceptChange?: boolean }): Promise<ContactView> {
    const rooms = this.#rooms()
    const id = parseAccountId(accountId)
    if (input.acceptChange === true) {
      await rooms.contacts.acceptChange(id)
      await rooms.directory.resolve(id, { refresh: true })
      rooms.outbox.hurry(id)
    }
    const contact =
      input.verified === undefined
        ? await rooms.contacts.require(id)
        : await rooms.contacts.setVerified(id, input.verified)
    return contactView(contact)
  }

  async conversations(): Promise<readonly ConversationView[]> {
    const rooms = this.#rooms()
    const all = await rooms.conversations.all()
    return Promise.all(
      all.map(async (conversation) => {
        const contact = await rooms.contacts.get(conversation.contact)
        const last =
          conversation.lastMessage === undefined ? undefined : await rooms.conversations.find(conversation.lastMessage)
        return conversationView(conversation, contact?.name ?? '', last === undefined ? null : messageView(last))
      }),
    )
  }

  async messages(accountId: string, input: { cursor?: string; limit: number }): Promise<Page<MessageView>> {
    const rooms = this.#rooms()
    const contact = parseAccountId(accountId)
    const before = input.cursor === undefined ? {} : { before: cursorOf(input.cursor) }
    if (input.cursor === undefined) await this.#prefetchFor(contact)
    const found = await rooms.conversations.page(contact, { ...before, limit: input.limit + 1 })
    const items = found.slice(0, input.limit).map(messageView)
    return { items, next: found.length > input.limit ? (items.at(-1)?.cursor ?? null) : null }
  }

  async search(input: { query: string; contact?: string; limit: number }): Promise<readonly MessageView[]> {
    const { conversations } = this.#rooms()
    const all = (await conversations.all()).map(({ contact }) => contact)
    const contacts = input.contact === undefined ? all : [parseAccountId(input.contact)]
    return (await conversations.search(input.query, contacts, input.limit)).map(messageView)
  }

  async message(id: string): Promise<MessageView> {
    return messageView(await this.#rooms().conversations.require(messageId(id)))
  }

  async send(accountId: string, input: { text: string; replyTo?: string; id?: string }): Promise<MessageView> {
    const rooms = this.#rooms()
    const { clock, rng } = this.#daemon.base
    const { journal, contacts, conversations, outbox } = rooms
    const message = await send(
      { journal, contacts, conversations, outbox, clock, rng },
      {
        contact: parseAccountId(accountId),
        text: input.text,
        ...(input.replyTo === undefined ? {} : { replyTo: messageId(input.replyTo) }),
        ...(input.id === undefined ? {} : { id: messageId(input.id) }),
      },
    )
    return messageView(message)
  }

  async markRead(accountId: string, input: { upTo?: string }): Promise<{ marked: number }> {
    const rooms = this.#rooms()
    const contact = parseAccountId(accountId)
    const upTo = input.upTo === undefined ? undefined : messageId(input.upTo)
    const marked = await rooms.conversations.markRead(contact, upTo, (ids) => rooms.receipts.readOps(contact, ids))
    rooms.receipts.wake()
    return { marked }
  }

  async why(id: string): Promise<WhyView> {
    const rooms = this.#rooms()
    const message = await rooms.conversations.require(messageId(id))
    return whyView(message, await rooms.outbox.itemsOf(message.id, message.contact))
  }

  async takeBack(id: string): Promise<MessageView> {
    return messageView(await this.#takeBack(messageId(id)))
  }

  async mailbox(): Promise<MailboxView> {
    const { mailbox, conversations } = this.#rooms()
    return mailboxView(mailbox.reader.lastSweep, mailbox.reader.pending, await conversations.all())
  }

  async net(): Promise<NetView> {
    const { host, profile } = this.#daemon.base
    return netView({
      status: host.reach(),
      role: this.#daemon.role,
      addresses: host.addresses(),
      listening: host.listening(),
      peers: host.peers(),
      holding: this.#daemon.heldUsage().serving,
      nextDoor: profile.privateAddresses,
    })
  }

  async peers(): Promise<readonly PeerView[]> {
    return this.#daemon.base.host.peers().map((peer) => ({
      peerId: peer.id,
      address: peer.address,
      direction: peer.direction,
      roundTripMs: peer.roundTripMs ?? null,
      streams: peer.streams,
      holder: peer.holder,
      encryption: peer.link,
    }))
  }

  async eventsSince(
    since: number,
    limit: number,
  ): Promise<{ events: readonly EventView[]; first: number; last: number }> {
    const { events } = this.#rooms().store
    return { events: (await events.since(since, limit)).map(eventView), first: events.first(), last: events.last() }
  }

  onEvent(listener: (number: number) => void): () => void {
    return this.#daemon.onEvent(listener)
  }

  /** Whoever opens a conversation may write in it: what a new session begins with is fetched ahead. */
  async #prefetchFor(accountId: Uint8Array): Promise<void> {
    const contact = await this.#rooms().contacts.get(accountId)
    for (const { prekeys } of contact?.devices ?? []) if (prekeys !== undefined) this.#prefetch(accountId, prekeys)
  }

  #prefetch(accountId: Uint8Array, prekeys: PrekeyCard): void {
    const { deviceId } = prekeys.body.certificate.body
    const fetching = this.#rooms().sessions.prepare({ accountId }, { deviceId, prekeys })
    if (fetching !== undefined) this.#daemon.inBackground(fetching)
  }

  async #takeBack(id: Uint8Array): Promise<Message> {
    const { journal, conversations, outbox, mailbox } = this.#rooms()
    return takeBack({ journal, conversations, outbox, tombstones: mailbox.tombstones }, id)
  }

  #rooms(): UnlockedRooms {
    const { rooms } = this.#daemon
    if (rooms !== undefined) return rooms
    if (this.#daemon.state() === 'empty') throw new NotFoundError('this home has no account yet: run sotto init')
    throw new LockedError('the keys are sealed: run sotto unlock')
  }

  async #contact(accountId: string): Promise<Contact> {
    return this.#rooms().contacts.require(parseAccountId(accountId))
  }
}

function messageId(text: string): Uint8Array {
  const id = fromHex(text)
  if (id?.length !== 16) throw new UsageError('a message id has 32 hexadecimal digits')
  return id
}

function cursorOf(text: string): number {
  const order = Number(text)
  if (!Number.isSafeInteger(order) || order < 0) throw new UsageError('this cursor is none that we gave out')
  return order
}

function checkedName(name: string): string {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new UsageError('a name has at most 64 bytes')
  return name
}
