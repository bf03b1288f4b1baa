/** Cards in the network: published on the five nearest holders, read from many of them, the highest good one wins. */
import { equal, toHex } from '../../lib/bytes.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { CardRecord, HolderResponse } from '../../wire/holder.ts'
import type { Policy, Receipt } from '../../wire/letter.ts'
import { POLICY_LANES } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { receiptHolds } from '../../protocol/mailbox-proofs.ts'
import {
  cardExpiryMs,
  cardHash,
  cardHolds,
  cardKey,
  cardVersion,
  compareVersions,
  epochKey,
  epochsToPublish,
  laneOf,
  policyExpiryHour,
  policyTakesPuts,
  signPolicy,
} from '../../protocol/mailbox-rules.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import { policyBlind } from '../../protocol/policy-blind.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import { tryAsk } from './ask.ts'
import type { MailDeps } from './deps.ts'
import { walk } from './walk.ts'
import type { Attempt } from './walk.ts'
import type { Zones } from './zones.ts'

/** Answers that a read waits for: one more than half of the holders that a card is written to, twice over. */
const READ_ANSWERS = 5

/** How a card was taken. `stale`: some holder knows a higher number; then ours is not the newest. */
export interface Published {
  readonly receipts: readonly Receipt[]
  readonly stale: boolean
}

/** What the network says about a key. `complete`: three holders or more have answered, or all that there are. */
export interface Fetched {
  readonly record: CardRecord | undefined
  readonly answers: number
  readonly complete: boolean
}

/** What an owner says about its mailbox in all epochs that are published. */
export interface PolicyOrder {
  readonly mailboxSeed: Uint8Array
  readonly number: number
  readonly stampBits: number
  /** The lane seeds of everyone who may write, at most 256. */
  readonly laneSeeds: readonly Uint8Array[]
}

export class Cards {
  readonly #deps: MailDeps
  readonly #zones: Zones
  /** The policies published last, by mailbox address (hex). */
  readonly #policies = new Map<string, CardRecord>()

  constructor(deps: MailDeps, zones: Zones) {
    this.#deps = deps
    this.#zones = zones
  }

  /** Puts the card on the nearest holders. Stored at {@link WRITE_QUORUM} receipts. */
  async publish(record: CardRecord, signal: AbortSignal): Promise<Published> {
    const key = cardKey(this.#deps.crypto, record)
    const hash = cardHash(this.#deps.crypto, record)
    const receipts: Receipt[] = []
    let stale = false
    const attempt = async (peer: PeerRecord): Promise<Attempt> => {
      const response = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.putCard, body: record }, signal)
      if (response === undefined) return { stored: false, closer: [] }
      if (response.status === HOLDER_STATUS.stale) stale = true
      const receipt = this.#receipt(peer.id, hash, response)
      if (receipt !== undefined) receipts.push(receipt)
      return { stored: receipt !== undefined, closer: response.closer }
    }
    await walk(this.#deps, {
      address: key,
      zone: await this.#zones.of(key, signal),
      exclude: [this.#deps.routing.self().id],
      shuns: (peerId) => this.#deps.distrust.has(peerId),
      attempt,
      signal,
    })
    if (receipts.length < WRITE_QUORUM) this.#zones.forget(key)
    return { receipts, stale }
  }

