/**
 * Reads our mailboxes: the whole zone of each, the union of what its holders have, every letter once. Nothing that a
 * holder says is believed: a letter counts by its hash and its lane's signature, a tombstone by its preimage.
 */
import { equal, toHex } from '../../lib/bytes.ts'
import { nameOf } from '../../lib/errors.ts'
import { ANSWER_KIND, GET_BYTES_MAX, GET_LETTERS_MAX, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { Deposit, Letter, Rung } from '../../wire/letter.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { sleep } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { hourPassed, idOfName, laneProofHolds, nameOfLetter, opens } from '../../protocol/mailbox-rules.ts'
import type { EpochKey, LetterName } from '../../protocol/mailbox-rules.ts'
import { COMPLETE_ANSWERS } from '../../protocol/replicas.ts'
import { isNetworkFault } from './ask.ts'
import { Box } from './box.ts'
import type { MailDeps } from './deps.ts'
import type { OwnKeys } from './own-keys.ts'
import type { OwnerSessions } from './sessions.ts'
import type { TombstoneSender } from './tombstones.ts'
import type { Zones } from './zones.ts'

/**
 * What became of a letter. `commit`: it is on our disk and is deleted at the holders by its preimage. `keep`: it cannot be
 * read now, come again with it. `junk`: never show it again.
 */
export type LetterVerdict =
  | { readonly kind: 'commit'; readonly preimage: Uint8Array }
  | { readonly kind: 'keep' }
  | { readonly kind: 'junk' }

/** Takes a letter that is whole and belongs to one of our mailboxes. */
export type LetterHandler = (letter: Letter, id: Uint8Array) => Promise<LetterVerdict>

export interface SweepReport {
  /** Whether 15 holders, or all of a smaller zone, have answered for every mailbox. */
  readonly complete: boolean
  readonly answers: number
}

/** A letter that is what it was asked for, with what else it takes to bury it. */
interface Found extends Deposit {
  readonly id: Uint8Array
  readonly name: LetterName
}

/** Which holders are read: the zone of a rung, or some of it (peer ids); `again`: where too few answered lately, the others. */
export interface Where {
  readonly rung: Rung
  readonly only?: ReadonlySet<string>
  readonly again?: boolean
}
const FIRST_ZONE: Where = { rung: 0 }

interface Settled {
  readonly preimage: Uint8Array | undefined
  /** A stranger's, which nobody can read: holders are to drop it, since the box has 64 places for all strangers. */
  readonly junk?: boolean
}

/** Pages of 1,024 that one holder may list in one sweep: more than a mailbox's letters and as many tombstones as can be made up. */
const PAGES_MAX = 16
/** How long the slow holders of a zone may still say that a letter is dead before it is fetched. */
const LIST_GRACE_MS = 250
/** Letters remembered as settled; beyond that the inbox's own memory catches repetitions. */
const SETTLED_MAX = 65_536
/**
 * Letters of one holder that turn out to be junk, or cannot be read: beyond that, nothing more is taken from it for a
 * while. Whoever holds a mailbox can make up letters for it, and each costs us a try to decrypt it.
 */
const UNREADABLE_RATE = { perSecond: 0.1, burst: 512 }
/** How long one holder is waited for in one sweep, over all its answers. */
const FETCH_MS_MAX = 60_000
/** Fetched letters that are taken in side by side: one sync of the disk serves them. */
const TAKEN_AT_ONCE = 16
/** Pushed letters that are taken in at the same time; what comes above that is fetched by the next sweep. */
const PUSHED_AT_ONCE_MAX = 64
const LETTER_BYTES_LARGEST = Math.max(...SIZE_CLASSES_BYTES)

export class Collector {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #sessions: OwnerSessions
  readonly #tombstones: Pick<TombstoneSender, 'bury' | 'again'>
  readonly #keys: OwnKeys
  readonly #onLetter: LetterHandler
  readonly #boxes = new Map<string, Box>()
  readonly #settled = new Map<string, Settled>()
  readonly #underWay = new Set<string>()
  readonly #unreadable: RateLimiter
  #keptSome = false

  constructor(
    deps: MailDeps,
    rooms: {
      readonly zones: Zones
      readonly sessions: OwnerSessions
      readonly tombstones: Pick<TombstoneSender, 'bury' | 'again'>
      readonly keys: OwnKeys
    },
    onLetter: LetterHandler,
  ) {
    this.#deps = deps
    this.#zones = rooms.zones
    this.#sessions = rooms.sessions
    this.#tombstones = rooms.tombstones
    this.#keys = rooms.keys
    this.#onLetter = onLetter
    this.#unreadable = new RateLimiter(UNREADABLE_RATE, deps.clock)
  }

  /** Letters that are listed and not settled, and how many of them each holder (peer id) lists. */
  get waiting(): { readonly letters: number; readonly holders: ReadonlyMap<string, number> } {
    const holders = new Map<string, number>()
    const waiting = [...this.#boxes.values()].flatMap((box) => [...box.waiting.values()])
    for (const peerId of waiting.flatMap((entry) => [...entry.holders])) {
      holders.set(peerId, (holders.get(peerId) ?? 0) + 1)
    }
    return { letters: waiting.length, holders }
  }

  /**
   * Reads every mailbox once, at these rungs; `again` as in {@link Where}. The report is about the first zones, and about all that
   * answered since everybody was asked. Does not throw for the network.
   */
  async sweep(signal: AbortSignal, rungs: readonly Rung[] = [0], again = false): Promise<SweepReport> {
    const keys = this.#keys.toRead(this.#deps.clock.now())
    this.#forgetBoxes(keys)
    let complete = true
    let answers = 0
    for (const rung of rungs) {
      for (const key of keys) {
        const report = await this.sweepMailbox(key, signal, { rung, again })
        if (rung !== 0) continue
        complete &&= report.complete
        answers += report.answers
      }
    }
    return { complete, answers }
  }

  /** Whether letters were kept for later, for the first time each, since this was asked last: what they wait for may come soon. */
  takeKept(): boolean {
    const kept = this.#keptSome
    this.#keptSome = false
    return kept
  }

  /** Reads one mailbox: lists at all holders side by side, then fetches what is new. */
  async sweepMailbox(key: EpochKey, signal: AbortSignal, where: Where = FIRST_ZONE): Promise<SweepReport> {
    const box = this.#box(key)
    // What a sweep has offered is not offered by the other parts of it once more.
    if (where.rung === 0 && where.only === undefined) box.begin(where.again === true)
    else box.sweep = Math.max(1, box.sweep)
    const whole = await this.#zone(key, where.rung, signal)
    const zone = where.only === undefined ? whole : whole.filter(({ id }) => where.only?.has(id))
    const needed = Math.min(COMPLETE_ANSWERS, zone.length)
    const answered = where.rung === 0 ? box.answered : new Set<string>()
    const answers = (): number => zone.filter(({ id }) => answered.has(id)).length
    const missing = where.again === true ? zone.filter(({ id }) => !answered.has(id)) : zone
    const lists = (zone.length - missing.length < needed ? missing : []).map(async (peer) => {
      if (await this.#list(box, peer, where.rung, signal)) answered.add(peer.id)
    })
    const all = Promise.all(lists)
    const over = new AbortController()
    await Promise.race([all, this.#grace(AbortSignal.any([signal, over.signal]))])
    over.abort()
    const spent = new Map<string, number>()
    await this.#fetchAll(box, zone, spent, signal)
    await all
    await this.#fetchAll(box, zone, spent, signal)
    await Promise.all(zone.map((peer) => this.#dropJunk(box, peer, signal)))
    if (answers() < needed) this.#zones.forget(key.address, where.rung)
    return { complete: zone.length > 0 && answers() >= needed, answers: answers() }
  }

  /**
   * A letter that a holder pushed. One that is not ours, or not whole, goes unheard. False where too many are under way:
   * then it waits for the next sweep.
   */
  async pushed(peerId: string, deposit: Deposit): Promise<boolean> {
    const { address } = deposit.letter
    const key = this.#keys.toRead(this.#deps.clock.now()).find((own) => equal(own.address, address))
    if (key === undefined || this.#shunned(peerId)) return true
    const found = this.#found(deposit)
    if (found === undefined || this.#settled.has(toHex(found.id))) return true
    const box = this.#box(key)
    if (!box.add(peerId, found.id)) return true
    if (this.#underWay.size >= PUSHED_AT_ONCE_MAX) return false
    await this.#handle(box, peerId, found)
    return true
  }

  /** The letter under its own name; none where its lane's signature is false: then the holder may as well have made it up. */
  #found({ letter, proof }: Deposit): Found | undefined {
    const { crypto } = this.#deps
    if (letter.kind !== proof.kind) return undefined
    const name = nameOfLetter(crypto, letter)
    const id = idOfName(crypto, name)
    if (proof.kind === LETTER_KIND.lane && !laneProofHolds(crypto, letter.lane, id, proof.body)) return undefined
    return { letter, proof, name, id }
  }

  /** Whether the holder has brought so much that nobody could read that it is not heard now. */
  #shunned(peerId: string): boolean {
    return this.#unreadable.retryAfterMs(peerId) > 0
  }

  #box(key: EpochKey): Box {
    const name = toHex(key.address)
    const box = this.#boxes.get(name) ?? new Box(key)
    this.#boxes.set(name, box)
    return box
  }

  #forgetBoxes(keys: readonly EpochKey[]): void {
    const current = new Set(keys.map(({ address }) => toHex(address)))
    for (const name of this.#boxes.keys()) if (!current.has(name)) this.#boxes.delete(name)
  }

  async #zone(key: EpochKey, rung: Rung, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    try {
      return await this.#zones.of(key.address, signal, rung)
    } catch (error) {
      if (isNetworkFault(error) || signal.aborted) return []
      throw error
    }
  }

  async #grace(signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.#deps.clock, LIST_GRACE_MS, signal)
    } catch {
      // Called off: the lists end by themselves.
    }
  }

  /** Whether the holder answered. */
  async #list(box: Box, peer: PeerRecord, rung: Rung, signal: AbortSignal): Promise<boolean> {
    const { address } = box.key
    for (let page = 0; page < PAGES_MAX; page++) {
      const cursor = box.cursor(peer.id)
      const response = await this.#ask(box, peer, { kind: HOLDER_VERB.list, body: { address, cursor } }, signal)
      if (response?.status !== HOLDER_STATUS.ok || response.answer.kind !== ANSWER_KIND.listing) return false
      const listing = response.answer.body
      this.#remind(box, peer, rung, listing.live)
      const more = box.takeListing(peer.id, listing, (id) => this.#settled.has(id), rung)
      if (!more) return true
    }
    return true
  }

  /**
   * The holder shows letters that we had deleted: it was away then, and is told now. Where that is so long ago that only the
   * preimage is left, the rest of the tombstone is fetched from it with the letter.
   */
  #remind(box: Box, peer: PeerRecord, rung: Rung, live: readonly { readonly id: Uint8Array }[]): void {
    for (const { id } of live) {
      const { preimage, junk } = this.#settled.get(toHex(id)) ?? {}
      if (junk === true) box.junk.add(peer.id, id)
      if (preimage !== undefined && !this.#tombstones.again(id, peer.id, rung)) box.add(peer.id, id, rung)
    }
  }

  /** Fetches what waits: one question to each holder in turn, so that a slow one does not keep the others waiting. */
  async #fetchAll(
    box: Box,
    zone: readonly PeerRecord[],
    spent: Map<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    for (let asked = zone; asked.length > 0 && !signal.aborted;) {
      const more: PeerRecord[] = []
      for (const peer of asked) {
        const before = this.#deps.clock.now()
        if (await this.#fetchSome(box, peer, signal)) more.push(peer)
        spent.set(peer.id, (spent.get(peer.id) ?? 0) + this.#deps.clock.now() - before)
      }
      asked = more.filter(({ id }) => (spent.get(id) ?? 0) < FETCH_MS_MAX)
    }
  }

  /** One question; whether the holder may have more. What it could have given and did not does not wait for it any more. */
  async #fetchSome(box: Box, peer: PeerRecord, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#shunned(peer.id)) return false
    const { address } = box.key
    const waiting = box.from(peer.id).filter((id) => !this.#underWay.has(toHex(id)))
    const ids = waiting.slice(0, GET_LETTERS_MAX)
    if (ids.length === 0) return false
    const response = await this.#ask(box, peer, { kind: HOLDER_VERB.get, body: { address, ids } }, signal)
    if (response === undefined) return false
    const letters = response.answer.kind === ANSWER_KIND.letters ? response.answer.body.letters : []
    const { missing, bytes } = await this.#takeLetters(box, peer.id, ids, letters)
    if (bytes === 0 || bytes + LETTER_BYTES_LARGEST <= GET_BYTES_MAX) box.missing(peer.id, missing)
    return bytes > 0
  }

  /** Handles the letters that were asked for and are what they should be. Which did not come, and the bytes of the others. */
  async #takeLetters(
    box: Box,
    peerId: string,
    asked: readonly Uint8Array[],
    letters: readonly Deposit[],
  ): Promise<{ readonly missing: ReadonlySet<string>; readonly bytes: number }> {
    const missing = new Set(asked.map(toHex))
    let bytes = 0
    let underWay: Promise<void>[] = []
    for (const deposit of letters) {
      const found = equal(deposit.letter.address, box.key.address) ? this.#found(deposit) : undefined
      if (found === undefined || !missing.delete(toHex(found.id))) continue
      bytes += found.letter.ciphertext.length
      underWay.push(this.#handle(box, peerId, found))
      if (underWay.length < TAKEN_AT_ONCE) continue
      await Promise.all(underWay)
      underWay = []
    }
    await Promise.all(underWay)
    return { missing, bytes }
  }

  /** Once per letter: hands it on unless a tombstone opens its commitment, and deletes it when it is ours. */
  async #handle(box: Box, peerId: string, found: Found): Promise<void> {
    const name = toHex(found.id)
    const before = this.#settled.get(name)
    if (this.#underWay.has(name) || (before !== undefined && before.preimage === undefined)) return
    this.#underWay.add(name)
    try {
      const { crypto, clock } = this.#deps
      const { commitment, expiry } = found.letter
      const preimage = before?.preimage ?? box.claims(name).find((claim) => opens(crypto, commitment, claim))
      if (hourPassed(expiry, clock.now())) this.#settle(box, name, { preimage })
      else if (preimage !== undefined) await this.#dead(box, found, preimage)
      else await this.#deliver(box, peerId, found)
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #deliver(box: Box, peerId: string, found: Found): Promise<void> {
    const { letter, id } = found
    const verdict = await this.#verdict(letter, id)
    if (verdict === undefined) box.postponed(toHex(id))
    else if (verdict.kind === 'commit') await this.#dead(box, found, verdict.preimage)
    else {
      this.#unreadable.take(peerId)
      if (verdict.kind === 'junk') this.#discard(box, peerId, found)
      else if (box.kept(toHex(id))) this.#keptSome = true
    }
  }

  /** Never looked at again. What came over a lane stays where it is: its places are the contact's own. */
  #discard(box: Box, peerId: string, { id, letter }: Found): void {
    const junk = letter.kind === LETTER_KIND.stamp
    const holders = box.waiting.get(toHex(id))?.holders ?? []
    if (junk) for (const holder of new Set([peerId, ...holders])) box.junk.add(holder, id)
    this.#settle(box, toHex(id), { preimage: undefined, junk })
  }

  /** Once a sweep: who does not answer is told with the next. */
  async #dropJunk(box: Box, peer: PeerRecord, signal: AbortSignal): Promise<void> {
    const ids = box.junk.due(peer.id)
    if (ids.length === 0) return
    const request = { kind: HOLDER_VERB.drop, body: { address: box.key.address, ids } } as const
    const response = await this.#ask(box, peer, request, signal)
    if (response?.status === HOLDER_STATUS.ok) box.junk.gone(peer.id, ids)
  }

  /** None where it was a fault of ours. */
  async #verdict(letter: Letter, id: Uint8Array): Promise<LetterVerdict | undefined> {
    try {
      return await this.#onLetter(letter, id)
    } catch (error) {
      this.#deps.log.error('a letter could not be taken in', { error: nameOf(error) })
      return undefined
    }
  }

  async #dead(box: Box, { id, name, proof }: Found, preimage: Uint8Array): Promise<void> {
    await this.#tombstones.bury({ ...name, preimage, proof }, box.rungsOf(toHex(id)))
    this.#settle(box, toHex(id), { preimage })
  }

  #settle(box: Box, name: string, settled: Settled): void {
    box.settled(name)
    this.#settled.set(name, settled)
    const oldest = this.#settled.keys().next()
    if (this.#settled.size > SETTLED_MAX && oldest.done !== true) this.#settled.delete(oldest.value)
  }

  async #ask(box: Box, peer: PeerRecord, request: Parameters<OwnerSessions['ask']>[2], signal: AbortSignal) {
    try {
      return await this.#sessions.ask(peer, box.key, request, signal)
    } catch (error) {
      if (isNetworkFault(error) || signal.aborted) return undefined
      throw error
    }
  }
}
