/**
 * The typed client of the local API: the same `Application`, on the other side of a socket. For the CLI, the demo and
 * tests; starts fast (no server, no schema library is loaded).
 */
import { DaemonError } from '../lib/errors.ts'
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
} from './application.ts'
import type { StreamItem } from './event-client.ts'
import { readAddress, readToken } from './files.ts'
import type { Endpoint } from './http.ts'
import { call, http, notRunning } from './http.ts'

const PREFIX = '/api/v1'
const TIMEOUT_MS = 30_000

export interface EventPage {
  readonly events: readonly EventView[]
  readonly first: number
  readonly last: number
  /** Numbers after `since` that are no longer kept. */
  readonly gap: { readonly from: number; readonly to: number } | null
}

export interface ClientOptions {
  readonly endpoint: Endpoint
  readonly token: string
  readonly timeoutMs?: number | undefined
}

type Sealed = { identity: IdentityView; phrase: string }
type Body = Readonly<Record<string, unknown>>

/** A client of the daemon on `home`. Throws DaemonError where none runs. */
export async function connect(home: string, timeoutMs?: number): Promise<ApiClient> {
  const [address, token] = await Promise.all([readAddress(home), readToken(home)])
  if (address === undefined || token === undefined) throw notRunning()
  return new ApiClient({ endpoint: { socketPath: address.socketPath }, token, timeoutMs })
}

