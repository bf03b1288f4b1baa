export interface EventView {
  readonly number: number
  readonly at: string
  readonly type: string
  readonly data: unknown
}

/** A reader that the daemon remembers: what it has acknowledged is never handed to it again. */
export interface ConsumerView {
  readonly name: string
  /** The highest number that it acknowledged. */
  readonly acknowledged: number
  readonly createdAt: string
  readonly seenAt: string
}

export interface EventsPart {
  /** Numbered events after `since`, oldest first; `first` is the oldest number still kept. */
  eventsSince(since: number, limit: number): Promise<{ events: readonly EventView[]; first: number; last: number }>
  /** Calls back whenever a new event was committed; the returned function ends it. */
  onEvent(listener: (number: number) => void): () => void
  consumers(): Promise<readonly ConsumerView[]>
  /** The consumer, made at the end of the log (or at `from`) where it is new. Throws LimitError above 64 of them. */
  consumer(name: string, input?: { from?: number }): Promise<ConsumerView>
  /** Synced before it answers; never goes back. Throws UsageError for a number that was not reached yet. */
  acknowledge(name: string, number: number): Promise<ConsumerView>
  removeConsumer(name: string): Promise<void>
}
