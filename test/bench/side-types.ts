/** What a side of a bench is that lives in a process of its own, and what the two processes say to each other. */
import type { Sample } from './harness.ts'

/** Mailboxes and keys that are written in turn. */
export const KEYS = 24
/** Work that is under way at the same time, where it is not one after another. */
export const LANES = 2

/** A side's work, opened in its process with the arguments of the bench. */
export interface BenchSide {
  /** What other processes of the same network need: where to join. */
  readonly info: string
  /** `count` pieces of the work called `order`; what they took, by metric. */
  turn(order: string, count: number): Promise<Sample>
  close(): Promise<void>
}

export type OpenSide = (args: readonly string[]) => Promise<BenchSide>

/** From the bench to a side's process. */
export interface SideOrder {
  readonly order: string
  readonly count: number
}

/** And back: when it stands, then one for each order. */
export type SideReport =
  | { readonly kind: 'ready'; readonly info: string }
  | { readonly kind: 'done'; readonly sample: Sample }
  | { readonly kind: 'failed'; readonly text: string }
