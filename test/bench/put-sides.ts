/** What either side of the put bench is, and what its process says to the bench. */

/** A network of nodes in one process, and one client in it that puts. */
export interface PutSide {
  /** One put, under a key that was written before. Wall ms until it counts as stored, and until it is over. */
  put(index: number): Promise<PutTimes>
  close(): Promise<void>
}

export interface PutTimes {
  readonly storedMs: number
  readonly wholeMs: number
}

export type SideName = 'sotto' | 'hyperdht'

/** From the bench to a side's process. */
export interface PutOrder {
  readonly puts: number
}

/** And back: when it stands, then one for each order. */
export type PutReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly times: readonly PutTimes[]; readonly cpuMs: number }
  | { readonly kind: 'failed'; readonly text: string }

/** Keys that are written in turn. */
export const KEYS = 8
