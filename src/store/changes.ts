/** What is written to a database and how it is walked over. A leaf: only types. */

/** One change. Keys come from `bucketKey` or from a vault. */
export type StoreOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly track?: Tracker }
  | { readonly type: 'del'; readonly key: Uint8Array; readonly track?: Tracker }

/** Keeps what memory holds in step with a change. Only `accepted` may throw: the whole batch is refused then. */
export interface Tracker {
  /** The batch is about to be taken on: reads see it from now on. */
  accepted(): void
  /** It is on the disk. */
  committed(): void
  /** It is not. */
  failed(): void
}

/** Bounds of a walk; `lt` leaves its own key out. */
export interface WalkRange {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}
export type Entry = readonly [key: Uint8Array, value: Uint8Array]
