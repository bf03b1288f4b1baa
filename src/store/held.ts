/**
 * What this peer keeps for others: letters, tombstones, cards. It holds the merge rule (none < live < dead, for cards the
 * higher version) whatever comes in which order; quotas, proofs and signatures are the holder service's business.
 * A promise that resolves to something stored means that it is on the disk.
 */
import { equal, toHex, u32be } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Rng } from '../lib/rng.ts'
import type { Deposit, Letter, ListedLetter, Rung, Tombstone } from '../wire/letter.ts'
import { hourPassed, opens } from '../protocol/mailbox-rules.ts'
import type { CardVersion } from '../protocol/mailbox-rules.ts'
import type { MailboxSummary } from '../protocol/mailbox-digest.ts'
import type { Database, StoreOp } from './database.ts'
import { HeldCards } from './held-cards.ts'
import { HeldPrekeys } from './held-prekeys.ts'
import { HeldGraves, UNSEEN_MAX } from './held-graves.ts'
import { CURSOR_MAX, HeldIndex } from './held-index.ts'
import type { HeldListing } from './held-index.ts'
import { heldLetterCodec, heldTombstoneCodec, INDEX } from './held-records.ts'
import type { HeldLetter } from './held-records.ts'
import { HeldTable } from './held-table.ts'
import { HeldUsage } from './held-usage.ts'
import type { LetterFacts } from './held-usage.ts'

/** From so many bytes removed on, a sweep has LevelDB give the space back. */
const COMPACT_BYTES = 1_024 * 1_024
/** Letters that are remembered as spare. */
const SPARE_MAX = 65_536
const LARGE_BUCKETS = ['held', 'heldByAddress', 'heldByExpiry', 'cards', 'tombstones', 'graves'] as const

/** What the store bounds by itself. */
export interface HeldLimits {
  /** The last cursor before boot id and base are new. */
  readonly cursorMax: number
  /** Tombstones of one mailbox whose letters were never here. */
  readonly unseenMax: number
}

const HELD_LIMITS: HeldLimits = { cursorMax: CURSOR_MAX, unseenMax: UNSEEN_MAX }

export type PutOutcome = 'stored' | 'known' | 'gone'

/** A letter as it lies here: what shows that it may, and the rung of the zone that it was brought for. */
export interface HeldDeposit extends Deposit {
  readonly rung: Rung
}

/** A letter that is held, without its ciphertext. */
export interface HeldEntry extends ListedLetter {
  readonly rung: Rung
}

/** A mailbox of which something is here: its letters, and how many are dead. */
export interface HeldMailbox {
  readonly address: Uint8Array
  readonly letters: readonly HeldEntry[]
  readonly dead: number
}

export interface SweepResult {
  readonly letters: number
  readonly tombstones: number
  readonly cards: number
}

export class HeldStore {
  readonly usage = new HeldUsage()
  readonly cards: HeldCards
  readonly prekeys: HeldPrekeys
  readonly graves: HeldGraves
  readonly #table: HeldTable
  readonly #index: HeldIndex
  readonly #crypto: CryptoProvider
  #spare = new Map<string, Uint8Array>()
  /** Ids (hex) of letters that were found damaged and dropped, and are in the index still. */
  readonly #damaged = new Set<string>()

