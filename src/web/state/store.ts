/**
 * What the page knows, as signals: read from the API, read again when an event says that it changed. No state is worked out here
 * that the daemon did not say.
 */
import { batch, computed, signal } from '@preact/signals'
import { DaemonError, LockedError } from '../../lib/errors.ts'
import type { IdentityView, StatusView } from '../../api/application/account.ts'
import type { ContactView } from '../../api/application/contacts.ts'
import type { ConversationView, MessageView } from '../../api/application/messages.ts'
import type { ProfileView } from '../../api/application/profile.ts'
import type { SettingsView } from '../../api/application/settings.ts'
import { Drafts } from './drafts.ts'
import { Notices } from './notices.ts'
import { OutgoingMessages } from './outgoing.ts'
import type { PageApi } from './port.ts'
import { Profiles } from './profiles.ts'
import { nameOf } from '../words/names.ts'
import { Thread } from './thread.ts'

/** `away`: the daemon does not answer; what is shown may be old. */
export type Link = 'connecting' | 'live' | 'away'

/**
 * Whether this tab is let in. `closed`: it has no token; `used`: its code was not good; `in`; `lost`: the daemon has gone; `anew`:
 * somebody answers there again; `refused`: the token is not taken any more.
 */
export type Door = 'closed' | 'used' | 'in' | 'lost' | 'anew' | 'refused'

export class Store {
  readonly api: PageApi
  readonly status = signal<StatusView | null>(null)
  readonly link = signal<Link>('connecting')
  readonly door = signal<Door>('closed')
  readonly identity = signal<IdentityView | null>(null)
  readonly profile = signal<ProfileView | null>(null)
  readonly settings = signal<SettingsView | null>(null)
  readonly contacts = signal<readonly ContactView[]>([])
  readonly conversations = signal<readonly ConversationView[]>([])
  /** Whether contacts and conversations were read. */
  readonly loaded = signal(false)
  readonly typing = signal<ReadonlySet<string>>(new Set())
  readonly byAccount = computed(() => new Map(this.contacts.value.map((contact) => [contact.accountId, contact])))
  readonly unread = computed(() =>
    this.conversations.value.reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0),
  )
  readonly requests = computed(() => this.contacts.value.filter(({ state }) => state === 'incoming').length)
  readonly notices = new Notices()
  readonly drafts: Drafts
  readonly outgoing: OutgoingMessages
  readonly profiles: Profiles
  readonly #threads = new Map<string, Thread>()

  constructor(api: PageApi) {
    this.api = api
    this.drafts = new Drafts(api)
    this.profiles = new Profiles(api)
    this.outgoing = new OutgoingMessages(api, async ({ contact }) => {
      const thread = this.thread(contact)
      await (thread.detached.value ? thread.backToNewest() : thread.refresh())
    })
  }

  thread(contact: string): Thread {
    const known = this.#threads.get(contact)
    if (known !== undefined) return known
    const made = new Thread(contact, this.api)
    this.#threads.set(contact, made)
    return made
  }
  /** Threads that were opened. */
  get threads(): Iterable<Thread> {
    return this.#threads.values()
  }

  /** What a contact is called here: the user's word; else its own, marked as such; else the start of its id. */
  nameOf(accountId: string): string {
    return nameOf(this.byAccount.value.get(accountId), accountId)
  }

  /** Exchanges a code of `sotto open`. Throws where it is not good; a tab that is in stays in. */
  async enter(code: string): Promise<void> {
    try {
      await this.api.enter(code)
    } catch (error) {
      const isOutside = this.door.value !== 'in' && this.door.value !== 'lost'
      if (isOutside && !(error instanceof DaemonError)) this.door.value = 'used'
      throw error
    }
    this.door.value = 'in'
  }

  async readStatus(): Promise<StatusView> {
    const status = await this.api.status()
    if (status.state === 'locked' || status.state === 'empty') this.forget()
    this.status.value = status
    return status
  }

  /** Everything that every screen stands on. */
  async readAll(): Promise<void> {
    const { api } = this
    const [identity, profile, settings, contacts, conversations] = await Promise.all([
      api.identity(),
      api.profile(),
      api.settings(),
      api.contacts(),
      api.conversations(),
    ])
    batch(() => {
      this.identity.value = identity
      this.profile.value = profile
      this.settings.value = settings
      this.contacts.value = contacts
      this.#setConversations(conversations)
      this.loaded.value = true
    })
    for (const thread of this.#threads.values()) if (thread.ready.value) await thread.refresh()
  }

  async readContacts(): Promise<void> {
    this.contacts.value = await this.api.contacts()
  }
  async readConversations(): Promise<void> {
    this.#setConversations(await this.api.conversations())
  }
  async readProfile(): Promise<void> {
    this.profile.value = await this.api.profile()
  }
  async readSettings(): Promise<void> {
    this.settings.value = await this.api.settings()
  }

  putContact(contact: ContactView): void {
    const others = this.contacts.value.filter(({ accountId }) => accountId !== contact.accountId)
    this.contacts.value = [...others, contact]
  }
  putConversation(conversation: ConversationView): void {
    const others = this.conversations.value.filter(({ contact }) => contact !== conversation.contact)
    this.#setConversations([...others, conversation])
  }
  putMessage(message: MessageView): void {
    this.#threads.get(message.contact)?.put(message)
  }
  setTyping(contact: string, typing: boolean): void {
    const next = new Set(this.typing.value)
    if (typing) next.add(contact)
    else next.delete(contact)
    this.typing.value = next
  }
  setOnline(contact: string, online: boolean): void {
    this.contacts.value = this.contacts.value.map((entry) =>
      entry.accountId === contact ? { ...entry, online } : entry,
    )
  }

  async lock(): Promise<void> {
    await this.drafts.flush()
    await this.api.lock()
    await this.readStatus()
  }

  /** Plaintext has no place in the tab while the keys are sealed. What was typed and not saved yet stays. */
  forget(): void {
    this.#threads.clear()
    this.drafts.forgetSaved()
    this.profiles.forget()
    batch(() => {
      this.loaded.value = false
      this.identity.value = null
      this.profile.value = null
      this.settings.value = null
      this.contacts.value = []
      this.conversations.value = []
      this.typing.value = new Set()
    })
  }

  /** The tab is not let in any more: what it was told is forgotten. What was typed and is nowhere else stays. */
  leave(): void {
    this.forget()
    this.status.value = null
  }

  /** Runs what a button asked for; a refusal becomes words on the screen. Resolves to undefined then. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof LockedError) await this.readStatus().catch(() => {})
      else this.notices.fault(error)
      return undefined
    }
  }

  #setConversations(conversations: readonly ConversationView[]): void {
    for (const { contact, draft } of conversations) this.drafts.seed(contact, draft)
    this.conversations.value = conversations
  }
}
