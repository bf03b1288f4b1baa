/**
 * What is true now: who types, who is online. It goes over streams that are open anyway, sealed in the session, is never
 * acknowledged, never put into a mailbox and never kept; only the state of the sessions is written.
 */
import { DecryptError, nameOf, NotFoundError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { tryDecode } from '../../wire/codec.ts'
import { CONTENT_KIND, contentBody, contentCodec, LIVE } from '../../wire/content.ts'
import type { LiveBody } from '../../wire/content.ts'
import type { Change } from '../events/journal.ts'
import { LIVE_RATE } from './limits.ts'
import { Places } from './places.ts'
import type { Place } from './places.ts'
import type { LiveComponents, LiveSignal } from './ports.ts'
import { Seen } from './seen.ts'
import { Teller } from './teller.ts'

/** What an envelope said, and who said it. */
interface Said {
  readonly place: Place
  readonly body: LiveBody | undefined
}
const NOTHING: Change<undefined> = { ops: [], facts: [], result: undefined }

export class Live implements Startable {
  readonly #c: LiveComponents
  readonly #places = new Places()
  readonly #seen: Seen
  readonly #teller: Teller
  readonly #rate: RateLimiter
  readonly #listeners = new Set<(signal: LiveSignal) => void>()
  #ends: (() => void)[] = []

  constructor(components: LiveComponents) {
    this.#c = components
    this.#teller = new Teller(components)
    this.#rate = new RateLimiter(LIVE_RATE, components.clock)
    this.#seen = new Seen({
      ...components,
      tell: (signal) => {
        for (const listener of this.#listeners) listener(signal)
      },
    })
  }

  async start(): Promise<void> {
    this.#ends = [
      this.#c.contacts.watch((accountId, contact) => {
        for (const place of this.#places.note(accountId, contact)) this.#forget(place)
        this.#greet(this.#places.of(accountId))
      }),
      this.#c.settings.watch(() => {
        this.#seen.settled()
        if (this.#c.settings.current().presence) this.#greet(this.#places.all())
        else void this.#teller.hide()
      }),
    ]
    for (const contact of await this.#c.contacts.list()) this.#places.note(contact.accountId, contact)
    this.#greet(this.#places.all())
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end()
    this.#places.clear()
    this.#seen.clear()
    this.#teller.stop()
    this.#listeners.clear()
  }

  /** Calls back with what contacts do, until the returned function ends it. */
  watch(listener: (signal: LiveSignal) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Whether a contact is online, and when (ms) it was last; both only as far as it and the user's own setting allow. */
  presenceOf(accountId: Uint8Array): { readonly online: boolean; readonly lastSeenAt: number } {
    return { online: this.#seen.isOnline(accountId), lastSeenAt: this.#seen.lastSeenAt(accountId) }
  }

  /** Tells a contact with an open stream whether the user types, at most every 3 s. Throws NotFoundError. */
  async setTyping(accountId: Uint8Array, typing: boolean): Promise<void> {
    if ((await this.#c.contacts.get(accountId)) === undefined) throw new NotFoundError('no such contact')
    if (!this.#c.settings.current().typing) return
    const places = this.#places.of(accountId).filter(({ peerId }) => this.#c.direct.hearsLive(peerId))
    await this.#teller.typing(places, typing)
  }

  /** A stream to a peer is there, or none is any more. What was said on another one may be forgotten at the other end. */
  onStream(peerId: string, open: boolean): void {
    for (const place of this.#places.at(peerId)) {
      this.#teller.gone(place)
      if (open) void this.#teller.greet(place)
      else this.#seen.gone(place)
    }
  }

  /** Anything came from a peer: it is there. */
  heard(peerId: string): void {
    for (const place of this.#places.at(peerId)) {
      this.#seen.heard(place)
      void this.#teller.greet(place)
    }
  }

  /**
   * Only who told us that it is online beats. Where that did not arrive, or was forgotten (we were locked, it came before
   * we knew the place, we slept for too long), saying our own anew makes the place say its own anew.
   */
  onBeat(peerId: string): void {
    for (const place of this.#places.at(peerId)) if (!this.#seen.has(place)) void this.#teller.greetAnew(place)
  }

  /** A live envelope of whomever. Only contacts get as far as any decryption. Throws what the disk throws. */
  async onEnvelope(peerId: string, envelope: Uint8Array): Promise<void> {
    const places = this.#places.claims(peerId)
    if (places.length === 0 || !this.#rate.take(peerId)) return
    try {
      const said = await this.#c.journal.commit(async () => this.#open(places, envelope))
      if (said?.body !== undefined) this.#note(said.place, said.body)
    } catch (error) {
      if (!(error instanceof DecryptError)) throw error
      this.#c.log.debug('a live signal was not read', { error: nameOf(error) })
    }
  }

  async #open(places: readonly Place[], envelope: Uint8Array): Promise<Change<Said | undefined>> {
    for (const place of places) {
      const opened = await this.#c.sessions.openLive(place, envelope)
      if (opened === undefined) continue
      return { ops: opened.ops, facts: [], result: { place, body: bodyOf(opened.content) } }
    }
    return NOTHING
  }

  /** Who was blocked or locked out meanwhile has no place any more. */
  #note(place: Place, { typing, presence }: LiveBody): void {
    if (!this.#places.at(place.peerId).some(({ key }) => key === place.key)) return
    if (!this.#c.direct.connected(place.peerId)) return
    // Who says again what we know does not know what we said.
    if (presence === LIVE.yes && this.#seen.has(place)) void this.#teller.greetAnew(place)
    if (presence !== LIVE.unsaid) this.#seen.presence(place, presence === LIVE.yes)
    if (typing !== LIVE.unsaid) this.#seen.typing(place, typing === LIVE.yes)
  }

  #greet(places: readonly Place[]): void {
    for (const place of places) void this.#teller.greet(place)
  }

  #forget(place: Place): void {
    this.#teller.gone(place)
    this.#seen.forget(place)
  }
}

/** Anything but a live signal has no business in such an envelope. */
function bodyOf(bytes: Uint8Array): LiveBody | undefined {
  const content = tryDecode(contentCodec, bytes)
  const body = content === undefined ? undefined : contentBody(content.kind, content.body)
  return body?.kind === CONTENT_KIND.live ? body.body : undefined
}