  private constructor(db: Database, crypto: CryptoProvider, rng: Rng, limits: HeldLimits) {
    this.#table = new HeldTable(db, crypto)
    this.#crypto = crypto
    this.#index = new HeldIndex(this.#table, rng, limits.cursorMax)
    this.cards = new HeldCards(this.#table, crypto, this.usage)
    this.prekeys = new HeldPrekeys(this.#table, this.cards, this.usage)
    this.graves = new HeldGraves(this.#table, this.#index, crypto, this.usage, limits.unseenMax)
  }

  /** Reads the index through once. The database stays the caller's to close. */
  static async open(db: Database, crypto: CryptoProvider, rng: Rng, limits = HELD_LIMITS): Promise<HeldStore> {
    const store = new HeldStore(db, crypto, rng, limits)
    await store.#rebuild()
    return store
  }

  /** Names this opening of the store: cursors of another one mean nothing. */
  get boot(): Uint8Array {
    return this.#index.boot
  }

  /** Entries that were not what was written, and were dropped. */
  get corrupt(): number {
    return this.#table.corrupt
  }

  // --- letters

  /**
   * Keeps a letter unless its tombstone is here, idempotent by id. `admit` is asked about a letter that is not known yet:
   * `undefined` lets it in, and then it has been counted in {@link usage}, which the caller takes back unless the outcome
   * is `stored`; anything else is the answer.
   */
  async putLetter<T = never>(
    id: Uint8Array,
    { letter, proof, rung }: HeldDeposit,
    admit: () => Promise<T | undefined> = admitted,
  ): Promise<PutOutcome | T> {
    return this.#table.alone(id, async () => {
      const before = (await this.#stateOf(id)) ?? (await admit())
      if (before !== undefined) return before
      if (this.#damaged.delete(toHex(id))) await this.#dropIndexEntry(letter.address, id)
      const arrival = this.#index.nextArrival()
      await this.#table.write([
        this.#table.put('held', [id], heldLetterCodec, { arrival, rung, proof, letter }),
        this.#index.putLive(id, letter, rung, arrival),
        this.#table.expires('heldByExpiry', letter.expiry, id),
      ])
      return 'stored'
    })
  }

  /** What is known of the letter already: `gone` where its tombstone is here, `known` where it is itself. */
  async stateOf(id: Uint8Array): Promise<'known' | 'gone' | undefined> {
    return this.#table.alone(id, () => this.#stateOf(id))
  }

  async #stateOf(id: Uint8Array): Promise<'known' | 'gone' | undefined> {
    const before = this.#table.corrupt
    const [tombstone, held] = await this.#table.getBoth(
      id,
      ['tombstones', heldTombstoneCodec],
      ['held', heldLetterCodec],
    )
    if (this.#table.corrupt > before) this.#damaged.add(toHex(id))
    if (tombstone !== undefined) return 'gone'
    return held === undefined ? undefined : 'known'
  }

  /** The letter `id` with all that came with it; none where it is not here or has run out. */
  async deposit(id: Uint8Array, nowMs: number): Promise<HeldDeposit | undefined> {
    const held = await this.#read(id)
    if (held === undefined || hourPassed(held.letter.expiry, nowMs)) return undefined
    const { letter, proof, rung } = held
    return { letter, proof, rung }
  }

  /** The letters of a mailbox with these ids, expired ones left out; at most `bytesMax` of ciphertext, but one at least. */
  async deposits(address: Uint8Array, ids: readonly Uint8Array[], nowMs: number, bytesMax: number): Promise<Deposit[]> {
    const deposits: Deposit[] = []
    let bytes = 0
    for (const id of ids) {
      const held = await this.#letter(address, id)
      if (held === undefined || hourPassed(held.letter.expiry, nowMs)) continue
      bytes += held.letter.ciphertext.length
      if (bytes > bytesMax && deposits.length > 0) break
      deposits.push({ letter: held.letter, proof: held.proof })
    }
    return deposits
  }

  /** The letter, if it is here and of this mailbox. One that turns out to be damaged is no longer listed. */
  async #letter(address: Uint8Array, id: Uint8Array): Promise<HeldLetter | undefined> {
    const held = await this.#read(id)
    if (this.#damaged.delete(toHex(id))) await this.#dropIndexEntry(address, id)
    return held !== undefined && equal(held.letter.address, address) ? held : undefined
  }

  /** Entries of a mailbox whose cursor is above `after`, at most `limit`, in their order. */
  async list(address: Uint8Array, after: number, limit: number, nowMs: number): Promise<HeldListing> {
    return this.#index.list(address, after, limit, nowMs)
  }

