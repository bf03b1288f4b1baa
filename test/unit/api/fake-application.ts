/** An Application of closures over plain lists: what the API's tests stand on. */
import type { IdentityView, StatusView } from '../../../src/api/application/account.ts'
import type { Application } from '../../../src/api/application/application.ts'
import type { ContactView } from '../../../src/api/application/contacts.ts'
import type { EventView } from '../../../src/api/application/events.ts'
import type { ConversationView, MessageView } from '../../../src/api/application/messages.ts'
import type { StoragePart } from '../../../src/api/application/storage.ts'
import {
  ConflictError,
  LockedError,
  NotFoundError,
  PassphraseError,
  RateError,
  UsageError,
} from '../../../src/lib/errors.ts'
import type { FakeLive } from './fake-parts.ts'
import { fakeConsumers, fakeLive, fakeProfile, fakeSettings, fakeStorage, fakeZone } from './fake-parts.ts'

const AT = '2026-11-21T13:20:00.000Z'
/** Account ids that have the right shape; nobody here checks their checksum. */
export const accountOf = (letter: string): string => `sotto1${letter.repeat(58)}`
export const ALICE = accountOf('a')
export const BOB = accountOf('q')
export const CAROL = accountOf('c')
export const hexId = (number: number): string => number.toString(16).padStart(32, '0')

export interface Fake extends Application, FakeLive {
  readonly contactList: ContactView[]
  readonly messageList: MessageView[]
  readonly eventList: EventView[]
  readonly calls: string[]
  state: StatusView['state']
  passphrase: string
  /** Oldest event number still kept. */
  first: number
  emit(type: string, data: unknown): number
  receive(from: string, text: string): MessageView
}

export function contactView(accountId: string, name: string, more: Partial<ContactView> = {}): ContactView {
  const trust = { verified: false, changed: false, pinSource: 'network' } as const
  const rest = { note: '', favourite: false, direct: 'always' as const, addedAt: AT, lastSeenAt: null, devices: 1 }
  const seen = { online: false, profileName: '', profileNumber: 0 }
  return { accountId, name, state: 'accepted', ...trust, ...rest, ...seen, ...more }
}

export function messageView(id: string, contact: string, more: Partial<MessageView> = {}): MessageView {
  const body = { outgoing: true, kind: 'text', text: 'hello', replyTo: null } as const
  const delivery = { status: 'queued', stored: 0, storedOf: 5, path: 'none' } as const
  const marks = { editedAt: null, gone: 'no', reactions: [], starred: false, pinned: false } as const
  const timer = { timerSeconds: null, expiresAt: null }
  return { id, contact, ...body, sentAt: AT, committedAt: AT, ...delivery, ...marks, ...timer, cursor: id, ...more }
}

