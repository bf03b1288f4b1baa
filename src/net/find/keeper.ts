/** Keeps connections to the nearest holders, and looks for nearer ones now and then: it is what the network hangs by. */
import { jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { sleep } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { DIAL_DEADLINE_MS } from '../protocols.ts'
import { within } from '../signals.ts'

const ROUND_MS = 30_000
/** After a change, while there are fewer neighbours than that: the network is young, or we are, or many went. Then twice as long each time. */
const SPARSE_ROUND_MS = 5_000
/** Protection lasts for two minutes: it is renewed in time, and where others became neighbours. */
const PROTECT_EVERY_MS = 60_000
/** Every so many rounds the neighbourhood is searched, not only kept. */
const SEARCH_EVERY_ROUNDS = 10
const SEARCH_DEADLINE_MS = 10_000
/** After a change, before looking: peers come in bursts. */
const SETTLE_MS = 500

export interface KeeperInit {
  /** Nearest holders that we stay connected to. */
  readonly neighbours: number
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly near: (count: number) => readonly PeerRecord[]
  readonly search: (count: number, signal: AbortSignal) => Promise<unknown>
  /** Whether somebody unheard of may be nearer. */
  readonly searchDue: (count: number) => boolean
  readonly isConnected: (peerId: string) => boolean
  readonly connect: (peer: PeerRecord, signal: AbortSignal) => Promise<unknown>
  /** Tells libp2p to prune others first. */
  readonly protect: (peerIds: readonly string[]) => Promise<void>
  /** Runs at the end of every round. */
  readonly onRound: () => Promise<void>
}

export class Keeper implements Startable {
  readonly #init: KeeperInit
  #stopped = new AbortController()
  #pause = new AbortController()
  #searchDue = true
  #quietRounds = 0
  #protected = { names: '', atMs: 0 }
  #done: Promise<void> = Promise.resolve()

  constructor(init: KeeperInit) {
    this.#init = init
  }

  start(): void {
    this.#stopped = new AbortController()
    this.#done = this.#run(this.#stopped.signal)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#done
  }

  /** The neighbourhood may have changed: look soon. */
  nudge(): void {
    this.#searchDue = true
    this.#quietRounds = 0
    this.#pause.abort()
  }

  async #run(stopped: AbortSignal): Promise<void> {
    for (let round = 0; !stopped.aborted; round++) {
      try {
        if (this.#searchDue || round % SEARCH_EVERY_ROUNDS === 0 || this.#init.searchDue(this.#init.neighbours))
          await this.#search(stopped)
        await this.#keep(stopped)
        await this.#init.onRound()
      } catch (error) {
        if (!stopped.aborted) this.#init.log.debug('keeping neighbours failed', { error: nameOf(error) })
      }
      await this.#wait(jitterMs(this.#pauseMs(), 0.2, this.#init.rng), stopped)
    }
  }

  async #search(stopped: AbortSignal): Promise<void> {
    this.#searchDue = false
    await this.#init.search(this.#init.neighbours, within(SEARCH_DEADLINE_MS, stopped))
  }

  async #keep(stopped: AbortSignal): Promise<void> {
    const near = this.#init.near(this.#init.neighbours)
    await Promise.all(near.map(async (peer) => this.#connect(peer, stopped)))
    await this.#protect(near.map((peer) => peer.id))
  }

  async #protect(peerIds: readonly string[]): Promise<void> {
    const now = this.#init.clock.now()
    const names = peerIds.toSorted().join(' ')
    if (names === this.#protected.names && now - this.#protected.atMs < PROTECT_EVERY_MS) return
    this.#protected = { names, atMs: now }
    await this.#init.protect(peerIds)
  }

  #pauseMs(): number {
    const sparse = this.#init.near(this.#init.neighbours).length < this.#init.neighbours
    return sparse ? Math.min(ROUND_MS, SPARSE_ROUND_MS * 2 ** this.#quietRounds++) : ROUND_MS
  }

  async #connect(peer: PeerRecord, stopped: AbortSignal): Promise<void> {
    if (this.#init.isConnected(peer.id)) return
    try {
      await this.#init.connect(peer, within(DIAL_DEADLINE_MS, stopped))
    } catch (error) {
      this.#init.log.debug('a neighbour did not answer', { error: nameOf(error) })
    }
  }

  async #wait(delayMs: number, stopped: AbortSignal): Promise<void> {
    if (!this.#searchDue) {
      this.#pause = new AbortController()
      await sleep(this.#init.clock, delayMs, AbortSignal.any([stopped, this.#pause.signal])).catch(() => {})
    }
    await sleep(this.#init.clock, SETTLE_MS, stopped).catch(() => {})
  }
}
