/** One-time prekeys at holders: a device's slices are put and asked about, and other devices' prekeys are taken. */
import { equal } from '../../lib/bytes.ts'
import { NetworkError, NotFoundError } from '../../lib/errors.ts'
import { randomBelow } from '../../lib/rng.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { prekeyBundleCodec } from '../../wire/prekey-slices.ts'
import type { PrekeyBundle, PrekeySlice, SliceReport, TakePrekey } from '../../wire/prekey-slices.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { receiptHolds } from '../../protocol/mailbox-proofs.ts'
import { cardHolds, cardKey } from '../../protocol/mailbox-rules.ts'
import { bundleHolds, prekeyStampBits, prekeyStampChallenge, sliceHash } from '../../protocol/prekey-pool.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import { STAMP_NONCE_BYTES } from '../../protocol/stamp.ts'
import type { StampSolver } from '../ports.ts'
import { tryAsk } from './ask.ts'
import type { MailDeps } from './deps.ts'
import type { Zones } from './zones.ts'

/** Slices lie at the five nearest; after churn a holder may be a little further away. Nobody looks beyond these. */
export const KEEPERS_MAX = 8
const FIRST_ASKED = 5
/** After this long without an answer the next holder is asked as well. */
const HEDGE_MS = 500

export interface PrekeyHoldersInit {
  readonly deps: MailDeps
  readonly zones: Pick<Zones, 'of' | 'forget'>
  readonly solver: StampSolver
}

/** How a slice was taken. `older`: the holder knows a later number. `away`: no answer, or none that counts. */
export type SlicePut = 'stored' | 'older' | 'refused' | 'busy' | 'away'

export class PrekeyHolders {
  readonly #deps: MailDeps
  readonly #zones: Pick<Zones, 'of' | 'forget'>
  readonly #solver: StampSolver

  constructor(init: PrekeyHoldersInit) {
    this.#deps = init.deps
    this.#zones = init.zones
    this.#solver = init.solver
  }

  /** Who may keep slices of the device with this card, nearest first: oneself only where fewer than W others are there. */
  async keepers(card: Uint8Array, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const self = this.#deps.routing.self().id
    const trusted = (await this.#zones.of(card, signal)).filter(({ id }) => !this.#deps.distrust.has(id))
    const others = trusted.filter(({ id }) => id !== self)
    return (others.length >= WRITE_QUORUM ? others : trusted).slice(0, KEEPERS_MAX)
  }

  /** Brings the card, and then the slice that is signed for this holder. Does not throw for the network. */
  async put(peer: PeerRecord, card: PrekeyCard, slice: PrekeySlice, signal: AbortSignal): Promise<SlicePut> {
    const record = { kind: CARD_KIND.prekeys, body: card } as const
    const first = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.putCard, body: record }, signal)
    if (first === undefined || first.status !== HOLDER_STATUS.ok) return outcomeOf(first)
    const response = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.putSlice, body: slice }, signal)
    if (response?.status !== HOLDER_STATUS.ok) return outcomeOf(response)
    const publicKey = this.#deps.peers.publicKey(peer.id)
    const { crypto } = this.#deps
    const receipt = response.answer.kind === ANSWER_KIND.receipt ? response.answer.body : undefined
    const good = receipt && publicKey && receiptHolds(crypto, publicKey, peer.id, sliceHash(crypto, slice), receipt)
    return good === true ? 'stored' : 'away'
  }

  /** What the holder says is left of the slice; `none` where it has none of ours, `undefined` where it does not answer. */
  async ask(
    peer: PeerRecord,
    card: Uint8Array,
    token: Uint8Array,
    signal: AbortSignal,
  ): Promise<SliceReport | 'none' | undefined> {
    const response = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.askSlice, body: { card, token } }, signal)
    if (response?.status === HOLDER_STATUS.notFound) return 'none'
    return response?.answer.kind === ANSWER_KIND.sliceReport ? response.answer.body : undefined
  }

  /**
   * The newest card of the device at this key that a holder shows, with a one-time prekey where one has any left: one round
   * trip where the zone is known. Holders are asked in random order, since each has other prekeys, the next one after 500 ms or as
   * soon as one has none. What is taken is verified: the card by its signatures, the prekey by its path to the card's root.
   *
   * When the signal is given, the best so far is the answer. Throws NotFoundError where nobody knows the device, NetworkError
   * where nobody answered.
   */
  async take(card: Uint8Array, signal: AbortSignal): Promise<PrekeyBundle> {
    const keepers = await this.#order(card, signal)
    // Whoever is still at work when there is one has to stop: it would take another.
    const over = new AbortController()
    const inTime = AbortSignal.any([signal, over.signal])
    const run = new Taking(keepers, this.#deps.clock, async (peer) => this.#takeFrom(peer, card, inTime))
    const { best, answers } = await run.result(signal).finally(() => {
      over.abort()
    })
    if (best !== undefined) return best
    this.#zones.forget(card)
    if (answers === 0) throw new NetworkError('no holder answered')
    throw new NotFoundError('the network has no prekeys of this device')
  }

  async #order(card: Uint8Array, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const zone = (await this.#zones.of(card, signal)).filter(({ id }) => !this.#deps.distrust.has(id))
    const first = zone.slice(0, FIRST_ASKED)
    for (let i = first.length - 1; i > 0; i--) {
      const other = randomBelow(this.#deps.rng, i + 1)
      const [a, b] = [first[i], first[other]]
      if (a !== undefined && b !== undefined) [first[i], first[other]] = [b, a]
    }
    return [...first, ...zone.slice(FIRST_ASKED, KEEPERS_MAX)]
  }

  /** `undefined`: no answer. `none`: an answer without anything good in it. */
  async #takeFrom(peer: PeerRecord, card: Uint8Array, signal: AbortSignal): Promise<PrekeyBundle | 'none' | undefined> {
    const request = await this.#stamped(peer.id, card, signal)
    const response = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.takePrekey, body: request }, signal)
    if (response === undefined) return undefined
    const bundle = response.answer.kind === ANSWER_KIND.bundle ? response.answer.body : undefined
    if (response.status !== HOLDER_STATUS.ok || bundle === undefined) return 'none'
    const { crypto, clock } = this.#deps
    const record = { kind: CARD_KIND.prekeys, body: bundle.card } as const
    if (!equal(cardKey(crypto, record), card) || !cardHolds(crypto, record, clock.now())) return 'none'
    if (bundleHolds(crypto, bundle)) return bundle
    this.#deps.distrust.note(peer.id, 'prekey', encode(prekeyBundleCodec, bundle))
    return 'none'
  }

  async #stamped(holder: string, card: Uint8Array, signal: AbortSignal): Promise<TakePrekey> {
    const { crypto, clock, profile } = this.#deps
    const hour = Math.floor(clock.now() / HOUR_MS)
    const bits = prekeyStampBits(profile.stampBits)
    if (bits === 0) return { card, hour, stamp: { bits, nonce: new Uint8Array(STAMP_NONCE_BYTES) } }
    const nonce = await this.#solver.solve(prekeyStampChallenge(crypto, { card, holder, hour, bits }), bits, signal)
    return { card, hour, stamp: { bits, nonce } }
  }
}