export class ApiClient implements Omit<Application, 'onEvent'> {
  readonly #endpoint: Endpoint
  readonly #token: string
  readonly #timeoutMs: number
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 32 })

  constructor(options: ClientOptions) {
    this.#endpoint = options.endpoint
    this.#token = options.token
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  }

  /** Lets go of the kept connections. */
  close(): void {
    this.#agent.destroy()
  }

  status(): Promise<StatusView> {
    return this.#get('/status')
  }
  createIdentity(input: { passphrase: string; phrase?: string }): Promise<Sealed> {
    return this.#post('/identity', input)
  }
  unlock(passphrase: string): Promise<IdentityView> {
    return this.#post('/identity/unlock', { passphrase })
  }
  lock(): Promise<void> {
    return this.#post('/identity/lock')
  }
  identity(): Promise<IdentityView> {
    return this.#get('/identity')
  }
  rotateIdentity(input: { passphrase: string }): Promise<Sealed> {
    return this.#post('/identity/rotate', input)
  }
  publishIdentity(): Promise<{ receipts: number }> {
    return this.#post('/identity/publish')
  }
  mailbox(): Promise<MailboxView> {
    return this.#get('/mailbox')
  }
  net(): Promise<NetView> {
    return this.#get('/net')
  }
  prekeys(): Promise<PrekeysView> {
    return this.#get('/prekeys')
  }
  invite(input: { token: boolean }): Promise<{ link: string }> {
    return this.#get(`/invite?token=${input.token}`)
  }
  lookup(accountId: string): Promise<KeyView> {
    return this.#get(`/keys/${encodeURIComponent(accountId)}`)
  }

  async contacts(): Promise<readonly ContactView[]> {
    return (await this.#get<{ items: readonly ContactView[] }>('/contacts')).items
  }
  contact(accountId: string): Promise<ContactView> {
    return this.#get(contactPath(accountId))
  }
  addContact(input: Parameters<Application['addContact']>[0]): Promise<ContactView> {
    return this.#post('/contacts', input)
  }
  acceptContact(accountId: string, input: { name?: string }): Promise<ContactView> {
    return this.#post(`${contactPath(accountId)}/accept`, input)
  }
  updateContact(accountId: string, input: ContactChange): Promise<ContactView> {
    return this.#call('PATCH', contactPath(accountId), { ...input })
  }
  blockContact(accountId: string): Promise<ContactView> {
    return this.#post(`${contactPath(accountId)}/block`)
  }
  unblockContact(accountId: string): Promise<ContactView> {
    return this.#post(`${contactPath(accountId)}/unblock`)
  }
  removeContact(accountId: string): Promise<void> {
    return this.#call('DELETE', contactPath(accountId))
  }
  safetyNumber(accountId: string): Promise<VerifyView> {
    return this.#get(`${contactPath(accountId)}/safety-number`)
  }
  verifyContact(accountId: string, input: { verified?: boolean; acceptChange?: boolean }): Promise<ContactView> {
    return this.#post(`${contactPath(accountId)}/verify`, input)
  }

  async conversations(): Promise<readonly ConversationView[]> {
    return (await this.#get<{ items: readonly ConversationView[] }>('/conversations')).items
  }
  messages(accountId: string, input: { cursor?: string; limit: number }): Promise<Page<MessageView>> {
    const query = new URLSearchParams({ limit: String(input.limit) })
    if (input.cursor !== undefined) query.set('cursor', input.cursor)
    return this.#get(`/conversations/${encodeURIComponent(accountId)}/messages?${query.toString()}`)
  }
  async search(input: { query: string; contact?: string; limit: number }): Promise<readonly MessageView[]> {
    const query = new URLSearchParams({ q: input.query, limit: String(input.limit) })
    if (input.contact !== undefined) query.set('contact', input.contact)
    return (await this.#get<{ items: readonly MessageView[] }>(`/search?${query.toString()}`)).items
  }
  message(id: string): Promise<MessageView> {
    return this.#get(`/messages/${encodeURIComponent(id)}`)
  }
  /** `id` is used as the idempotency key: sending again with the same one sends nothing new. */
  send(accountId: string, input: { text: string; replyTo?: string; id?: string }): Promise<MessageView> {
    const { id, ...message } = input
    return this.#call(
      'POST',
      '/messages',
      { to: accountId, ...message },
      id === undefined ? {} : { 'idempotency-key': id },
    )
  }
  markRead(accountId: string, input: { upTo?: string }): Promise<{ marked: number }> {
    return this.#post(`/conversations/${encodeURIComponent(accountId)}/read`, input)
  }
  takeBack(id: string): Promise<MessageView> {
    return this.#call('DELETE', `/messages/${encodeURIComponent(id)}`)
  }
  why(id: string): Promise<WhyView> {
    return this.#get(`/messages/${encodeURIComponent(id)}/why`)
  }

  peers(): Promise<readonly PeerView[]> {
    return this.#get<{ items: readonly PeerView[] }>('/peers').then(({ items }) => items)
  }
  /** With `waitSeconds` (≤ 30) an empty answer is held back until something happens. */
  eventsSince(since: number, limit: number, waitSeconds = 0): Promise<EventPage> {
    return this.#get(`/events?since=${since}&limit=${limit}&wait=${waitSeconds}`)
  }
  /** The token of this client stops being valid; connect again. */
  rotateToken(): Promise<void> {
    return this.#post('/token/rotate')
  }

  /**
   * Every event after `since`, then those to come, in order and without loss, over dropped connections and restarts of
   * the daemon. Ends when `signal` fires. Throws LockedError and what a refused token means.
   */
  async *events(since: number, signal?: AbortSignal): AsyncGenerator<StreamItem> {
    const { followEvents } = await import('./event-client.ts')
    yield* followEvents(this.#endpoint, this.#token, since, signal)
  }

  #get<T>(path: string): Promise<T> {
    return this.#call('GET', path)
  }
  #post<T>(path: string, body?: Body): Promise<T> {
    return this.#call('POST', path, body)
  }
  async #call<T>(method: string, path: string, body?: Body, headers: Record<string, string> = {}): Promise<T> {
    const shared = { endpoint: this.#endpoint, agent: this.#agent, token: this.#token, timeoutMs: this.#timeoutMs }
    const options = { ...shared, method, path: PREFIX + path, body, headers }
    try {
      return (await call(options)) as T
    } catch (error) {
      // A kept connection that the daemon closed meanwhile says nothing about the daemon; reading again is harmless.
      if (method !== 'GET' || !(error instanceof DaemonError)) throw error
      return (await call(options)) as T
    }
  }
}

function contactPath(accountId: string): string {
  return `/contacts/${encodeURIComponent(accountId)}`
}
