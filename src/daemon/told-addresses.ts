/**
 * Contacts hear where this device is dialled: at once when nothing that they know leads here any more, and not for every relay that
 * comes or goes while something still does.
 */
import type { Clock } from '../lib/clock.ts'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { DAY_MS } from '../lib/time.ts'
import type { Contacts } from '../services/contacts/contacts.ts'
import type { Journal } from '../services/events/journal.ts'
import type { Store } from '../store/store.ts'
import { hiddenSelf } from './base.ts'
import type { Base } from './base.ts'

/** Addresses settle: a second relay comes right after the first. */
const URGENT_MS = 3_000
const LAZY_MS = 10 * 60_000
/** Between two tellings, at least; it doubles while they go on, up to what is not urgent: a relay that comes and goes is no reason for more. */
const APART_MS = 60_000
/** Without any telling for so long, the next one counts as the first. */
const QUIET_MS = 30 * 60_000
/** For so long none may be known, after a start or without a line, before contacts are told that there is none. */
const NONE_MS = 10 * 60_000
/** Contacts hear of our mailboxes anew after this long (protocol §4: a refresh each month). */
const REFRESH_MS = 30 * DAY_MS
const TEXT_MAX = 4_096
const SETTING = 'announced-addresses'

export interface ToldAddressesInit {
  readonly clock: Clock
  readonly log: Logger
  /** Where we are dialled now. */
  readonly addresses: () => readonly string[]
  /** What contacts were told last, and the note of it. */
  readonly told: () => Promise<string | undefined>
  readonly note: (addresses: string) => Promise<void>
  /** Tells contacts who were told before that time (ms). */
  readonly refreshGrants: (beforeMs: number) => Promise<void>
}

export class ToldAddresses {
  readonly #init: ToldAddressesInit
  #noneSinceMs: number | undefined
  #last: { readonly atMs: number; readonly apartMs: number } | undefined
  #due: { readonly atMs: number; readonly cancel: () => void } | undefined
  #telling: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(init: ToldAddressesInit) {
    this.#init = init
  }

  /** Our addresses may have changed. Never throws. */
  changed(): void {
    this.#telling = this.#telling
      .then(async () => this.#plan())
      .catch((error: unknown) => {
        this.#init.log.warn('contacts were not told our addresses', { error: nameOf(error) })
      })
  }

  /** Tells whom it concerns now, if it is time; also those who heard nothing for a month. */
  async round(): Promise<void> {
    const { clock, addresses, told, note, refreshGrants } = this.#init
    const now = sorted(addresses())
    const before = (await told()) ?? ''
    const moved = now !== before && (now !== '' || this.#isNone())
    await refreshGrants(moved ? clock.now() : clock.now() - REFRESH_MS)
    if (!moved) return
    this.#last = { atMs: clock.now(), apartMs: this.#nextApartMs() }
    await note(now)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#due?.cancel()
    await this.#telling
  }

  async #plan(): Promise<void> {
    const { clock, addresses, told } = this.#init
    const now = sorted(addresses())
    this.#noneSinceMs = now === '' ? (this.#noneSinceMs ?? clock.now()) : undefined
    const before = (await told()) ?? ''
    if (now === before || now === '' || this.#stopped) return
    const known = new Set(before.split(' '))
    const stillLeadsHere = now.split(' ').some((address) => known.has(address))
    const { atMs: lastMs, apartMs } = this.#last ?? { atMs: 0, apartMs: 0 }
    const leftMs = Math.min(lastMs + apartMs - clock.now(), LAZY_MS) // the clock may have been set back
    const atMs = clock.now() + Math.max(stillLeadsHere ? LAZY_MS : URGENT_MS, leftMs)
    if (this.#due !== undefined && this.#due.atMs <= atMs) return
    this.#due?.cancel()
    const cancel = clock.after(atMs - clock.now(), () => {
      this.#due = undefined
      this.#telling = this.#telling
        .then(async () => this.round())
        .catch((error: unknown) => {
          this.#init.log.warn('contacts were not told our addresses', { error: nameOf(error) })
        })
    })
    this.#due = { atMs, cancel }
  }

  #nextApartMs(): number {
    const { atMs, apartMs } = this.#last ?? { atMs: 0, apartMs: 0 }
    return this.#init.clock.now() - atMs >= QUIET_MS ? APART_MS : Math.min(2 * apartMs, LAZY_MS)
  }

  #isNone(): boolean {
    const now = this.#init.clock.now()
    this.#noneSinceMs ??= now
    return now - this.#noneSinceMs >= NONE_MS
  }
}

interface ToldRooms {
  readonly store: Store
  readonly journal: Journal
  readonly contacts: Contacts
}

/** For an account: what was told is kept with it. */
export function toldAddresses(base: Base, { store, journal, contacts }: ToldRooms): ToldAddresses {
  const { clock, log, host, neverDirect } = base
  /** With those that are not to meet us: what they are told depends on the verdict as well. */
  const apart = (): readonly string[] => hiddenSelf(base).addresses.map((address) => `hidden:${address}`)
  return new ToldAddresses({
    clock,
    log,
    addresses: () => [...(neverDirect ? [] : host.addresses()), ...apart()],
    told: async () => store.settings.get(SETTING),
    note: async (addresses) =>
      journal.commit(() => ({ ops: store.settings.put(SETTING, addresses), facts: [], result: undefined })),
    refreshGrants: async (beforeMs) => contacts.refreshGrants(beforeMs),
  })
}

/** One text for one set of addresses, whatever their order. */
function sorted(addresses: readonly string[]): string {
  return addresses.toSorted().join(' ').slice(0, TEXT_MAX)
}
