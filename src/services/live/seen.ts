/** What contacts let us see: who is online, and who types. In memory only, and gone with it. */
import type { Clock } from '../../lib/clock.ts'
import { toHex } from '../../lib/bytes.ts'
import { SILENCE_MS, TYPING_MS } from './limits.ts'
import type { Place } from './places.ts'
import type { LiveSettings, LiveSignal } from './ports.ts'

export interface SeenComponents {
  readonly settings: Pick<LiveSettings, 'current'>
  readonly clock: Clock
  readonly tell: (signal: LiveSignal) => void
}

export class Seen {
  readonly #c: SeenComponents
  /** Places that said to be online, with the time when they were heard last. */
  readonly #online = new Map<string, { readonly place: Place; heardAt: number }>()
  /** By account (hex): when a contact that lets us see it was last there. */
  readonly #lastSeen = new Map<string, number>()
  /** By account (hex): who is shown as online. */
  readonly #shown = new Set<string>()
  readonly #typing = new Map<string, { readonly place: Place; readonly cancel: () => void }>()
  #cancel: (() => void) | undefined

  constructor(components: SeenComponents) {
    this.#c = components
  }

  isOnline(accountId: Uint8Array): boolean {
    return this.#c.settings.current().presence && this.#isThere(toHex(accountId))
  }

  /** Whether the place said to be online, and was not silent since. */
  has(place: Place): boolean {
    return this.#online.has(place.key)
  }

  /** In ms; 0 where it is not known, or not to be shown. */
  lastSeenAt(accountId: Uint8Array): number {
    return this.#c.settings.current().presence ? (this.#lastSeen.get(toHex(accountId)) ?? 0) : 0
  }

  /** The contact said whether it is online. One that says no does not want to be seen: when it was there is forgotten, too. */
  presence(place: Place, online: boolean): void {
    if (online) {
      this.#online.set(place.key, { place, heardAt: this.#c.clock.now() })
      this.#lastSeen.set(place.account, this.#c.clock.now())
      this.#watch()
    } else {
      this.#online.delete(place.key)
      this.#lastSeen.delete(place.account)
    }
    this.#show(place)
  }

  /** Anything came from the place. */
  heard(place: Place): void {
    const entry = this.#online.get(place.key)
    if (entry === undefined) return
    entry.heardAt = this.#c.clock.now()
    this.#lastSeen.set(place.account, entry.heardAt)
  }

  /** Its stream is gone, or it fell silent. */
  gone(place: Place): void {
    this.#online.delete(place.key)
    if (this.#typing.get(place.account)?.place.key === place.key) this.typing(place, false)
    this.#show(place)
  }

  /** The user does not agree to the contact any more. */
  forget(place: Place): void {
    this.gone(place)
    this.#lastSeen.delete(place.account)
  }

  typing(place: Place, typing: boolean): void {
    const before = this.#typing.get(place.account)
    before?.cancel()
    this.#typing.delete(place.account)
    if (typing && !this.#c.settings.current().typing) return
    if (typing) {
      const cancel = this.#c.clock.after(TYPING_MS, () => {
        this.typing(place, false)
      })
      this.#typing.set(place.account, { place, cancel })
    }
    if (typing !== (before !== undefined)) this.#c.tell({ type: 'typing', contact: place.accountId, typing })
  }

  /** The settings are others: what may be shown now is. */
  settled(): void {
    if (!this.#c.settings.current().typing) for (const { place } of this.#typing.values()) this.typing(place, false)
    for (const { place } of this.#online.values()) this.#show(place)
  }

  clear(): void {
    this.#cancel?.()
    this.#cancel = undefined
    for (const { cancel } of this.#typing.values()) cancel()
    for (const each of [this.#online, this.#lastSeen, this.#shown, this.#typing]) each.clear()
  }

  #isThere(account: string): boolean {
    return [...this.#online.values()].some(({ place }) => place.account === account)
  }

  #show({ account, accountId }: Place): void {
    const online = this.isOnline(accountId)
    if (online === this.#shown.has(account)) return
    if (online) this.#shown.add(account)
    else this.#shown.delete(account)
    this.#c.tell({ type: 'presence', contact: accountId, online })
  }

  /** One timer for all: at the time when the first of them would have been silent for too long. */
  #watch(): void {
    if (this.#cancel !== undefined || this.#online.size === 0) return
    const now = this.#c.clock.now()
    const first = Math.min(...[...this.#online.values()].map(({ heardAt }) => heardAt))
    this.#cancel = this.#c.clock.after(first + SILENCE_MS - now, () => {
      this.#cancel = undefined
      const silent = this.#c.clock.now() - SILENCE_MS
      for (const { place, heardAt } of this.#online.values()) if (heardAt <= silent) this.gone(place)
      this.#watch()
    })
  }
}
