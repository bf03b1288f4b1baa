/**
 * Writing to the nearest holders: the first five at once, the next of the zone for each that fails, is full or is slow.
 * Nearer peers that an answer names are taken in, so that a stale idea of the zone corrects itself.
 */
import { nameOf } from '../../lib/errors.ts'
import type { Rung } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { byDistance, REPLICAS, rungPlacement, WRITE_QUORUM, ZONE_SIZE, zoneOf } from '../../protocol/replicas.ts'
import type { MailDeps } from './deps.ts'

/** After this long without an answer another holder is asked as well; the late answer still counts. */
const HEDGE_MS = 400
/** Peers that one walk asks at most, whatever the answers name. */
const ATTEMPTS_MAX = 30

/** How one holder took it, and whom it named. */
export interface Attempt {
  readonly stored: boolean
  readonly closer: readonly PeerRecord[]
}

export interface WalkPlan {
  /** Address or key that the zone is about, not hashed. */
  readonly address: Uint8Array
  /** Which of the address's zones; the first where none is given. */
  readonly rung?: Rung
  /** Peers to begin with. */
  readonly zone: readonly PeerRecord[]
  /** Peers that are only asked where fewer than W others are left. */
  readonly exclude: readonly string[]
  /** Peers that were caught lying: as those. */
  readonly shuns?: (peerId: string) => boolean
  /** What it throws counts as a failure of that holder. */
  readonly attempt: (peer: PeerRecord) => Promise<Attempt>
  readonly signal: AbortSignal
}

interface Candidate {
  readonly peerId: string
  readonly position: Uint8Array
  readonly addresses: readonly string[]
}

/** Ends when five holders stored it and none nearer is left to ask, when nobody is left, or when the signal says so. */
export async function walk(deps: MailDeps, plan: WalkPlan): Promise<void> {
  const walker = new Walker(deps, plan)
  await walker.run()
}

class Walker {
  readonly #deps: MailDeps
  readonly #plan: WalkPlan
  readonly #target: Uint8Array
  readonly #known = new Map<string, Candidate>()
  readonly #tried = new Set<string>()
  readonly #failed = new Set<string>()
  /** Who may be asked, nearest first; drawn up anew when peers were named. */
  #order: readonly Candidate[] | undefined
  #stored = 0
  #waiting = 0
  #slow = 0
  #finish: () => void = () => {}

  constructor(deps: MailDeps, plan: WalkPlan) {
    this.#deps = deps
    this.#plan = plan
    this.#target = rungPlacement(deps.crypto, plan.address, plan.rung ?? 0)
    this.#add(plan.zone)
  }

  async run(): Promise<void> {
    if (this.#plan.signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#plan.signal.removeEventListener('abort', done)
        this.#finish = () => {}
        resolve()
      }
      this.#finish = done
      this.#plan.signal.addEventListener('abort', done, { once: true })
      this.#pump()
    })
  }

  #add(peers: readonly PeerRecord[]): void {
    const self = this.#deps.routing.self().id
    for (const { id, addresses } of peers) {
      const position = this.#deps.peers.position(id)
      if (id === self || position === undefined || this.#known.has(id)) continue
      this.#known.set(id, { peerId: id, position, addresses })
      this.#order = undefined
    }
  }

  /** Starts attempts until enough are under way. */
  #pump(): void {
    for (;;) {
      const next = this.#next()
      if (next === undefined) break
      this.#start(next)
    }
    if (this.#stored >= REPLICAS || this.#waiting === 0) this.#finish()
  }

  #next(): Candidate | undefined {
    if (this.#plan.signal.aborted || this.#tried.size >= ATTEMPTS_MAX) return undefined
    const wanted = REPLICAS - this.#stored - (this.#waiting - this.#slow)
    this.#order ??= this.#inOrder()
    const order = this.#order
    const scope = wanted > 0 ? order : order.filter(({ peerId }) => !this.#failed.has(peerId)).slice(0, REPLICAS)
    return scope.find(({ peerId }) => !this.#tried.has(peerId))
  }

  #inOrder(): readonly Candidate[] {
    const all = byDistance(this.#target, [...this.#known.values()])
    const { exclude, shuns } = this.#plan
    const others = all.filter(({ peerId }) => !exclude.includes(peerId) && shuns?.(peerId) !== true)
    const allowed =
      others.length >= WRITE_QUORUM ? others : [...others, ...all.filter((peer) => !others.includes(peer))]
    return this.#deps.profile.diversity ? zoneOf(allowed) : allowed.slice(0, ZONE_SIZE)
  }

  #start(candidate: Candidate): void {
    this.#tried.add(candidate.peerId)
    this.#waiting++
    let slow = false
    const cancel = this.#deps.clock.after(HEDGE_MS, () => {
      slow = true
      this.#slow++
      this.#pump()
    })
    void this.#attempt(candidate).then((stored) => {
      cancel()
      this.#waiting--
      if (slow) this.#slow--
      if (stored) this.#stored++
      else this.#failed.add(candidate.peerId)
      return this.#pump()
    })
  }

  async #attempt({ peerId, addresses }: Candidate): Promise<boolean> {
    try {
      const { stored, closer } = await this.#plan.attempt({ id: peerId, addresses })
      this.#add(closer)
      return stored
    } catch (error) {
      this.#deps.log.error('an attempt failed', { error: nameOf(error) })
      return false
    }
  }
}
