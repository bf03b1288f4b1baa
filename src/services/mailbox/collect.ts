/**
 * Reads our mailboxes: the whole zone of each, the union of what its holders have, every letter once. Nothing that a
 * holder says is believed: a letter counts by its hash, a tombstone by its preimage.
 */
import { toHex } from '../../lib/bytes.ts'
import { nameOf } from '../../lib/errors.ts'
import { ANSWER_KIND, GET_BYTES_MAX, GET_LETTERS_MAX, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { Letter } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { equal } from '../../lib/bytes.ts'
import { sleep } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { hourPassed, letterId, opens } from '../../protocol/mailbox-rules.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
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

interface Settled {
  readonly preimage: Uint8Array | undefined
}

/** Pages of 1,024 that one holder may list in one sweep: more than a mailbox's quota. */
const PAGES_MAX = 4
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

  /** Reads every mailbox once. Does not throw for the network. */
  async sweep(signal: AbortSignal): Promise<SweepReport> {
    const keys = this.#keys.toRead(this.#deps.clock.now())
    this.#forgetBoxes(keys)
    let complete = true
    let answers = 0
    for (const key of keys) {
      const report = await this.sweepMailbox(key, signal)
      complete &&= report.complete
      answers += report.answers
    }
    return { complete, answers }
  }

  /** Reads one mailbox: lists at all holders side by side, then fetches what is new. */
  async sweepMailbox(key: EpochKey, signal: AbortSignal): Promise<SweepReport> {
    const box = this.#box(key)
    box.sweep++
    const zone = await this.#zone(key, signal)
    const needed = Math.min(COMPLETE_ANSWERS, zone.length)
    let answers = 0
    const lists = zone.map(async (peer) => {
      if (await this.#list(box, peer, signal)) answers++
    })
    const all = Promise.all(lists)
    const over = new AbortController()
    await Promise.race([all, this.#grace(AbortSignal.any([signal, over.signal]))])
    over.abort()
    const spent = new Map<string, number>()
    await this.#fetchAll(box, zone, spent, signal)
    await all
    await this.#fetchAll(box, zone, spent, signal)
    if (answers < needed) this.#zones.forget(key.address)
    return { complete: zone.length > 0 && answers >= needed, answers }
  }

  /**
   * A letter that a holder pushed. One that is not ours, or not whole, goes unheard. False where too many are under way:
   * then it waits for the next sweep.
   */
  async pushed(peerId: string, address: Uint8Array, letter: Letter): Promise<boolean> {
    const key = this.#keys.toRead(this.#deps.clock.now()).find((own) => equal(own.address, address))
    if (key === undefined || !equal(letter.address, address) || this.#shunned(peerId)) return true
    const box = this.#box(key)
    const id = letterId(this.#deps.crypto, letter)
    if (this.#settled.has(toHex(id)) || !box.add(peerId, id)) return true
    if (this.#underWay.size >= PUSHED_AT_ONCE_MAX) return false
    await this.#handle(box, peerId, letter, id)
    return true
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

  async #zone(key: EpochKey, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    try {
      return await this.#zones.of(key.address, signal)
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
  async #list(box: Box, peer: PeerRecord, signal: AbortSignal): Promise<boolean> {
    const { address } = box.key
    for (let page = 0; page < PAGES_MAX; page++) {
      const cursor = box.cursor(peer.id)
      const response = await this.#ask(box, peer, { kind: HOLDER_VERB.list, body: { address, cursor } }, signal)
      if (response?.status !== HOLDER_STATUS.ok || response.answer.kind !== ANSWER_KIND.listing) return false
      const listing = response.answer.body
      await this.#remind(box, peer, listing.live)
      const more = box.takeListing(peer.id, listing, (id) => this.#settled.has(id))
      if (!more) return true
    }
    return true
  }

  /** The holder shows letters that we had deleted: it was away then, and is told now. */
  async #remind(box: Box, peer: PeerRecord, live: readonly { readonly id: Uint8Array }[]): Promise<void> {
    for (const { id } of live) {
      const preimage = this.#settled.get(toHex(id))?.preimage
      if (preimage !== undefined) await this.#tombstones.again(id, preimage, box.key.address, peer.id)
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
    letters: readonly Letter[],
  ): Promise<{ readonly missing: ReadonlySet<string>; readonly bytes: number }> {
    const missing = new Set(asked.map(toHex))
    let bytes = 0
    for (const letter of letters) {
      const id = letterId(this.#deps.crypto, letter)
      if (!equal(letter.address, box.key.address) || !missing.delete(toHex(id))) continue
      bytes += letter.ciphertext.length
      await this.#handle(box, peerId, letter, id)
    }
    return { missing, bytes }
  }

  /** Once per letter: hands it on unless a tombstone opens its commitment, and deletes it when it is ours. */
  async #handle(box: Box, peerId: string, letter: Letter, id: Uint8Array): Promise<void> {
    const name = toHex(id)
    if (this.#underWay.has(name) || this.#settled.has(name)) return
    this.#underWay.add(name)
    try {
      const { crypto, clock } = this.#deps
      const preimage = box.claims(name).find((claim) => opens(crypto, letter.commitment, claim))
      if (hourPassed(letter.expiry, clock.now())) this.#settle(box, name, { preimage })
      else if (preimage !== undefined) await this.#dead(box, id, preimage)
      else await this.#deliver(box, peerId, letter, id)
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #deliver(box: Box, peerId: string, letter: Letter, id: Uint8Array): Promise<void> {
    const verdict = await this.#verdict(letter, id)
    if (verdict === undefined) box.postponed(toHex(id))
    else if (verdict.kind === 'commit') await this.#dead(box, id, verdict.preimage)
    else {
      this.#unreadable.take(peerId)
      if (verdict.kind === 'junk') this.#settle(box, toHex(id), { preimage: undefined })
      else box.kept(toHex(id))
    }
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

  async #dead(box: Box, id: Uint8Array, preimage: Uint8Array): Promise<void> {
    await this.#tombstones.bury(id, preimage, box.key.address)
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
