/** Puts letters on holders: five of them, and every receipt is checked before it counts. */
import { toHex } from '../../lib/bytes.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { CardRecord, HolderResponse, HolderStatus } from '../../wire/holder.ts'
import { LETTER_KIND, receiptCodec } from '../../wire/letter.ts'
import type { Letter, PutProof, Receipt, Rung } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { receiptHolds } from '../../protocol/mailbox-proofs.ts'
import { laneSet, letterId } from '../../protocol/mailbox-rules.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import { ask, isNetworkFault } from './ask.ts'
import type { Cards } from './cards.ts'
import type { MailDeps } from './deps.ts'
import { Pace } from './pace.ts'
import { walk } from './walk.ts'
import type { Attempt } from './walk.ts'
import type { Zones } from './zones.ts'

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
  readonly refused: 'none' | 'lane' | 'stamp' | 'gone' | 'full' | 'other' | 'nobody'
}

export interface PutOptions {
  /** Which of the address's zones; the first where none is given. */
  readonly rung?: Rung
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
  readonly #pace: Pace

  constructor(deps: MailDeps, zones: Zones, cards: Cards, stamps: LetterStamper) {
    this.#deps = deps
    this.#zones = zones
    this.#cards = cards
    this.#stamps = stamps
    this.#pace = new Pace(deps.clock)
  }

  /** Never throws for the network. Putting the same letter again is harmless and brings fresh receipts. */
  async put(letter: Letter, proof: PutProof, options: PutOptions): Promise<Deposit> {
    const id = letterId(this.#deps.crypto, letter)
    const put: Put = { id, letter, proof, options, receipts: [], refusals: [], policy: undefined }
    const { address } = letter
    const { rung = 0, signal } = options
    const zone = await this.#zone(address, rung, signal)
    const exclude = [...options.exclude, this.#deps.routing.self().id]
    const shuns = (peerId: string): boolean => this.#deps.distrust.has(peerId)
    const attempt = (peer: PeerRecord): Promise<Attempt> => this.#attempt(put, peer)
    await walk(this.#deps, { address, rung, zone, exclude, shuns, attempt, signal })
    if (put.receipts.length < WRITE_QUORUM) this.#zones.forget(address, rung)
    const { receipts, refusals } = put
    return { letterId: id, receipts: [...receipts], refusals: [...refusals], refused: verdict(receipts, refusals) }
  }

  /**
   * The letter with a stamp instead of a lane, for a box whose policy does not know our lane (any more). The price is the
   * higher of the network's and the owner's, by size and life, and `extraBits` more where the box is full: it keeps the dearest.
   */
  async stamp(letter: Letter, signal: AbortSignal, extraBits = 0): Promise<Letter> {
    const { record } = await this.#cards.fetch(letter.address, signal)
    const owners = record?.kind === CARD_KIND.policy ? record.body.body.stampBits : 0
    return this.#stamps.stamp(letter, Math.max(owners, this.#deps.profile.stampBits) + extraBits, signal)
  }

  async #zone(address: Uint8Array, rung: Rung, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    try {
      return await this.#zones.of(address, signal, rung)
    } catch (error) {
      if (isNetworkFault(error) || signal.aborted) return []
      throw error
    }
  }

  async #attempt(put: Put, peer: PeerRecord): Promise<Attempt> {
    const { signal } = put.options
    if (!this.#pace.take(peer.id)) {
      put.refusals.push({ peerId: peer.id, cause: 'rate' })
      return { stored: false, closer: [] }
    }
    try {
      let response = await this.#ask(put, peer)
      if (response.status === HOLDER_STATUS.lane && (await this.#bringPolicy(put, peer))) {
        response = await this.#ask(put, peer)
      }
      return { stored: this.#count(put, peer.id, response), closer: response.closer }
    } catch (error) {
      if (!isNetworkFault(error) && !signal.aborted) this.#deps.log.error('a put failed')
      put.refusals.push({ peerId: peer.id, cause: 'unreachable' })
      this.#zones.forget(put.letter.address, put.options.rung)
      return { stored: false, closer: [] }
    }
  }

  async #ask({ letter, proof, options }: Put, peer: PeerRecord): Promise<HolderResponse> {
    const { rung = 0, signal } = options
    return ask(this.#deps, peer, { kind: HOLDER_VERB.put, body: { letter, proof, rung } }, signal)
  }

  /** Whether it counts as stored: only a receipt that the holder's own key signed for this letter does. */
  #count(put: Put, peerId: string, response: HolderResponse): boolean {
    if (response.status !== HOLDER_STATUS.ok) {
      if (response.status === HOLDER_STATUS.rate) this.#pace.refused(peerId)
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
    this.#deps.distrust.note(
      peerId,
      'receipt',
      receipt === undefined ? new Uint8Array(0) : encode(receiptCodec, receipt),
    )
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
  for (const cause of ['lane', 'stamp', 'gone', 'full'] as const) {
    if (answers.filter((refusal) => refusal.cause === cause).length * 2 > answers.length) return cause
  }
  return 'other'
}