  /**
   * The newest good card at `key`. Forged, foreign and expired ones do not count, whoever sends them. `whole`: everybody in the zone
   * is waited for, so that a few who show an old one cannot pass it off.
   */
  async fetch(key: Uint8Array, signal: AbortSignal, options: { readonly whole?: boolean } = {}): Promise<Fetched> {
    const zone = await this.#zones.of(key, signal)
    let best: CardRecord | undefined
    let answers = 0
    const enough = Math.min(READ_ANSWERS, zone.length)
    const one = async (peer: PeerRecord): Promise<void> => {
      const response = await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.getCard, body: { key } }, signal)
      if (response === undefined) return
      answers++
      const record = response.answer.kind === ANSWER_KIND.card ? response.answer.body : undefined
      if (record !== undefined && this.#better(key, record, best)) best = record
    }
    await race(zone, one, () => options.whole !== true && answers >= enough && best !== undefined)
    if (answers < enough) this.#zones.forget(key)
    return { record: best, answers, complete: answers >= Math.min(WRITE_QUORUM, zone.length) && zone.length > 0 }
  }

  /** Signs and publishes the policies of the mailbox for the last epoch, this one and the next five. */
  async publishPolicies(order: PolicyOrder, signal: AbortSignal): Promise<readonly Published[]> {
    const { clock, profile } = this.#deps
    const results: Published[] = []
    for (const epoch of epochsToPublish(clock.now(), profile)) {
      // That of the last epoch lets nobody write after the overlap.
      if (!policyTakesPuts(policyExpiryHour(epoch, profile), clock.now(), profile)) continue
      const key = epochKey(this.#deps.crypto, order.mailboxSeed, epoch)
      const record = { kind: CARD_KIND.policy, body: await this.#policy(order, key) } as const
      this.#policies.set(toHex(key.address), record)
      results.push(await this.publish(record, signal))
    }
    this.#forgetExpired()
    return results
  }

  /**
   * Puts the policy of a mailbox of ours on a holder that may not have it, being new or having lost it: without it nobody
   * can write there. One that has it answers without looking at the signature. Does not throw for the network.
   */
  async bringPolicy(peer: PeerRecord, address: Uint8Array, signal: AbortSignal): Promise<void> {
    const record = this.#policies.get(toHex(address))
    if (record !== undefined) await tryAsk(this.#deps, peer, { kind: HOLDER_VERB.putCard, body: record }, signal)
  }

  #forgetExpired(): void {
    const now = this.#deps.clock.now()
    for (const [address, record] of this.#policies) if (cardExpiryMs(record) <= now) this.#policies.delete(address)
  }

  async #policy(order: PolicyOrder, key: EpochKey): Promise<Policy> {
    const { crypto, profile } = this.#deps
    const lanes = order.laneSeeds.slice(0, POLICY_LANES).map((seed) => laneOf(crypto, seed, key.epoch))
    const { numberOffset, filler } = policyBlind(crypto, key, lanes.length)
    const expiry = policyExpiryHour(key.epoch, profile)
    return signPolicy(crypto, {
      key,
      number: numberOffset + order.number,
      expiry,
      stampBits: order.stampBits,
      lanes,
      filler,
    })
  }

  #better(key: Uint8Array, record: CardRecord, best: CardRecord | undefined): boolean {
    const { crypto, clock } = this.#deps
    if (!equal(cardKey(crypto, record), key)) return false
    if (best !== undefined && compareVersions(cardVersion(crypto, record), cardVersion(crypto, best)) <= 0) return false
    return cardHolds(crypto, record, clock.now())
  }

  #receipt(peerId: string, hash: Uint8Array, response: HolderResponse): Receipt | undefined {
    if (response.status !== HOLDER_STATUS.ok || response.answer.kind !== ANSWER_KIND.receipt) return undefined
    const publicKey = this.#deps.peers.publicKey(peerId)
    if (publicKey === undefined) return undefined
    const receipt = response.answer.body
    return receiptHolds(this.#deps.crypto, publicKey, peerId, hash, receipt) ? receipt : undefined
  }
}

/** Asks all at once and resolves when `enough()` says so after an answer, or when all have settled. */
async function race(
  peers: readonly PeerRecord[],
  one: (peer: PeerRecord) => Promise<void>,
  enough: () => boolean,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let open = peers.length
    if (open === 0) resolve()
    const settled = (): void => {
      open--
      if (open === 0 || enough()) resolve()
    }
    for (const peer of peers) one(peer).then(settled, reject)
  })
}
