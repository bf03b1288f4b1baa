/** Says what is so now to contacts with an open stream. Sealed in the session, written once, and not missed where it is lost. */
import { equal } from '../../lib/bytes.ts'
import { withDeadline } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import { encode } from '../../wire/codec.ts'
import { CONTENT_KIND, contentCodec, LIVE, liveBodyCodec } from '../../wire/content.ts'
import type { LiveBody } from '../../wire/content.ts'
import { DIRECT_FRAME } from '../../wire/direct.ts'
import type { DirectFrame } from '../../wire/direct.ts'
import type { Change } from '../events/journal.ts'
import {
  BEAT_MS,
  GREET_AGAIN_MS,
  GREET_ANEW_MS,
  GREET_RATE,
  GREETS_AGAIN_MAX,
  SEND_MS,
  TYPING_EVERY_MS,
  TYPING_MS,
} from './limits.ts'
import type { Place } from './places.ts'
import type { LiveComponents } from './ports.ts'

const NOTHING: Change<undefined> = { ops: [], facts: [], result: undefined }
const BEAT: DirectFrame = { kind: DIRECT_FRAME.beat, body: {} }

export class Teller {
  readonly #c: LiveComponents
  readonly #greets: RateLimiter
  /** Places that know, on the stream that is open, that we are online. */
  readonly #greeted = new Map<string, { readonly place: Place; readonly at: number }>()
  /** Places that could not be told yet: how often they were tried again, and the next time. */
  readonly #again = new Map<string, { readonly tries: number; cancel: (() => void) | undefined }>()
  /** By account (hex): when it was last said that the user types, and whether that was taken back. */
  readonly #typing = new Map<string, { readonly at: number; readonly typing: boolean }>()
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(components: LiveComponents) {
    this.#c = components
    this.#greets = new RateLimiter(GREET_RATE, components.clock)
  }

  /** Tells a place with an open stream that we are online, once, where the user wants it to be seen. */
  async greet(place: Place): Promise<void> {
    if (!this.#isToGreet(place)) return
    if (this.#greets.take(place.key)) {
      this.#greeted.set(place.key, { place, at: this.#c.clock.now() })
      if (await this.#tell(place, { typing: LIVE.unsaid, presence: LIVE.yes })) {
        this.#beatLater()
        return
      }
      this.#greeted.delete(place.key)
    }
    this.#greetAgain(place)
  }

  /** Once more to a place that seems to have missed it; not to one that was told a moment ago: two would never end. */
  async greetAnew(place: Place): Promise<void> {
    const said = this.#greeted.get(place.key)
    if (said !== undefined && this.#c.clock.now() - said.at < GREET_ANEW_MS) return
    this.#greeted.delete(place.key)
    await this.greet(place)
  }

  /** Tells everybody who knows that we are online that it is not to be seen any more. */
  async hide(): Promise<void> {
    const places = [...this.#greeted.values()].map(({ place }) => place)
    this.#greeted.clear()
    await Promise.all(places.map(async (place) => this.#tell(place, { typing: LIVE.unsaid, presence: LIVE.no })))
  }

  /** The stream is gone: on the next one it is to be said again. */
  gone(place: Place): void {
    this.#greeted.delete(place.key)
    this.#again.get(place.key)?.cancel?.()
    this.#again.delete(place.key)
  }

  async typing(places: readonly Place[], typing: boolean): Promise<void> {
    const [first] = places
    if (first === undefined || !this.#mayType(first.account, typing)) return
    const body: LiveBody = { typing: typing ? LIVE.yes : LIVE.no, presence: LIVE.unsaid }
    await Promise.all(places.map(async (place) => this.#tell(place, body)))
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
    for (const { cancel } of this.#again.values()) cancel?.()
    for (const each of [this.#greeted, this.#again, this.#typing]) each.clear()
  }

  #greetAgain(place: Place): void {
    const tries = (this.#again.get(place.key)?.tries ?? 0) + 1
    if (this.#stopped || tries > GREETS_AGAIN_MAX) return
    const cancel = this.#c.clock.after(GREET_AGAIN_MS, () => {
      this.#again.set(place.key, { tries, cancel: undefined })
      void this.greet(place)
    })
    this.#again.set(place.key, { tries, cancel })
  }

  #isToGreet({ key, peerId }: Place): boolean {
    if (this.#stopped || this.#greeted.has(key) || this.#again.get(key)?.cancel !== undefined) return false
    return this.#c.settings.current().presence && this.#c.direct.hearsLive(peerId)
  }

  #mayType(account: string, typing: boolean): boolean {
    const now = this.#c.clock.now()
    const said = this.#typing.get(account)
    if (typing && said !== undefined && now - said.at < TYPING_EVERY_MS) return false
    if (!typing && (said?.typing !== true || now - said.at >= TYPING_MS)) return false
    this.#typing.set(account, { at: typing ? now : (said?.at ?? now), typing })
    return true
  }

  /** Whether it was written. Nothing is dialled for it, and no session begun. */
  async #tell(place: Place, body: LiveBody): Promise<boolean> {
    try {
      if (this.#stopped || !this.#c.direct.hearsLive(place.peerId)) return false
      const envelope = await this.#c.journal.commit(async () => this.#seal(place, body))
      if (envelope === undefined || !this.#c.direct.hearsLive(place.peerId)) return false
      await this.#send(place, { kind: DIRECT_FRAME.live, body: { envelope } })
      return true
    } catch (error) {
      this.#c.log.debug('a live signal was not sent', { error: nameOf(error) })
      return false
    }
  }

  async #seal({ accountId, deviceId }: Place, body: LiveBody): Promise<Change<Uint8Array | undefined>> {
    const contact = await this.#c.contacts.get(accountId)
    const device = contact?.devices.find((each) => equal(each.deviceId, deviceId))
    const isOpen = contact?.state === CONTACT_STATE.accepted && contact.changed === undefined
    if (contact === undefined || device === undefined || !isOpen) return NOTHING
    const sealed = await this.#c.sessions.sealLive(contact, device, this.#content(body))
    return sealed === undefined ? NOTHING : { ops: sealed.ops, facts: [], result: sealed.sealed.envelope }
  }

  #content(body: LiveBody): Uint8Array {
    return encode(contentCodec, {
      version: 1,
      id: this.#c.rng.bytes(16),
      preimage: this.#c.rng.bytes(16),
      sentAt: this.#c.clock.now(),
      kind: CONTENT_KIND.live,
      body: encode(liveBodyCodec, body),
      extensions: [],
    })
  }

  async #send({ peerId }: Place, frame: DirectFrame): Promise<void> {
    await withDeadline(this.#c.clock, SEND_MS, async (signal) => {
      await this.#c.direct.send({ id: peerId, addresses: [] }, frame, signal)
    })
  }

  #beatLater(): void {
    if (this.#greeted.size === 0) return
    this.#cancel ??= this.#c.clock.after(BEAT_MS, () => {
      this.#cancel = undefined
      const places = [...this.#greeted.values()].filter(({ place }) => this.#c.direct.hearsLive(place.peerId))
      const peers = new Map(places.map(({ place }) => [place.peerId, place]))
      for (const place of peers.values()) this.#send(place, BEAT).catch(() => {})
      if (places.length > 0) this.#beatLater()
    })
  }
}
