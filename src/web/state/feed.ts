/** The event stream, turned into readings: an event says what to read again, the API says how it is now. */
import type { StreamItem } from '../../api/client/follow.ts'
import { rest } from '../../api/client/follow.ts'
import { effect } from '@preact/signals'
import { LockedError } from '../../lib/errors.ts'
import type { EventView } from '../../api/application/events.ts'
import type { LiveEvent } from '../../api/application/live.ts'
import { notify } from './notify.ts'
import type { Store } from './store.ts'
import { newsOf } from '../words/news.ts'

/** Events that come together are read for together. */
const GATHER_MS = 60
const AWAY_RETRY_MS = 1_500
const RECONNECT_MS = 150
/** A contact that stopped without saying so is no longer shown as typing. */
const TYPING_ENDS_MS = 7_000
const MEMBER = /^(message|conversation|contact|profile|settings|account|identity|session|recovery)[:.]/

/** Follows the daemon until `signal` fires: over its restarts, and from unlock to lock to unlock. */
export async function follow(store: Store, signal: AbortSignal): Promise<void> {
  const readings = new Readings(store)
  while (!signal.aborted) {
    try {
      if (store.door.value !== 'in') {
        await outside(store, signal)
        continue
      }
      await store.readStatus()
      if (isSealed(store)) await sealed(store, signal)
      else await stream(store, readings, signal)
    } catch (error) {
      note(store, error)
      await rest(AWAY_RETRY_MS, signal)
    }
  }
}

/**
 * Nothing is asked of whom the tab is not let in by. Where the daemon has gone, what is on the screen stays until somebody answers
 * there: another daemon, or another program; either way it is not the one that gave us the messages.
 */
async function outside(store: Store, signal: AbortSignal): Promise<void> {
  if (store.door.value === 'lost') {
    store.link.value = 'away'
    if (await store.api.answers()) {
      store.leave()
      store.door.value = 'anew'
    }
  } else if (store.status.value !== null) store.leave()
  const entered = new AbortController()
  const stop = effect(() => {
    if (store.door.value === 'in') entered.abort()
  })
  await rest(AWAY_RETRY_MS, AbortSignal.any([signal, entered.signal])).finally(stop)
}

const isSealed = ({ status }: Store): boolean => status.value?.state === 'locked' || status.value?.state === 'empty'

/** One connection; that it ended says nothing yet about why. */
async function stream(store: Store, readings: Readings, signal: AbortSignal): Promise<void> {
  const sealed = new AbortController()
  // Keys that were sealed end the connection here too, however the daemon ends it there.
  const stop = effect(() => {
    if (isSealed(store)) sealed.abort()
  })
  try {
    for await (const item of store.api.events(AbortSignal.any([signal, sealed.signal]))) {
      if (signal.aborted || sealed.signal.aborted) return
      await take(store, readings, item)
    }
  } finally {
    stop()
  }
  await rest(RECONNECT_MS, signal)
}

async function take(store: Store, readings: Readings, item: StreamItem): Promise<void> {
  if (item.type === 'event') readings.event(item.event)
  else if (item.type === 'live') live(store, item.event)
  else if (item.type === 'hello' || item.type === 'gap') {
    // The first frame of a connection, and where events are missing: all is read anew.
    await store.readAll()
    store.link.value = 'live'
    void store.drafts.flush()
    void store.outgoing.resume()
  }
}

const typingEnds = new Map<string, ReturnType<typeof setTimeout>>()

function live(store: Store, event: LiveEvent): void {
  if (event.type === 'presence') {
    store.setOnline(event.contact, event.online)
    return
  }
  clearTimeout(typingEnds.get(event.contact))
  store.setTyping(event.contact, event.typing)
  const end = (): void => {
    store.setTyping(event.contact, false)
  }
  if (event.typing) typingEnds.set(event.contact, setTimeout(end, TYPING_ENDS_MS))
}

