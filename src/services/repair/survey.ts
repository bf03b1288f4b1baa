/** What a round looks after: a bounded part of what is held, the next round goes on behind it. */
import { dropOldest } from '../../lib/bounded.ts'
import { compare, toHex } from '../../lib/bytes.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { hourPassed } from '../../protocol/mailbox-rules.ts'
import { deadDigest, mailboxDigest } from '../../protocol/mailbox-digest.ts'
import type { MailboxSummary } from '../../protocol/mailbox-digest.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { RepairDeps } from './ports.ts'
import type { Place, Zone } from './zones.ts'
import type { Rung } from '../../wire/letter.ts'

/** What one round takes on: with a zone of 20 about 160,000 answers of one byte and 40,000 of 33. */
export const LETTERS_PER_ROUND = 8_192
export const MAILBOXES_PER_ROUND = 2_048
export const CARDS_PER_ROUND = 2_048

/** One letter of ours, and what the round found out about it. */
export interface Item {
  readonly id: Uint8Array
  /** Hours since the Unix epoch. */
  readonly expiry: number
  readonly place: Place
  /** Proofs that were claimed and are not checked yet. */
  readonly claims: Claim[]
  /** Peers that proved it. */
  readonly holders: Set<string>
  /** Peers that did not say, or refused it: neither counted nor given a copy. */
  readonly unsure: Set<string>
  dead: boolean
}

export interface Claim {
  readonly peerId: string
  readonly nonce: Uint8Array
  readonly hash: Uint8Array
}

/** One key that digests are compared of: a mailbox with its policy and its dead letters, or a card. */
export interface Box {
  readonly key: Uint8Array
  /** The key in hexadecimal. */
  readonly name: string
  /** Whether there is mail in it, dead or alive; else it is looked after as the card that it is. */
  readonly mail: boolean
  readonly digest: Uint8Array
  /** The digest of who has nothing of it: only for cards, see `compare.ts`. */
  readonly nothing: Uint8Array | undefined
  /** Its policy or its dead letters are not what they were in the last round, or there was none. */
  readonly changed: boolean
  readonly places: readonly Place[]
  readonly same: Set<string>
  readonly differs: Set<string>
  /** Those of them who have nothing at all: there is nothing to look at. */
  readonly empty: Set<string>
}

export interface Survey {
  readonly boxes: readonly Box[]
  readonly items: readonly Item[]
  /** Under which the digests of this round were made. */
  readonly salt: Uint8Array
  /** The hour after which dead letters must expire to be compared. */
  readonly after: number
  /** Something was left for the next round. */
  readonly more: boolean
}

/** Behind which keys the next round begins; none: at the beginning. */
export interface Cursor {
  mailbox: Uint8Array | undefined
  card: Uint8Array | undefined
}

const NOBODY: Zone = { members: [], hasSelf: false }
const SALT_BYTES = 16
/** The boxes of three rounds. */
const REMEMBERED_MAX = 3 * (MAILBOXES_PER_ROUND + CARDS_PER_ROUND)

export class Surveyor {
  readonly #deps: Pick<RepairDeps, 'clock' | 'rng' | 'crypto' | 'held'>
  readonly #cursor: Cursor = { mailbox: undefined, card: undefined }
  /** Digests of the last round by key, under a salt of our own. */
  readonly #last = new Map<string, string>()
  readonly #lastSalt: Uint8Array

  constructor(deps: Pick<RepairDeps, 'clock' | 'rng' | 'crypto' | 'held'>) {
    this.#deps = deps
    this.#lastSalt = deps.rng.bytes(SALT_BYTES)
  }

