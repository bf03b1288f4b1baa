/**
 * Who is carried to whom, within the budget. Ids are free and networks are not: where all is taken, whoever's network has least gets
 * a place from the one that has most, so that no stranger keeps others out. No I/O.
 */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { RelayBudget } from '../../lib/roles.ts'
import type { Line } from './carry.ts'

/** Between the same two peers; a third takes the place of the one that was silent longest. */
const BETWEEN_TWO_MAX = 2
/** So long a circuit stays where the others have no more than one less. */
const SETTLED_MS = 60_000
/** Networks remembered that were carried somewhere a moment ago. */
const LEFT_MAX = 4_096

/** Who wants to be carried. */
interface Caller {
  readonly id: string
  /** The public network that it connects from (`wideNetwork`); `undefined` where it is private. */
  readonly network: string | undefined
}

/** A place, to be given back. */
export interface Place {
  /** Bytes passed. */
  moved(): void
  end(): void
}

interface Circuit {
  readonly source: string
  readonly network: string
  readonly destination: string
  readonly line: Line
  /** Since when its network is carried there, pauses of less than a minute included: a circuit made anew is no newcomer. */
  readonly sinceMs: number
  movedAtMs: number
}

export class Circuits {
  readonly #budget: Pick<RelayBudget, 'circuitsMax' | 'circuitsPerPeerMax'>
  readonly #clock: Clock
  readonly #all = new Set<Circuit>()
  /** Since when who left a moment ago had been carried, by network and destination. */
  readonly #left: ExpiringMap<string, number>

  constructor(budget: Pick<RelayBudget, 'circuitsMax' | 'circuitsPerPeerMax'>, clock: Clock) {
    this.#budget = budget
    this.#clock = clock
    this.#left = new ExpiringMap(clock, SETTLED_MS, LEFT_MAX)
  }

  get size(): number {
    return this.#all.size
  }

  /** A place for one more circuit; `undefined` where there is none. Another one may be cut for it. */
  take({ id: source, network = source }: Caller, destination: string, line: Line): Place | undefined {
    const sinceMs = this.#since(network, destination)
    const circuit: Circuit = { source, network, destination, line, sinceMs, movedAtMs: this.#clock.now() }
    if (!this.#makeRoom(circuit)) return undefined
    this.#all.add(circuit)
    return {
      moved: () => {
        circuit.movedAtMs = this.#clock.now()
      },
      end: () => {
        this.#remove(circuit)
      },
    }
  }

  /** Cuts every circuit. */
  cutAll(): void {
    for (const circuit of this.#all) this.#cut(circuit)
  }

  /** Cuts those that hold most until all together hold no more than that. */
  relieve(heldBytesMax: number): void {
    const holding = [...this.#all].map((circuit) => ({ circuit, bytes: circuit.line.held() }))
    let held = holding.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { circuit, bytes } of holding.toSorted((a, b) => b.bytes - a.bytes)) {
      if (held <= heldBytesMax) return
      this.#cut(circuit)
      held -= bytes
    }
  }

  #makeRoom(wanted: Circuit): boolean {
    const { circuitsMax, circuitsPerPeerMax } = this.#budget
    const all = [...this.#all]
    const own = all.filter(({ source }) => source === wanted.source)
    const same = own.filter(({ destination }) => destination === wanted.destination)
    if (same.length >= BETWEEN_TWO_MAX) return this.#cut(longestSilent(same))
    if (!isTrial(wanted)) {
      if (own.filter((circuit) => !isTrial(circuit)).length >= circuitsPerPeerMax) return false
      const there = all.filter((circuit) => circuit.destination === wanted.destination && !isTrial(circuit))
      if (there.length >= circuitsPerPeerMax) return this.#cut(this.#richest(there, wanted))
    }
    return all.length < circuitsMax || this.#cut(this.#richest(all, wanted))
  }

  #since(network: string, destination: string): number {
    const there = [...this.#all].find((circuit) => circuit.network === network && circuit.destination === destination)
    return there?.sinceMs ?? this.#left.get(keyOf({ network, destination })) ?? this.#clock.now()
  }

  /** Once; its place is free at once. */
  #remove(circuit: Circuit): void {
    if (this.#all.delete(circuit)) this.#left.set(keyOf(circuit), circuit.sinceMs)
  }

  /** Whose network (within one network: who) has most more than the one who asks; of these the longest silent. */
  #richest(circuits: readonly Circuit[], wanted: Circuit): Circuit | undefined {
    const count = countBy(circuits)
    const settledAtMs = this.#clock.now() - SETTLED_MS
    const leads = circuits.map((circuit) => {
      const by = circuit.network === wanted.network ? 'source' : 'network'
      return { circuit, lead: count(by, circuit[by]) - count(by, wanted[by]) }
    })
    const open = leads.filter(({ circuit, lead }) => lead > 1 || (lead === 1 && circuit.sinceMs <= settledAtMs))
    const most = Math.max(...open.map(({ lead }) => lead))
    return longestSilent(open.filter(({ lead }) => lead === most).map(({ circuit }) => circuit))
  }

  /** Whether there was one to cut. */
  #cut(circuit: Circuit | undefined): boolean {
    if (circuit === undefined) return false
    this.#remove(circuit)
    circuit.line.cut()
    return true
  }
}

/** A peer sees whether its place is one: nobody's circuits are fewer for that. */
function isTrial({ source, destination }: Pick<Circuit, 'source' | 'destination'>): boolean {
  return source === destination
}

function keyOf({ network, destination }: Pick<Circuit, 'network' | 'destination'>): string {
  return `${network} ${destination}`
}

function countBy(circuits: readonly Circuit[]): (by: 'source' | 'network', value: string) => number {
  const counts = { source: new Map<string, number>(), network: new Map<string, number>() }
  for (const circuit of circuits) {
    for (const by of ['source', 'network'] as const) counts[by].set(circuit[by], (counts[by].get(circuit[by]) ?? 0) + 1)
  }
  return (by, value) => counts[by].get(value) ?? 0
}

function longestSilent(circuits: readonly Circuit[]): Circuit | undefined {
  return circuits.toSorted((a, b) => a.movedAtMs - b.movedAtMs)[0]
}
