/** How much is held, by mailbox and lane: kept in memory, rebuilt from the index when the store opens. */
import { toHex } from '../lib/bytes.ts'
import { SIZE_CLASSES_BYTES } from '../wire/padding.ts'

/** What counts about a letter. `stampBits` is 0 for a letter that came over a lane. */
export interface LetterFacts {
  readonly id: Uint8Array
  readonly address: Uint8Array
  readonly lane: Uint8Array
  readonly sizeClass: number
  readonly stampBits: number
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
const TOMBSTONE_BYTES = 320
const VERSION_BYTES = 256

export class HeldUsage {
  readonly #mailboxes = new Map<string, MailboxUsage>()
  #letterBytes = 0
  #cardBytes = 0
  #tombstones = 0
  #versions = 0

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

  addLetter(facts: LetterFacts): void {
    const key = toHex(facts.address)
    const mailbox = this.#mailboxes.get(key) ?? { records: 0, bytes: 0, lanes: new Map(), stamped: new Map() }
    this.#mailboxes.set(key, mailbox)
    if (facts.stampBits > 0) mailbox.stamped.set(toHex(facts.id), facts.stampBits)
    this.#count(mailbox, facts, 1)
  }

  removeLetter(facts: LetterFacts): void {
    const key = toHex(facts.address)
    const mailbox = this.#mailboxes.get(key)
    if (mailbox === undefined) return
    mailbox.stamped.delete(toHex(facts.id))
    this.#count(mailbox, facts, -1)
    if (mailbox.records === 0) this.#mailboxes.delete(key)
  }

  addCardBytes(difference: number): void {
    this.#cardBytes += difference
  }

  addVersions(difference: number): void {
    this.#versions += difference
  }

  addTombstones(difference: number): void {
    this.#tombstones += difference
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