  /** The next part; with `wanted` only those keys, and the cursor stays where it is. */
  async next(wanted?: (name: string) => boolean): Promise<Survey> {
    const { clock, rng } = this.#deps
    const round = { salt: rng.bytes(SALT_BYTES), after: Math.floor(clock.now() / HOUR_MS) }
    const boxes: Box[] = []
    const items: Item[] = []
    const mail = await this.#mailboxes(boxes, items, round, wanted)
    // When somebody vanished it is letters that cannot wait: their owners put cards again every day.
    const cards = wanted === undefined && (await this.#cards(boxes, round))
    return { boxes, items, ...round, more: wanted === undefined && (mail || cards) }
  }

  async #mailboxes(
    boxes: Box[],
    items: Item[],
    round: Pick<Survey, 'salt' | 'after'>,
    wanted: ((name: string) => boolean) | undefined,
  ): Promise<boolean> {
    const from = wanted === undefined ? this.#cursor.mailbox : undefined
    const now = this.#deps.clock.now()
    let last: Uint8Array | undefined
    for await (const { address, letters } of this.#deps.held.mailboxes()) {
      if (from !== undefined && compare(address, from) <= 0) continue
      if (wanted?.(toHex(address)) === false) continue
      if (last !== undefined && (items.length >= LETTERS_PER_ROUND || boxes.length >= MAILBOXES_PER_ROUND)) {
        if (wanted === undefined) this.#cursor.mailbox = last
        return true
      }
      last = address
      const live = letters.filter(({ expiry }) => !hourPassed(expiry, now))
      const rungs = new Set<Rung>(live.map(({ rung }) => rung))
      const places = placesOf(address, rungs.size === 0 ? [0] : [...rungs])
      for (const { id, expiry, rung } of live) {
        const place = places.find((other) => other.rung === rung)
        if (place !== undefined) items.push(itemOf(id, expiry, place))
      }
      boxes.push(await this.#box(address, true, places, round))
    }
    if (wanted === undefined) this.#cursor.mailbox = undefined
    return false
  }

  async #cards(boxes: Box[], round: Pick<Survey, 'salt' | 'after'>): Promise<boolean> {
    const mail = new Set(boxes.map(({ name }) => name))
    const from = this.#cursor.card
    const now = this.#deps.clock.now()
    let count = 0
    let last: Uint8Array | undefined
    for await (const { key } of this.#deps.held.cards.keys(now)) {
      if (from !== undefined && compare(key, from) <= 0) continue
      if (mail.has(toHex(key))) continue
      if (count >= CARDS_PER_ROUND) {
        this.#cursor.card = last
        return true
      }
      count++
      last = key
      boxes.push(await this.#box(key, false, placesOf(key, [0]), round))
    }
    this.#cursor.card = undefined
    return false
  }

  async #box(
    key: Uint8Array,
    mail: boolean,
    places: readonly Place[],
    { salt, after }: Pick<Survey, 'salt' | 'after'>,
  ): Promise<Box> {
    const { crypto, held } = this.#deps
    const name = toHex(key)
    const summary = await held.summary(key, after)
    const mine = toHex(mailboxDigest(crypto, this.#lastSalt, summary))
    const changed = this.#last.get(name) !== mine
    this.#remember(name, mine)
    const digest = mailboxDigest(crypto, salt, summary)
    const nothing = mail ? undefined : mailboxDigest(crypto, salt, nothingOf(crypto, key))
    return { key, name, mail, digest, nothing, changed, places, same: new Set(), differs: new Set(), empty: new Set() }
  }

  #remember(name: string, digest: string): void {
    this.#last.delete(name)
    this.#last.set(name, digest)
    dropOldest(this.#last, REMEMBERED_MAX)
  }
}

/** What a holder knows of a key that it never heard of. */
function nothingOf(crypto: CryptoProvider, address: Uint8Array): MailboxSummary {
  return { address, policy: undefined, dead: deadDigest(crypto, []) }
}

function placesOf(address: Uint8Array, rungs: readonly Rung[]): Place[] {
  return rungs.map((rung) => ({ address, rung, zone: NOBODY, asked: new Set<string>() }))
}

function itemOf(id: Uint8Array, expiry: number, place: Place): Item {
  return { id, expiry, place, claims: [], holders: new Set(), unsure: new Set(), dead: false }
}
