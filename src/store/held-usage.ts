/** How much is held, by mailbox and lane: kept in memory, rebuilt from the index when the store opens. */
import { fromHex, toHex } from '../lib/bytes.ts'
import { SIZE_CLASSES_BYTES } from '../wire/padding.ts'

/** What counts about a letter. `stampBits` is 0 for a letter that came over a lane. */
export interface LetterFacts {
  readonly id: Uint8Array
  readonly address: Uint8Array
  readonly lane: Uint8Array
  readonly sizeClass: number
  readonly stampBits: number
}

/** A letter with a stamp, and its mailbox. */
export interface StampedLetter {
  readonly id: Uint8Array
  readonly address: Uint8Array
}

/** What one lane has in a mailbox. */
interface LaneUsage {
  readonly records: number
  readonly bytes: number
}

/** A mailbox's totals; `lanes` is by lane (hex), `stamped` effort in bits by letter id (hex). */
export interface MailboxUsage {
  records: number
  bytes: number
  readonly lanes: Map<string, LaneUsage>
  readonly stamped: Map<string, number>
}

/** What a tombstone and the memory of a card's version take on disk, about: with keys, indexes and LevelDB's own. */
const TOMBSTONE_BYTES = 512
const VERSION_BYTES = 256

export class HeldUsage {
  readonly #mailboxes = new Map<string, MailboxUsage>()
  /** Every letter with a stamp by its bits, and then by its id (hex), with its mailbox. */
  readonly #stamped = new Map<number, Map<string, Uint8Array>>()
  #letterBytes = 0
  #cardBytes = 0
  #tombstones = 0
  /** Dead letters of lanes, by mailbox (hex) and the first 48 bits of the lane: there may be millions of them. */
  readonly #dead = new Map<string, Map<number, number>>()
  #versions = 0
  #cards = 0

  /** Bytes of ciphertexts and cards. */
  get bytes(): number {
    return this.#letterBytes + this.#cardBytes
  }

  /** What letters and tombstones take of the disk: a letter that was deleted still takes a little. */
  get mailDiskBytes(): number {
    return this.#letterBytes + this.#tombstones * TOMBSTONE_BYTES
  }

  /** What cards and the memory of their versions take of the disk. */
  get cardDiskBytes(): number {
    return this.#cardBytes + this.#versions * VERSION_BYTES
  }

  /** Cards that are held. */
  get cards(): number {
    return this.#cards
  }

  get mailboxes(): number {
    return this.#mailboxes.size
  }

  /** Letters that are held. */
  get letters(): number {
    let count = 0
    for (const mailbox of this.#mailboxes.values()) count += mailbox.records
    return count
  }

  mailbox(address: Uint8Array): Readonly<MailboxUsage> | undefined {
    return this.#mailboxes.get(toHex(address))
  }

  /** The letter with the least effort of all mailboxes, leaving out those with `bitsBelow` or more and those of `without` (hex). */
  cheapest(bitsBelow: number, without: ReadonlySet<string>): StampedLetter | undefined {
    for (const bits of [...this.#stamped.keys()].sort((a, b) => a - b)) {
      if (bits >= bitsBelow) return undefined
      for (const [name, address] of this.#stamped.get(bits) ?? []) {
        const id = without.has(name) ? undefined : fromHex(name)
        if (id !== undefined) return { id, address }
      }
    }
    return undefined
  }

  addLetter(facts: LetterFacts): void {
    const key = toHex(facts.address)
    const mailbox = this.#mailboxes.get(key) ?? { records: 0, bytes: 0, lanes: new Map(), stamped: new Map() }
    this.#mailboxes.set(key, mailbox)
    if (facts.stampBits > 0) this.#addStamped(mailbox, facts)
    this.#count(mailbox, facts, 1)
  }

  removeLetter(facts: LetterFacts): void {
    const key = toHex(facts.address)
    const mailbox = this.#mailboxes.get(key)
    if (mailbox === undefined) return
    if (facts.stampBits > 0) this.#removeStamped(mailbox, facts)
    this.#count(mailbox, facts, -1)
    if (mailbox.records === 0) this.#mailboxes.delete(key)
  }

  addCardBytes(difference: number): void {
    this.#cardBytes += difference
  }

  addCards(difference: number): void {
    this.#cards += difference
  }

  addVersions(difference: number): void {
    this.#versions += difference
  }

  addTombstone(address: Uint8Array, lane: Uint8Array, sign: 1 | -1): void {
    this.#tombstones += sign
    const [name, start] = [toHex(address), laneStart(lane)]
    const lanes = this.#dead.get(name) ?? new Map<number, number>()
    const count = (lanes.get(start) ?? 0) + sign
    if (count > 0) lanes.set(start, count)
    else lanes.delete(start)
    if (lanes.size > 0) this.#dead.set(name, lanes)
    else this.#dead.delete(name)
  }

  /** Tombstones of the letters that came over this lane. */
  deadOf(address: Uint8Array, lane: Uint8Array): number {
    return this.#dead.get(toHex(address))?.get(laneStart(lane)) ?? 0
  }

  #addStamped(mailbox: MailboxUsage, { id, address, stampBits }: LetterFacts): void {
    mailbox.stamped.set(toHex(id), stampBits)
    const peers = this.#stamped.get(stampBits) ?? new Map<string, Uint8Array>()
    this.#stamped.set(stampBits, peers.set(toHex(id), address))
  }

  #removeStamped(mailbox: MailboxUsage, { id, stampBits }: LetterFacts): void {
    mailbox.stamped.delete(toHex(id))
    const peers = this.#stamped.get(stampBits)
    peers?.delete(toHex(id))
    if (peers?.size === 0) this.#stamped.delete(stampBits)
  }

  #count(mailbox: MailboxUsage, facts: LetterFacts, sign: 1 | -1): void {
    const bytes = sign * (SIZE_CLASSES_BYTES[facts.sizeClass] ?? 0)
    mailbox.records += sign
    mailbox.bytes += bytes
    this.#letterBytes += bytes
    if (facts.stampBits > 0) return
    const lane = toHex(facts.lane)
    const before = mailbox.lanes.get(lane) ?? { records: 0, bytes: 0 }
    const after = { records: before.records + sign, bytes: before.bytes + bytes }
    if (after.records > 0) mailbox.lanes.set(lane, after)
    else mailbox.lanes.delete(lane)
  }
}

function laneStart(lane: Uint8Array): number {
  return lane.subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0)
}