/** Sealed or empty: asks now and then whether another face has unlocked it; goes on at once where this one has. */
async function sealed(store: Store, signal: AbortSignal): Promise<void> {
  store.link.value = 'live'
  const opened = new AbortController()
  const stop = effect(() => {
    if (!isSealed(store)) opened.abort()
  })
  const either = AbortSignal.any([signal, opened.signal])
  try {
    while (!either.aborted) {
      await rest(AWAY_RETRY_MS, either)
      if (!either.aborted) await store.readStatus()
    }
  } finally {
    stop()
  }
}

/** Sealed between two questions is no fault: the next status says it. */
function note(store: Store, error: unknown): void {
  if (!(error instanceof LockedError)) store.link.value = 'away'
}

/** What may have come back from the network. */
const RECOVERED = ['contacts', 'conversations', 'settings'] as const

/** Gathers what the events of a moment touch, then reads each of it once. One reading at a time. */
class Readings {
  readonly #store: Store
  #messages = new Map<string, { ids: Set<string>; arrived: boolean }>()
  #wants = new Set<'contacts' | 'conversations' | 'profile' | 'settings' | 'status'>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(store: Store) {
    this.#store = store
  }

  event({ type, data }: EventView): void {
    const news = newsOf(type, data)
    if (news !== undefined) this.#store.notices.news(news.text, news.next)
    const noun = MEMBER.exec(type)?.[1]
    if (noun === undefined) return
    const { contact, id, ids } = data as { contact?: unknown; id?: unknown; ids?: unknown }
    if (noun === 'message' || noun === 'conversation') {
      this.#wants.add('conversations')
      if (typeof contact === 'string') this.#touch(contact, [id, ...(Array.isArray(ids) ? ids : [])], type)
    } else if (noun === 'contact') this.#wants.add('contacts').add('conversations')
    else if (noun === 'profile') this.#wants.add('profile').add('contacts')
    else if (noun === 'settings') this.#wants.add('settings')
    else if (noun === 'recovery') for (const want of RECOVERED) this.#wants.add(want)
    else this.#wants.add('status')
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#running = this.#running.then(() => this.#read()).catch(() => {})
    }, GATHER_MS)
  }

  #touch(contact: string, ids: readonly unknown[], type: string): void {
    const entry = this.#messages.get(contact) ?? { ids: new Set<string>(), arrived: false }
    const named = ids.filter((id) => typeof id === 'string')
    for (const id of named) entry.ids.add(id)
    // Where no message is named (a conversation was cleared, read, …), its newest page tells.
    if (type === 'message:received' || type === 'message:queued' || named.length === 0) entry.arrived = true
    this.#messages.set(contact, entry)
    if (type === 'message:received') this.#store.setTyping(contact, false)
  }

  async #read(): Promise<void> {
    const store = this.#store
    const messages = this.#messages
    const wants = this.#wants
    this.#messages = new Map()
    this.#wants = new Set()
    const opened = [...store.threads].filter(({ contact }) => messages.has(contact))
    const before = new Map(store.conversations.value.map(({ contact, unread }) => [contact, unread]))
    await Promise.all([
      ...opened.map(async (thread) => {
        const { ids, arrived } = messages.get(thread.contact) ?? { ids: new Set<string>(), arrived: false }
        await thread.update(ids, arrived)
      }),
      ...(wants.has('contacts') ? [store.readContacts()] : []),
      ...(wants.has('conversations') ? [store.readConversations()] : []),
      ...(wants.has('profile') ? [store.readProfile()] : []),
      ...(wants.has('settings') ? [store.readSettings()] : []),
      ...(wants.has('status') ? [store.readStatus()] : []),
    ])
    announce(store, before)
  }
}

/** Says who wrote, never what: others may be in the room. */
function announce(store: Store, before: ReadonlyMap<string, number>): void {
  const grown = store.conversations.value.filter(({ contact, unread }) => unread > (before.get(contact) ?? 0))
  if (grown.length === 0) return
  for (const { contact } of grown) notify(store, contact)
  const names = grown.map(({ contact }) => store.nameOf(contact)).join(', ')
  store.notices.announce(`New message from ${names}`)
}
