/**
 * Who of those that connect enters the table. A peer says in identify, over a link that proves it is itself, whether it holds and where
 * it is dialled: the only source of addresses that is believed. Where ids have a price it is met first: a link is opened, and its
 * greeting shows the puzzle.
 */
import type { Clock } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { LiveTable } from '../find/live-table.ts'

/** Meetings a second, and at once after a pause: strangers must not use up the checks that our own questions need. */
const MEETINGS = { perSecond: 5, burst: 64 } as const

export interface AdmissionInit {
  readonly table: LiveTable
  readonly clock: Clock
  readonly isConnected: (peerId: string) => boolean
  /** Whether its id is known to be paid for. */
  readonly isPaid: (peerId: string) => boolean
  /** Opens a link, which checks the price. */
  readonly meet: (peer: PeerRecord) => Promise<unknown>
  /** Somebody is in the table who was not before. */
  readonly onHolder: (peer: PeerRecord, isNew: boolean) => void
}

export class Admission {
  readonly #init: AdmissionInit
  readonly #meetings: RateLimiter

  constructor(init: AdmissionInit) {
    this.#init = init
    this.#meetings = new RateLimiter(MEETINGS, init.clock, 1)
  }

  /** A holder that is connected, with its own word for its addresses. */
  arrived(peer: PeerRecord): void {
    const { table, isPaid } = this.#init
    if (table.isRefused(peer.id)) return
    if (isPaid(peer.id)) this.#admit(peer)
    else {
      table.introduce(peer) // who is not met now may be met by a find
      if (this.#meetings.take('')) void this.#meet(peer)
    }
  }

  #admit(peer: PeerRecord): void {
    const { table, isConnected, onHolder } = this.#init
    const isNew = !table.isLive(peer.id)
    table.seen(peer.id, peer.addresses, isConnected(peer.id))
    onHolder(peer, isNew)
  }

  async #meet(peer: PeerRecord): Promise<void> {
    try {
      await this.#init.meet(peer)
    } catch {
      return // whoever opens links knows what it means
    }
    this.#admit(peer)
  }
}
