/** Puts letters on holders: five of them, and every receipt is checked before it counts. */
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { toHex } from '../../lib/bytes.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { CardRecord, HolderResponse, HolderStatus } from '../../wire/holder.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import type { Letter, PutProof, Receipt } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { DAY_MS, laneSet, letterId, receiptHolds } from '../../protocol/mailbox-rules.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import { ask, isNetworkFault } from './ask.ts'
import type { Cards } from './cards.ts'
import type { MailDeps } from './deps.ts'
import { walk } from './walk.ts'
import type { Attempt } from './walk.ts'
import type { Zones } from './zones.ts'

/** A holder whose receipt was forged is left out for a week. */
const DISTRUST_MS = 7 * DAY_MS
const DISTRUSTED_MAX = 1_024

/** Why a holder did not store it: a status of its own, no answer, or an answer that was false. */
export type RefusalCause = Exclude<keyof typeof HOLDER_STATUS, 'ok'> | 'unreachable' | 'forged'

export interface Refusal {
  readonly peerId: string
  readonly cause: RefusalCause
}

/**
 * How a put ended. `refused` is `none` at W = 3 receipts or more; else what most holders said, or `nobody` where none
 * could be asked.
 */
export interface Deposit {
  readonly letterId: Uint8Array
  readonly receipts: readonly Receipt[]
  readonly refusals: readonly Refusal[]
  readonly refused: 'none' | 'lane' | 'stamp' | 'gone' | 'other' | 'nobody'
}

export interface PutOptions {
  /** Peers that must not hold it: the recipient's own. They are asked only where fewer than W others exist. */
  readonly exclude: readonly string[]
  readonly onReceipt?: (receipt: Receipt) => void
  readonly signal: AbortSignal
}

interface Put {
  readonly id: Uint8Array
  readonly letter: Letter
  readonly proof: PutProof
  readonly options: PutOptions
  readonly receipts: Receipt[]
  readonly refusals: Refusal[]
  /** The policy to bring along to holders that have none, fetched once. */
  policy: Promise<CardRecord | undefined> | undefined
}

export class Depositor {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #cards: Cards
  readonly #stamps: LetterStamper
  readonly #distrusted: ExpiringMap<string, true>

  constructor(deps: MailDeps, zones: Zones, cards: Cards, stamps: LetterStamper) {
    this.#deps = deps
    this.#zones = zones
    this.#cards = cards
    this.#stamps = stamps
    this.#distrusted = new ExpiringMap(deps.clock, DISTRUST_MS, DISTRUSTED_MAX)
  }

  /** Never throws for the network. Putting the same letter again is harmless and brings fresh receipts. */
  async put(letter: Letter, proof: PutProof, options: PutOptions): Promise<Deposit> {
    const id = letterId(this.#deps.crypto, letter)
    const put: Put = { id, letter, proof, options, receipts: [], refusals: [], policy: undefined }
    const zone = await this.#zone(letter.address, options.signal)
    const exclude = [...options.exclude, this.#deps.routing.self().id]
    for (const { id: peerId } of zone) if (this.#distrusted.get(peerId) === true) exclude.push(peerId)
    const attempt = (peer: PeerRecord): Promise<Attempt> => this.#attempt(put, peer)
    await walk(this.#deps, { address: letter.address, zone, exclude, attempt, signal: options.signal })
    if (put.receipts.length < WRITE_QUORUM) this.#zones.forget(letter.address)
    const { receipts, refusals } = put
    return { letterId: id, receipts: [...receipts], refusals: [...refusals], refused: verdict(receipts, refusals) }
  }

  /**
   * The letter with a stamp instead of a lane, for a box whose policy does not know our lane (any more). The price is the
   * higher of the network's and the owner's, by size and life.
   */
  async stamp(letter: Letter, signal: AbortSignal): Promise<Letter> {
    const { record } = await this.#cards.fetch(letter.address, signal)
    const owners = record?.kind === CARD_KIND.policy ? record.body.body.stampBits : 0
    return this.#stamps.stamp(letter, Math.max(owners, this.#deps.profile.stampBits), signal)
  }

  async #zone(address: Uint8Array, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    try {
      return await this.#zones.of(address, signal)
    } catch (error) {
      if (isNetworkFault(error) || signal.aborted) return []
      throw error
    }
  }

  async #attempt(put: Put, peer: PeerRecord): Promise<Attempt> {
    const { signal } = put.options
    try {
      let response = await this.#ask(put, peer)
      if (response.status === HOLDER_STATUS.lane && (await this.#bringPolicy(put, peer))) {
        response = await this.#ask(put, peer)
      }
      return { stored: this.#count(put, peer.id, response), closer: response.closer }
    } catch (error) {
      if (!isNetworkFault(error) && !signal.aborted) this.#deps.log.error('a put failed')
      put.refusals.push({ peerId: peer.id, cause: 'unreachable' })
      this.#zones.forget(put.letter.address)
      return { stored: false, closer: [] }
    }
  }

  async #ask({ letter, proof, options }: Put, peer: PeerRecord): Promise<HolderResponse> {
    return ask(this.#deps, peer, { kind: HOLDER_VERB.put, body: { letter, proof } }, options.signal)
  }

  /** Whether it counts as stored: only a receipt that the holder's own key signed for this letter does. */
  #count(put: Put, peerId: string, response: HolderResponse): boolean {
    if (response.status !== HOLDER_STATUS.ok) {
      put.refusals.push({ peerId, cause: causeOf(response.status) })
      return false
    }
    const receipt = response.answer.kind === ANSWER_KIND.receipt ? response.answer.body : undefined
    const publicKey = this.#deps.peers.publicKey(peerId)
    const { crypto } = this.#deps
    if (receipt && publicKey && receiptHolds(crypto, publicKey, peerId, put.id, receipt)) {
      put.receipts.push(receipt)
      put.options.onReceipt?.(receipt)
      return true
    }
    this.#distrusted.set(peerId, true)
    put.refusals.push({ peerId, cause: 'forged' })
    return false
  }

  /** A holder that came to the zone lately does not know the policy: whoever writes brings it along. */
  async #bringPolicy(put: Put, peer: PeerRecord): Promise<boolean> {
    if (put.letter.kind !== LETTER_KIND.lane) return false
    const { signal } = put.options
    put.policy ??= this.#cards.fetch(put.letter.address, signal).then(({ record }) => record)
    const record = await put.policy
    if (record?.kind !== CARD_KIND.policy || !laneSet(record.body).has(toHex(put.letter.lane))) return false
    const response = await ask(this.#deps, peer, { kind: HOLDER_VERB.putCard, body: record }, signal)
    return response.status === HOLDER_STATUS.ok
  }
}

/** Makes a stamped letter out of another. */
export interface LetterStamper {
  stamp(letter: Letter, baseBits: number, signal: AbortSignal): Promise<Letter>
}

function causeOf(status: HolderStatus): RefusalCause {
  const entry = Object.entries(HOLDER_STATUS).find(([, value]) => value === status)
  return (entry?.[0] ?? 'refused') as RefusalCause
}

function verdict(receipts: readonly Receipt[], refusals: readonly Refusal[]): Deposit['refused'] {
  if (receipts.length >= WRITE_QUORUM) return 'none'
  const answers = refusals.filter(({ cause }) => cause !== 'unreachable' && cause !== 'forged')
  if (answers.length === 0) return receipts.length === 0 ? 'nobody' : 'other'
  for (const cause of ['lane', 'stamp', 'gone'] as const) {
    if (answers.filter((refusal) => refusal.cause === cause).length * 2 > answers.length) return cause
  }
  return 'other'
}