function outcomeOf(response: HolderResponse | undefined): SlicePut {
  switch (response?.status) {
    case undefined:
      return 'away'
    case HOLDER_STATUS.stale:
      return 'older'
    case HOLDER_STATUS.rate:
    case HOLDER_STATUS.full:
      return 'busy'
    default:
      return 'refused'
  }
}

interface Taken {
  readonly best: PrekeyBundle | undefined
  readonly answers: number
}

/** Asks one after another, with a hedge, until one gives a one-time prekey. */
class Taking {
  readonly #peers: readonly PeerRecord[]
  readonly #clock: Pick<MailDeps['clock'], 'after'>
  readonly #takeFrom: (peer: PeerRecord) => Promise<PrekeyBundle | 'none' | undefined>
  #next = 0
  #open = 0
  #answers = 0
  #best: PrekeyBundle | undefined
  #done = false
  #cancelHedge: (() => void) | undefined

  constructor(
    peers: readonly PeerRecord[],
    clock: Pick<MailDeps['clock'], 'after'>,
    takeFrom: (peer: PeerRecord) => Promise<PrekeyBundle | 'none' | undefined>,
  ) {
    this.#peers = peers
    this.#clock = clock
    this.#takeFrom = takeFrom
  }

  async result(signal: AbortSignal): Promise<Taken> {
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#done = true
        this.#cancelHedge?.()
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = (): void => {
        end(resolve)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      else
        this.#advance(
          () => end(resolve),
          (error) => end(() => reject(error)),
        )
    })
    return { best: this.#best, answers: this.#answers }
  }

  #advance(resolve: () => void, reject: (error: Error) => void): void {
    if (this.#done) return
    this.#cancelHedge?.()
    const peer = this.#peers[this.#next]
    if (peer === undefined) {
      if (this.#open === 0) resolve()
      return
    }
    this.#next++
    this.#open++
    this.#cancelHedge = this.#clock.after(HEDGE_MS, () => {
      this.#advance(resolve, reject)
    })
    this.#takeFrom(peer).then((bundle) => {
      this.#open--
      if (this.#note(bundle)) resolve()
      else this.#advance(resolve, reject)
    }, reject)
  }

  /** Whether it is what we came for. */
  #note(bundle: PrekeyBundle | 'none' | undefined): boolean {
    if (bundle !== undefined) this.#answers++
    if (bundle === undefined || bundle === 'none') return false
    if (bundle.oneTime !== undefined || newer(bundle.card, this.#best?.card)) this.#best = bundle
    return bundle.oneTime !== undefined
  }
}

function newer(card: PrekeyCard, than: PrekeyCard | undefined): boolean {
  return than === undefined || card.body.number > than.body.number
}
