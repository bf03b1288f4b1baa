/** Who is carried to whom, within the budget. No I/O. */
import type { RelayBudget } from '../../lib/roles.ts'

export class Circuits {
  readonly #budget: Pick<RelayBudget, 'circuitsMax' | 'circuitsPerPeerMax'>
  readonly #ofPeer = new Map<string, Set<Circuit>>()
  readonly #all = new Set<Circuit>()

  constructor(budget: Pick<RelayBudget, 'circuitsMax' | 'circuitsPerPeerMax'>) {
    this.#budget = budget
  }

  get size(): number {
    return this.#all.size
  }

  /** A place for one more circuit, to be given back; `undefined` where there is none. */
  take(source: string, destination: string, cut: () => void): { end(): void } | undefined {
    const { circuitsMax, circuitsPerPeerMax } = this.#budget
    if (this.#all.size >= circuitsMax) return undefined
    if (this.#count(source) >= circuitsPerPeerMax || this.#count(destination) >= circuitsPerPeerMax) return undefined
    const circuit: Circuit = { ends: [source, destination], cut }
    this.#all.add(circuit)
    for (const end of circuit.ends) this.#ofPeer.set(end, (this.#ofPeer.get(end) ?? new Set()).add(circuit))
    return {
      end: () => {
        this.#drop(circuit)
      },
    }
  }

  /** Cuts every circuit. */
  cutAll(): void {
    for (const circuit of this.#all) circuit.cut()
  }

  #count(peerId: string): number {
    return this.#ofPeer.get(peerId)?.size ?? 0
  }

  #drop(circuit: Circuit): void {
    this.#all.delete(circuit)
    for (const end of circuit.ends) {
      const left = this.#ofPeer.get(end)
      left?.delete(circuit)
      if (left?.size === 0) this.#ofPeer.delete(end)
    }
  }
}

interface Circuit {
  readonly ends: readonly [string, string]
  readonly cut: () => void
}
