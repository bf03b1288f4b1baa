/**
 * Reads our mailboxes: the whole zone of each, the union of what its holders have, every letter once. Nothing that a
 * holder says is believed: a letter counts by its hash, a tombstone by its preimage.
 */
import { toHex } from '../../lib/bytes.ts'
import { nameOf } from '../../lib/errors.ts'
import { ANSWER_KIND, GET_LETTERS_MAX, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { Letter } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { equal } from '../../lib/bytes.ts'
import { sleep } from '../../lib/clock.ts'
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
    await this.#fetchAll(box, zone, signal)
    await all
    await this.#fetchAll(box, zone, signal)
    if (answers < needed) this.#zones.forget(key.address)
    return { complete: zone.length > 0 && answers >= needed, answers }
  }

  /** A letter that a holder pushed. One that is not ours, or not whole, goes unheard. */
  async pushed(peerId: string, address: Uint8Array, letter: Letter): Promise<void> {
    const key = this.#keys.toRead(this.#deps.clock.now()).find((own) => equal(own.address, address))
    if (key === undefined || !equal(letter.address, address)) return
    const box = this.#box(key)
    const id = letterId(this.#deps.crypto, letter)
    if (this.#settled.has(toHex(id)) || !box.add(peerId, id)) return
    await this.#handle(box, letter, id)
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

  /** Fetches what waits, from any holder that lists it, until nothing more comes. */
  async #fetchAll(box: Box, zone: readonly PeerRecord[], signal: AbortSignal): Promise<void> {
    for (const peer of zone) await this.#fetchFrom(box, peer, signal)
  }

  async #fetchFrom(box: Box, peer: PeerRecord, signal: AbortSignal): Promise<void> {
    const { address } = box.key
    for (;;) {
      const asked = box.from(peer.id).filter((id) => !this.#underWay.has(toHex(id)))
      const ids = asked.slice(0, GET_LETTERS_MAX)
      if (ids.length === 0 || signal.aborted) return
      const response = await this.#ask(box, peer, { kind: HOLDER_VERB.get, body: { address, ids } }, signal)
      if (response === undefined) return
      const letters = response.answer.kind === ANSWER_KIND.letters ? response.answer.body.letters : []
      if ((await this.#takeLetters(box, ids, letters)) === 0) return box.empty(peer.id)
    }
  }

  /** How many of the letters were asked for and are what they should be; those are handled. */
  async #takeLetters(box: Box, asked: readonly Uint8Array[], letters: readonly Letter[]): Promise<number> {
    const wanted = new Set(asked.map(toHex))
    let came = 0
    for (const letter of letters) {
      const id = letterId(this.#deps.crypto, letter)
      if (!wanted.delete(toHex(id)) || !equal(letter.address, box.key.address)) continue
      came++
      await this.#handle(box, letter, id)
    }
    return came
  }

  /** Once per letter: hands it on unless a tombstone opens its commitment, and deletes it when it is ours. */
  async #handle(box: Box, letter: Letter, id: Uint8Array): Promise<void> {
    const name = toHex(id)
    if (this.#underWay.has(name) || this.#settled.has(name)) return
    this.#underWay.add(name)
    try {
      const { crypto, clock } = this.#deps
      const preimage = box.claims(name).find((claim) => opens(crypto, letter.commitment, claim))
      if (hourPassed(letter.expiry, clock.now())) this.#settle(box, name, { preimage })
      else if (preimage !== undefined) await this.#dead(box, id, preimage)
      else await this.#deliver(box, letter, id)
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #deliver(box: Box, letter: Letter, id: Uint8Array): Promise<void> {
    const verdict = await this.#verdict(letter, id)
    if (verdict.kind === 'commit') await this.#dead(box, id, verdict.preimage)
    if (verdict.kind === 'junk') this.#settle(box, toHex(id), { preimage: undefined })
    if (verdict.kind === 'keep') box.kept(toHex(id))
  }

  async #verdict(letter: Letter, id: Uint8Array): Promise<LetterVerdict> {
    try {
      return await this.#onLetter(letter, id)
    } catch (error) {
      this.#deps.log.error('a letter could not be taken in', { error: nameOf(error) })
      return { kind: 'keep' }
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
