/** Links to holders: one per peer, opened when needed, kept while used. */
import type { Clock } from '../../lib/clock.ts'
import { NetworkError } from '../../lib/errors.ts'
import type { Deposit } from '../../wire/letter.ts'
import type { HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Dialer } from '../dialer.ts'
import { StreamLink, UnpaidError } from './holder-link.ts'
import type { LinkHooks } from './holder-link.ts'
import type { PushListener } from '../ports.ts'
import { LINKS_MAX, LINK_DEADLINE_MS } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'
import { orAborted, within } from '../signals.ts'

export interface HolderClientHooks {
  /** The peer answered: it lives, and it named peers nearer to what was asked. */
  readonly onAnswer: (peerId: string, response: HolderResponse) => void
  /** It could not be reached, does not speak the protocol, or froze. */
  readonly onFailure: (peer: PeerRecord) => void
  /** It has a link, and a question timed out while nothing at all came back. */
  readonly onFrozen: (peerId: string) => void
  /** Whether the puzzle that it greeted with is the one under its id. */
  readonly isPaid: LinkHooks['isPaid']
  /** It was not. */
  readonly onUnpaid: (peerId: string) => void
}

export class HolderClient {
  readonly #dialer: Dialer
  readonly #limits: ProtocolLimits
  readonly #clock: Clock
  readonly #hooks: HolderClientHooks
  /** In the order of use, the longest unused first. */
  readonly #links = new Map<string, StreamLink>()
  readonly #opening = new Map<string, Promise<StreamLink>>()
  readonly #pushListeners = new Set<PushListener>()
  readonly #stopped = new AbortController()

  constructor(dialer: Dialer, limits: ProtocolLimits, clock: Clock, hooks: HolderClientHooks) {
    this.#dialer = dialer
    this.#limits = limits
    this.#clock = clock
    this.#hooks = hooks
  }

  /** The returned function ends it. */
  onPush(listener: PushListener): () => void {
    this.#pushListeners.add(listener)
    return () => {
      this.#pushListeners.delete(listener)
    }
  }

  /** The link to this holder. Throws NetworkError or TimeoutError. */
  async link(peer: PeerRecord, signal: AbortSignal): Promise<StreamLink> {
    const open = this.#links.get(peer.id)
    if (open?.alive === true) {
      this.#links.delete(peer.id)
      this.#links.set(peer.id, open)
      return open
    }
    return orAborted(this.#opening.get(peer.id) ?? this.#begin(peer), signal)
  }

  stop(): void {
    this.#stopped.abort(new NetworkError('the host stops'))
    for (const link of this.#links.values()) link.close(new NetworkError('the host stops'))
  }

  /** One opening serves all who ask meanwhile, under a deadline of its own: none of them may spoil it for the others. */
  async #begin(peer: PeerRecord): Promise<StreamLink> {
    const opening = this.#open(peer)
    this.#opening.set(peer.id, opening)
    try {
      return await opening
    } catch (error) {
      if (error instanceof UnpaidError) this.#hooks.onUnpaid(peer.id)
      else this.#hooks.onFailure(peer)
      throw error
    } finally {
      this.#opening.delete(peer.id)
    }
  }

  async #open(peer: PeerRecord): Promise<StreamLink> {
    const signal = within(LINK_DEADLINE_MS, this.#stopped.signal)
    const { stream } = await this.#dialer.open(peer, this.#limits.id, signal)
    const link = new StreamLink(peer.id, stream, this.#limits, this.#clock, this.#linkHooks())
    await link.open(signal)
    this.#makeRoom()
    this.#links.set(peer.id, link)
    return link
  }

  #linkHooks(): LinkHooks {
    return {
      onPush: (peerId: string, deposit: Deposit) => {
        for (const listener of this.#pushListeners) listener(peerId, deposit)
      },
      onAnswer: this.#hooks.onAnswer,
      isPaid: this.#hooks.isPaid,
      onFrozen: this.#hooks.onFrozen,
      onEnd: (link) => {
        if (this.#links.get(link.peerId) === link) this.#links.delete(link.peerId)
      },
    }
  }

  #makeRoom(): void {
    if (this.#links.size < LINKS_MAX) return
    for (const link of this.#links.values()) {
      if (link.pending > 0) continue
      link.close(new NetworkError('the link was not used'))
      return
    }
  }
}
