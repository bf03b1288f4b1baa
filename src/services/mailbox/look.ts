/**
 * Looks whether letters that we put are still there (protocol §4: the sender is the sixth replica): PROVE at the whole zone,
 * every hash checked against our own ciphertext, so that a claim costs possession.
 */
import { equal, toHex } from '../../lib/bytes.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { DAY_MS } from '../../lib/time.ts'
import { encode } from '../../wire/codec.ts'
import {
  ANSWER_KIND,
  HOLDER_STATUS,
  HOLDER_VERB,
  POSSESSION,
  possessionCodec,
  PROVE_IDS_MAX,
} from '../../wire/holder.ts'
import type { Possession } from '../../wire/holder.ts'
import { receiptCodec } from '../../wire/letter.ts'
import type { Letter, Receipt, Rung } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { possessionHash } from '../../protocol/mailbox-proofs.ts'
import { opens } from '../../protocol/mailbox-rules.ts'
import { ask, isNetworkFault } from './ask.ts'
import type { MailDeps } from './deps.ts'
import type { Zones } from './zones.ts'

/** Questions to one holder about the letters of one address. A holder that answers "later" is asked again about those. */
const ROUNDS_MAX = 32
/** After this long nothing more is asked of one holder: it must not keep the others' answers waiting. */
const PEER_MS_MAX = 6_000
/**
 * A holder that signed for letters and does not have them, while others have: in the mailboxes of so many addresses within a day,
 * and its word counts no more. An owner can have letters dropped at one holder alone, and has two addresses at a time at the most:
 * whoever we write to cannot turn us against holders.
 */
const BROKEN_MAX = 3
const HOLDERS_MAX = 1_024

/** A letter of ours, and who signed for it. */
export interface Sought {
  readonly id: Uint8Array
  readonly letter: Letter
  readonly receipts: readonly Receipt[]
}

/** What the zone showed of one letter. */
export interface Look {
  /** Peer ids of those that have it. */
  readonly holding: readonly string[]
  /** Somebody who knows its preimage has deleted it: whoever reads it, or we. */
  readonly dead: boolean
  /** Who claimed what it could not show. */
  readonly lied: readonly string[]
  /** Holders that said something about it. */
  readonly answers: number
}

interface Tally {
  readonly sought: Sought
  readonly holding: string[]
  readonly lied: string[]
  readonly broken: string[]
  dead: boolean
  answers: number
}

export class Looker {
  readonly #deps: MailDeps
  readonly #zones: Zones
  /** By peer id: addresses (hex). */
  readonly #broken: ExpiringMap<string, ReadonlySet<string>>

  constructor(deps: MailDeps, zones: Zones) {
    this.#deps = deps
    this.#zones = zones
    this.#broken = new ExpiringMap(deps.clock, DAY_MS, HOLDERS_MAX)
  }

  /** What there is of each letter at this rung, in their order. One question to a holder serves 256 letters of one address. */
  async look(letters: readonly Sought[], options: { rung: Rung; signal: AbortSignal }): Promise<readonly Look[]> {
    const tallies = letters.map((sought): Tally => ({
      sought,
      holding: [],
      lied: [],
      broken: [],
      dead: false,
      answers: 0,
    }))
    for (const group of Map.groupBy(tallies, ({ sought }) => toHex(sought.letter.address)).values()) {
      await this.#lookAt(group, options.rung, options.signal)
    }
    for (const tally of tallies) this.#blame(tally)
    return tallies
  }

  async #lookAt(group: readonly Tally[], rung: Rung, signal: AbortSignal): Promise<void> {
    const address = group[0]?.sought.letter.address
    if (address === undefined) return
    try {
      const zone = await this.#zones.of(address, signal, rung)
      const believed = zone.filter(({ id }) => !this.#deps.distrust.has(id))
      const heard = await Promise.all(believed.map(async (peer) => this.#askPeer(peer, group, signal)))
      if (heard.includes(false)) this.#zones.forget(address, rung)
    } catch (error) {
      if (!isNetworkFault(error)) throw error
    }
  }

  /** Whether the holder was heard at all. */
  async #askPeer(peer: PeerRecord, group: readonly Tally[], signal: AbortSignal): Promise<boolean> {
    const until = this.#deps.clock.now() + PEER_MS_MAX
    let open = group
    for (let round = 0; open.length > 0 && round < ROUNDS_MAX && this.#deps.clock.now() < until; round++) {
      const batch = open.slice(0, PROVE_IDS_MAX)
      const nonce = this.#deps.rng.bytes(16)
      const proofs = await this.#prove(peer, batch, nonce, signal)
      if (proofs === undefined) return round > 0
      const later = batch.filter((tally, i) => !this.#judge(peer.id, tally, nonce, proofs[i]))
      if (later.length === batch.length) return true
      open = [...later, ...open.slice(PROVE_IDS_MAX)]
    }
    return true
  }

  async #prove(
    peer: PeerRecord,
    batch: readonly Tally[],
    nonce: Uint8Array,
    signal: AbortSignal,
  ): Promise<readonly Possession[] | undefined> {
    const request = { kind: HOLDER_VERB.prove, body: { nonce, ids: batch.map(({ sought }) => sought.id) } } as const
    try {
      const { status, answer } = await ask(this.#deps, peer, request, signal)
      return status === HOLDER_STATUS.ok && answer.kind === ANSWER_KIND.proofs ? answer.body.proofs : []
    } catch (error) {
      if (isNetworkFault(error)) return undefined
      throw error
    }
  }

  /** Whether that was an answer, and not one put off. */
  #judge(peerId: string, tally: Tally, nonce: Uint8Array, proof: Possession | undefined): boolean {
    if (proof === undefined || proof.kind === POSSESSION.later) return false
    const { letter, receipts } = tally.sought
    tally.answers++
    if (proof.kind === POSSESSION.none) {
      if (receipts.some(({ holder }) => holder === peerId)) tally.broken.push(peerId)
    } else if (proof.kind === POSSESSION.dead) {
      if (opens(this.#deps.crypto, letter.commitment, proof.body.preimage)) tally.dead = true
      else this.#lied(peerId, tally, 'tombstone', proof)
    } else if (equal(proof.body.hash, possessionHash(this.#deps.crypto, nonce, peerId, letter.ciphertext))) {
      tally.holding.push(peerId)
    } else this.#lied(peerId, tally, 'possession', proof)
    return true
  }

  #lied(peerId: string, tally: Tally, kind: 'possession' | 'tombstone', proof: Possession): void {
    tally.lied.push(peerId)
    this.#deps.distrust.note(peerId, kind, encode(possessionCodec, proof))
  }

  /** Who signed and has not what others have, again and again. Once may be a disk that was lost. */
  #blame({ sought, holding, broken, dead }: Tally): void {
    if (dead || holding.length === 0) return
    for (const peerId of broken) {
      const boxes = new Set(this.#broken.get(peerId)).add(toHex(sought.letter.address))
      this.#broken.set(peerId, boxes)
      const receipt = sought.receipts.find(({ holder }) => holder === peerId)
      if (boxes.size < BROKEN_MAX || receipt === undefined) continue
      this.#deps.distrust.note(peerId, 'possession', encode(receiptCodec, receipt))
    }
  }
}
