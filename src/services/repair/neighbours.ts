/**
 * The peers of one round: asked under a deadline, and left alone until the next round once they failed, so that a dead or
 * hostile one costs a round one wait and no more.
 */
import { sleep, withDeadline } from '../../lib/clock.ts'
import { LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'
import { HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Ages } from './ages.ts'
import type { RepairCounters, RepairDeps } from './ports.ts'

/** Dialling and reading a few hundred letters from a disk included. */
const ASK_MS = 5_000
/** Who says that we ask too much is asked again after these pauses. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000] as const
/** Questions that one peer is asked in a round, whatever its answers call for. */
export const REQUESTS_MAX = 2_048

export interface NeighboursInit {
  readonly deps: Pick<RepairDeps, 'clock' | 'network' | 'routing'>
  readonly ages: Ages
  readonly counters: RepairCounters
  readonly signal: AbortSignal
  /** Whether who says that we ask too much is asked again. */
  readonly patient: boolean
}

export class Neighbours {
  readonly #init: NeighboursInit
  readonly #failed = new Set<string>()
  readonly #requests = new Map<string, number>()

  constructor(init: NeighboursInit) {
    this.#init = init
  }

  /** Whether the peer is out for the rest of the round. */
  isOut(peerId: string): boolean {
    return this.#failed.has(peerId)
  }

  /** The peer is not to be asked any more, nor counted: it failed, or what it said cannot be. */
  drop(peerId: string): void {
    if (this.#failed.has(peerId)) return
    this.#failed.add(peerId)
    this.#init.counters.failures++
  }

  /** The peer's answer, or `undefined` where it is out (from now on). Throws only the signal's reason, and faults of ours. */
  async ask(peer: PeerRecord, request: HolderRequest): Promise<HolderResponse | undefined> {
    const { clock } = this.#init.deps
    for (let tries = 0; !this.#failed.has(peer.id); tries++) {
      const response = await this.#once(peer, request)
      if (response?.status !== HOLDER_STATUS.rate) return response
      const pauseMs = this.#init.patient ? PAUSES_MS[tries] : undefined
      if (pauseMs === undefined) this.drop(peer.id)
      else await sleep(clock, pauseMs, this.#init.signal)
    }
    return undefined
  }

  async #once(peer: PeerRecord, request: HolderRequest): Promise<HolderResponse | undefined> {
    const { deps, ages, signal } = this.#init
    signal.throwIfAborted()
    if (!this.#count(peer.id)) return undefined
    try {
      const job = async (inTime: AbortSignal): Promise<HolderResponse> =>
        (await deps.network.link(peer, inTime)).request(request, inTime)
      const response = await withDeadline(deps.clock, ASK_MS, job, signal)
      ages.seen(peer.id)
      deps.routing.learn(peer.id, response.closer)
      return response
    } catch (error) {
      signal.throwIfAborted()
      if (!isFault(error)) throw error
      // Too much is under way on this link: our own doing, it says nothing about the peer.
      if (!(error instanceof LimitError)) deps.routing.evict(peer.id)
      this.drop(peer.id)
      return undefined
    }
  }

  #count(peerId: string): boolean {
    const count = (this.#requests.get(peerId) ?? 0) + 1
    this.#requests.set(peerId, count)
    if (count > REQUESTS_MAX) this.drop(peerId)
    return count <= REQUESTS_MAX
  }
}

function isFault(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof TimeoutError || error instanceof LimitError
}