export function fakeApplication(): Fake {
  const listeners = new Set<(number: number) => void>()
  const identityView: IdentityView = {
    accountId: ALICE,
    deviceId: hexId(1),
    cardNumber: 1,
    devices: [{ deviceId: hexId(1), expiresAt: AT, self: true }],
  }
  let failures = 0
  let serial = 0
  const need = (): void => {
    if (fake.state === 'empty') throw new UsageError('there is no identity on this home; run: sotto init')
    if (fake.state === 'locked') throw new LockedError('the keys are sealed')
  }
  const find = (accountId: string): ContactView => {
    need()
    const found = fake.contactList.find((contact) => contact.accountId === accountId)
    if (found === undefined) throw new NotFoundError('no such contact')
    return found
  }
  const replace = (accountId: string, change: Partial<ContactView>): ContactView => {
    const changed = { ...find(accountId), ...change }
    fake.contactList.splice(fake.contactList.indexOf(find(accountId)), 1, changed)
    return changed
  }
  const conversations = new Map<string, Partial<ConversationView>>()
  const conversation = ({ accountId, name }: ContactView): ConversationView => {
    const mine = fake.messageList.filter((entry) => entry.contact === accountId)
    const unread = mine.filter((entry) => !entry.outgoing && entry.status !== 'read').length
    const flags = { muted: false, pinned: false, markedUnread: false, timerSeconds: null, draft: '', pins: [] }
    const last = { lastMessage: mine.at(-1) ?? null, unread }
    return { contact: accountId, name, ...last, ...flags, ...conversations.get(accountId) }
  }
  const change = (id: string, more: Partial<MessageView>): MessageView => {
    const changed = { ...message(id), ...more }
    fake.messageList[fake.messageList.indexOf(message(id))] = changed
    return changed
  }
  const pageOf = (items: readonly MessageView[], { cursor, limit }: { cursor?: string; limit: number }) => {
    const start = cursor === undefined ? 0 : items.findIndex((entry) => entry.cursor === cursor) + 1
    const page = items.slice(start, start + limit)
    return { items: page, next: items.length > start + limit ? (page.at(-1)?.cursor ?? null) : null }
  }
  const message = (id: string): MessageView => {
    need()
    const found = fake.messageList.find((entry) => entry.id === id)
    if (found === undefined) throw new NotFoundError('no such message')
    return found
  }
  const fake: Fake = {
    contactList: [contactView(BOB, 'Bob'), contactView(CAROL, 'Carol')],
    messageList: [],
    eventList: [],
    calls: [],
    state: 'ready',
    passphrase: 'correct horse',
    first: 1,
    emit(type, data) {
      const number = (fake.eventList.at(-1)?.number ?? 0) + 1
      fake.eventList.push({ number, at: AT, type, data })
      for (const listener of listeners) listener(number)
      return number
    },
    receive(from, text) {
      const received = messageView(hexId(++serial + 0x1000), from, { outgoing: false, text, status: 'delivered' })
      fake.messageList.push(received)
      fake.emit('message:received', { id: received.id, contact: from })
      return received
    },
    async status() {
      fake.calls.push('status')
      return {
        version: '0.1.0',
        network: 'local',
        state: fake.state,
        accountId: fake.state === 'empty' ? null : ALICE,
        deviceId: hexId(1),
        peerId: '12D3KooW',
        addresses: ['/ip4/127.0.0.1/tcp/4001'],
        peers: 3,
        reach: { reachability: 'public', relays: 0 },
        holder: { serving: true, records: 2, bytes: 100 },
        outbox: { waiting: 0 },
        mailbox: { lastSweepAt: null, complete: false, unread: 0 },
        uptimeSeconds: 1,
      }
    },
    async createIdentity({ passphrase, phrase = 'abandon '.repeat(23) + 'art' }) {
      if (fake.state !== 'empty') throw new ConflictError('this home has an identity already')
      fake.state = 'ready'
      fake.passphrase = passphrase
      return { identity: identityView, phrase, recovered: null }
    },
    async unlock(passphrase) {
      if (failures >= 5) throw new RateError('too many wrong passphrases', 30_000)
      if (passphrase !== fake.passphrase) {
        failures++
        throw new PassphraseError('the passphrase does not open the keys')
      }
      failures = 0
      fake.state = 'ready'
      return identityView
    },
    async lock() {
      need()
      fake.state = 'locked'
    },
    async identity() {
      need()
      return identityView
    },
    async rotateIdentity({ passphrase }) {
      if (passphrase !== fake.passphrase) throw new PassphraseError('the passphrase does not open the keys')
      return { identity: identityView, phrase: 'zoo '.repeat(23) + 'vote' }
    },
    async publishIdentity() {
      need()
      return { receipts: 5 }
    },
    async invite({ token }) {
      need()
      return { link: `sotto:${ALICE}${token ? '?t=1' : ''}` }
    },
    async lookup(accountId) {
      if (accountId !== BOB) throw new NotFoundError('no such account in the network')
      const sizes = { ed25519: 32, mldsa65: 1_952, x25519: 32, kem: 1_568 }
      return { accountId, suite: 1, number: 3, expiresAt: AT, devices: [], sizes, successor: null }
    },
    async contacts() {
      need()
      fake.calls.push('contacts')
      return fake.contactList
    },
    contact: async (accountId) => find(accountId),
    async addContact({ target, name = '', source = 'network', note = '' }) {
      need()
      fake.calls.push(`add ${target}`)
      const known = fake.contactList.find(({ accountId }) => accountId === target)
      if (known !== undefined) throw new ConflictError('a contact already')
      const added = contactView(target, name, { state: 'requested', pinSource: source, note })
      fake.contactList.push(added)
      return added
    },
    acceptContact: async (accountId, { name }) =>
      replace(accountId, { state: 'accepted', ...(name === undefined ? {} : { name }) }),
    updateContact: async (accountId, input) => replace(accountId, input),
    blockContact: async (accountId) => replace(accountId, { state: 'blocked' }),
    unblockContact: async (accountId) => replace(accountId, { state: 'accepted' }),
    async removeContact(accountId) {
      fake.contactList.splice(fake.contactList.indexOf(find(accountId)), 1)
    },
    async safetyNumber(accountId) {
      return { accountId, digits: '12345 '.repeat(12).trim(), qr: 'sotto-verify', verified: find(accountId).verified }
    },
    verifyContact: async (accountId, { verified, acceptChange }) =>
      replace(accountId, {
        ...(verified === undefined ? {} : { verified }),
        ...(acceptChange === true ? { changed: false } : {}),
      }),
    async conversations() {
      need()
      return fake.contactList.map(conversation)
    },
    conversation: async (accountId) => conversation(find(accountId)),
    async updateConversation(accountId, change) {
      conversations.set(accountId, { ...conversations.get(accountId), ...change })
      return conversation(find(accountId))
    },
    async clearConversation(accountId) {
      find(accountId)
      const kept = fake.messageList.filter((entry) => entry.contact !== accountId)
      fake.messageList.splice(0, Infinity, ...kept)
    },
    async messages(accountId, input) {
      find(accountId)
      return pageOf(fake.messageList.filter((entry) => entry.contact === accountId).toReversed(), input)
    },
    async search({ query, contact, ...input }) {
      need()
      const words = query.toLowerCase()
      const found = fake.messageList
        .filter((entry) => contact === undefined || entry.contact === contact)
        .filter(({ text }) => text.toLowerCase().includes(words))
      return pageOf(found.toReversed(), input)
    },
    async starred(input) {
      need()
      return pageOf(fake.messageList.filter(({ starred }) => starred).toReversed(), input)
    },
    async editMessage(id, { text, operation }) {
      fake.calls.push(`edit ${operation ?? ''}`)
      if (!message(id).outgoing) throw new UsageError('only its author edits a message')
      return change(id, { text, editedAt: AT })
    },
    async react(id, { emoji }) {
      return change(id, { reactions: emoji === null ? [] : [{ own: true, emoji, at: AT }] })
    },
    flagMessage: async (id, flags) => change(id, flags),
    async deleteMessage(id) {
      change(id, { gone: 'deleted', text: '' })
    },
    message: async (id) => message(id),
    async send(accountId, { text, replyTo, id = hexId(++serial) }) {
      find(accountId)
      fake.calls.push(`send ${text.length}`)
      const known = fake.messageList.find((entry) => entry.id === id)
      if (known !== undefined) return known
      const sent = messageView(id, accountId, { text, replyTo: replyTo ?? null })
      fake.messageList.push(sent)
      fake.emit('message:queued', { id, contact: accountId })
      return sent
    },
    async markRead(accountId, { upTo }) {
      find(accountId)
      fake.calls.push(`markRead ${upTo ?? 'all'}`)
      let marked = 0
      for (const [at, entry] of fake.messageList.entries()) {
        if (entry.contact !== accountId || entry.outgoing || entry.status === 'read') continue
        fake.messageList[at] = { ...entry, status: 'read' }
        marked++
      }
      return { marked }
    },
    async takeBack(id) {
      fake.calls.push(`takeBack ${id}`)
      const entry = message(id)
      if (entry.status === 'delivered') throw new ConflictError('the message has been delivered')
      const taken = { ...entry, status: 'taken-back' as const }
      fake.messageList[fake.messageList.indexOf(entry)] = taken
      return taken
    },
    async why(id) {
      const { status } = message(id)
      return { id, status, devices: [], summary: 'it waits for a holder' }
    },
    async net() {
      fake.calls.push('net')
      return {
        role: 'peer',
        reachability: 'behind-nat',
        summary: 'Nobody can dial this machine.',
        addresses: ['/ip4/11.0.0.2/tcp/4001/p2p/12D3KooWRelay/p2p-circuit/p2p/12D3KooW'],
        listening: ['/ip4/192.168.1.10/tcp/4001/p2p/12D3KooW'],
        verified: [],
        unproved: [],
        mapping: 'endpoint-independent',
        observed: '/ip4/21.0.0.2/tcp/34787',
        relays: [{ peerId: '12D3KooWRelay', expiresAt: AT }],
        serves: { holder: false, relay: false, reservations: 0, circuits: 0 },
        peers: { connected: 4, holders: 3, relayed: 1 },
        hints: ['Forward TCP port 4001 of the router to this machine.'],
      }
    },
    async prekeys() {
      need()
      const slice = { holder: '12D3KooWHolder', left: 20, placed: true }
      const times = { createdAt: AT, lastRotatedAt: AT }
      return {
        number: 2,
        total: 100,
        target: 100,
        slices: Array.from({ length: 5 }, () => slice),
        ...times,
        used: 3,
        lastResortUses: 1,
      }
    },
    async mailbox() {
      need()
      const holders = [{ peerId: '12D3KooWHolder', waiting: 2 }]
      return { waiting: 2, unread: 3, lastSweepAt: AT, complete: true, answers: 15, holders }
    },
    async peers() {
      return [
        {
          peerId: '12D3KooW',
          address: '/ip4/127.0.0.1/tcp/1',
          direction: 'outbound',
          roundTripMs: 2,
          streams: 1,
          holder: true,
          encryption: 'tls',
        },
      ]
    },
    async rotatePrekeys() {
      return fake.prekeys()
    },
    zone: async () => fakeZone,
    ...fakeProfile((accountId) => find(accountId)),
    ...fakeSettings(),
    ...fakeLive((accountId) => find(accountId)),
    ...fakeConsumers(() => fake.eventList.at(-1)?.number ?? 0),
    async eventsSince(since, limit) {
      const kept = fake.eventList.filter(({ number }) => number >= fake.first)
      const last = fake.eventList.at(-1)?.number ?? 0
      return { events: kept.filter(({ number }) => number > since).slice(0, limit), first: fake.first, last }
    },
    onEvent(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    backup: (input) => storage().backup(input),
    restoreBackup: (input) => storage().restoreBackup(input),
    changePassphrase: (input) => storage().changePassphrase(input),
  }
  const storage = (): StoragePart => fakeStorage(fake, ALICE)
  return fake
}