  /**
   * Removes a letter of this mailbox without a tombstone: one that gives way, is somewhere else often enough, or that its
   * owner cannot read. Whether it was here.
   */
  async evict(address: Uint8Array, id: Uint8Array): Promise<boolean> {
    return this.#table.alone(id, async () => {
      const held = await this.#letter(address, id)
      if (held === undefined) return false
      await this.#table.write(this.#removeOps(id, held))
      this.usage.removeLetter(factsOf(id, held.letter))
      return true
    })
  }

  /** These letters, and no others, may go where room is needed: enough holders of their zones have them. */
  markSpare(ids: readonly Uint8Array[]): void {
    this.#spare = new Map(ids.slice(0, SPARE_MAX).map((id) => [toHex(id), id]))
  }

  /** Removes a spare letter. False where there is none any more. */
  async evictSpare(): Promise<boolean> {
    for (const [name, id] of this.#spare) {
      this.#spare.delete(name)
      const held = await this.#read(id)
      if (held !== undefined && (await this.evict(held.letter.address, id))) return true
    }
    return false
  }

  /** Every mailbox of which something is here, with what is known of its letters; the ciphertexts are not read. */
  async *mailboxes(): AsyncGenerator<HeldMailbox> {
    let mailbox: { address: Uint8Array; letters: HeldEntry[]; dead: number } | undefined
    for await (const { address, entry } of this.#index.all()) {
      if (mailbox !== undefined && !equal(mailbox.address, address)) yield mailbox
      if (mailbox === undefined || !equal(mailbox.address, address)) mailbox = { address, letters: [], dead: 0 }
      const { id, expiry } = entry.body
      if (entry.kind === INDEX.dead) mailbox.dead++
      else mailbox.letters.push({ id, expiry, sizeClass: entry.body.sizeClass, rung: entry.body.rung })
    }
    if (mailbox !== undefined) yield mailbox
  }

  /** The version of the mailbox's policy, if it is held and runs out after the hour `after`. */
  async policyVersion(address: Uint8Array, after: number): Promise<CardVersion | undefined> {
    const known = await this.cards.version(address)
    if (known === undefined || known.bytes === 0 || known.expiryHour <= after) return undefined
    return { number: known.number, hash: known.hash }
  }

  /** What two holders compare of a mailbox, counting what runs out after the hour `after`. */
  async summary(address: Uint8Array, after: number): Promise<MailboxSummary> {
    const policy = await this.policyVersion(address, after)
    return { address, policy, dead: await this.graves.digest(address, after) }
  }

  // --- tombstones

  /**
   * Deletes a letter that is here for good. `refused` means that the preimage is wrong, `unseen` that neither the letter nor a
   * tombstone of it is here: then the tombstone must be verified, and goes to {@link HeldStore.adoptTombstone}.
   */
  async bury(id: Uint8Array, tombstone: Tombstone): Promise<'buried' | 'known' | 'refused' | 'unseen'> {
    return this.#table.alone(id, async () => this.#bury(id, tombstone))
  }

  async #bury(id: Uint8Array, tombstone: Tombstone): Promise<'buried' | 'known' | 'refused' | 'unseen'> {
    if ((await this.graves.get(id)) !== undefined) return 'known'
    const held = await this.#read(id)
    if (held === undefined) return 'unseen'
    if (!opens(this.#crypto, held.letter.commitment, tombstone.preimage)) return 'refused'
    // The proof that was checked when the letter came, not the one that came now.
    await this.graves.add(id, { ...tombstone, proof: held.proof }, false, this.#removeOps(id, held))
    this.usage.removeLetter(factsOf(id, held.letter))
    return 'buried'
  }

  /** Keeps a tombstone that was verified, whether its letter is here or not. `full`: the mailbox has too many of unseen letters. */
  async adoptTombstone(id: Uint8Array, tombstone: Tombstone): Promise<'buried' | 'known' | 'refused' | 'full'> {
    return this.#table.alone(id, async () => {
      const outcome = await this.#bury(id, tombstone)
      if (outcome !== 'unseen') return outcome
      if (!this.graves.hasRoom(tombstone)) return 'full'
      await this.graves.add(id, tombstone, true)
      return 'buried'
    })
  }

  #removeOps(id: Uint8Array, { letter, arrival }: HeldLetter): StoreOp[] {
    return [
      this.#table.del('held', [id]),
      this.#index.del({ address: letter.address, arrival }),
      this.#table.del('heldByExpiry', [u32be(letter.expiry), id]),
    ]
  }

  // --- expiry

  /** Removes what has run out: letters, tombstones a day later, cards. */
  async sweep(nowMs: number): Promise<SweepResult> {
    const before = this.usage.bytes
    const letters = await this.#table.sweep('heldByExpiry', nowMs, (id) => this.#expireLetter(id, nowMs))
    const tombstones = await this.graves.sweep(nowMs)
    await this.#dropDamaged()
    const cards = await this.cards.sweep(nowMs)
    await this.prekeys.sweep(nowMs)
    if (before - this.usage.bytes >= COMPACT_BYTES) await this.#table.compact(LARGE_BUCKETS)
    await this.#index.rebaseIfDue()
    return { letters, tombstones, cards }
  }

  async #expireLetter(id: Uint8Array, nowMs: number): Promise<boolean> {
    const held = await this.#read(id)
    if (held === undefined || !hourPassed(held.letter.expiry, nowMs)) return false
    await this.#table.write(this.#removeOps(id, held))
    this.usage.removeLetter(factsOf(id, held.letter))
    return true
  }

  // --- inside

  async #rebuild(): Promise<void> {
    await this.#index.rebuild(({ address, entry }) => {
      if (entry.kind === INDEX.live) this.usage.addLetter({ ...entry.body, address })
    })
    await this.graves.rebuild()
    await this.cards.rebuild()
    await this.prekeys.rebuild()
  }

  async #read(id: Uint8Array): Promise<HeldLetter | undefined> {
    const before = this.#table.corrupt
    const held = await this.#table.get('held', [id], heldLetterCodec)
    if (this.#table.corrupt > before) this.#damaged.add(toHex(id))
    return held
  }

  /** Letters that were found damaged where their mailbox was not known: in one walk over everything, they are listed no longer. */
  async #dropDamaged(): Promise<void> {
    if (this.#damaged.size === 0) return
    for await (const { address, entry } of this.#index.all()) {
      const { id } = entry.body
      const drop = entry.kind === INDEX.live && this.#damaged.has(toHex(id)) && (await this.#stateOf(id)) !== 'known'
      if (drop) await this.#dropIndexEntry(address, id)
    }
    this.#damaged.clear()
  }

  /** After the files were mended: letters that are gone with what could not be read are no longer listed, and no prekey is given out. */
  async scrub(): Promise<void> {
    await this.prekeys.clear()
    const gone: { readonly address: Uint8Array; readonly id: Uint8Array }[] = []
    for await (const { address, entry } of this.#index.all()) {
      const { id } = entry.body
      if (entry.kind === INDEX.live && !(await this.#table.has('held', [id]))) gone.push({ address, id })
    }
    for (const { address, id } of gone) await this.#dropIndexEntry(address, id)
  }

  /** After a letter was found damaged: it is no longer listed nor counted. */
  async #dropIndexEntry(address: Uint8Array, id: Uint8Array): Promise<void> {
    const found = await this.#index.findLive(address, id)
    if (found === undefined) return
    await this.#table.write([this.#index.del(found)])
    this.usage.removeLetter({ ...found.entry, address })
  }
}

const admitted = async (): Promise<undefined> => undefined

/** What {@link HeldUsage} counts about a letter. */
export function factsOf(id: Uint8Array, letter: Letter): LetterFacts {
  const { address, lane, sizeClass, stamp } = letter
  return { id, address, lane, sizeClass, stampBits: stamp.bits }
}
