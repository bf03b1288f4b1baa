/** Bounds and times of the outbox, each with its reason. */
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'

/** Items that wait at once: past this, sending is refused rather than memory filled. */
export const OUTBOX_ITEMS_MAX = 20_000
/** How long a direct acknowledgement may take before the letter goes to holders (protocol §5: a budget of about 2 s). */
export const DIRECT_BUDGET_MS = 2_000
/** After a dial that failed, the mailbox goes first for this long, unless the peer shows itself. */
export const DIRECT_PAUSE_MS = 20_000
/** Envelopes on one direct stream without an acknowledgement: enough to fill a round trip of 100 ms at 2,500/s. */
export const DIRECT_WINDOW = 256
/** Items of one device that are sealed before the first of them is written. */
export const SEALED_AHEAD_MAX = 32
/** Letters being put at once, over all contacts. */
export const PUTS_AT_ONCE = 16
/** A put that gathered no W receipts is tried again. */
export const PUT_BACKOFF = { firstMs: 1_000, maxMs: 30_000, factor: 2 } as const
/** A put may take this long over all of its holders. */
export const PUT_BUDGET_MS = 15_000
/** A stamp may take this long: minutes on a slow core, for a large letter of a month. */
export const STAMP_BUDGET_MS = 600_000
/** When a stored letter is looked after again (protocol §4): the sender is the sixth replica. */
export const RECHECK_MS = [HOUR_MS, 6 * HOUR_MS, DAY_MS] as const
/** Stored items of one device that come due within this time are looked at together. */
export const LOOK_AHEAD_MS = 10 * 60_000
/** How long a look waits for others of the same device. */
export const LOOK_GATHER_MS = 100
/** Letters in one look, and their bytes in memory. */
export const LOOK_ITEMS_MAX = 256
export const LOOK_BYTES_MAX = 4 * 1_024 * 1_024
/** Devices whose letters are looked for at the same time, and the pause after each: 5,000 that are due at once are no storm. */
export const LOOKS_AT_ONCE = 2
export const LOOK_PAUSE_MS = 100
/** Looks in a row that find fewer than W, from which on the letter goes to the next rung: the second follows a re-put. */
export const AUDITS_MAX = 2
/** Puts in a row that gather fewer than W receipts, and how long they go on, until the next rung is tried as well. */
export const SHORT_PUTS_MAX = 3
export const SHORT_PUTS_MS = HOUR_MS
/** A stamp for a full box is made dearer by this many bits, at most so many times. */
export const RESTAMP_BITS = 2
export const RESTAMPS_MAX = 2
/** Messages taken back whose direct acknowledgement may still come. */
export const TAKEN_BACK_MAX = 1_024
/** How long a message waits for its receipt before it is reported as expired. */
export const MESSAGE_LIFE_MS = 30 * DAY_MS
/** After a write that failed nothing is tried for this long: a full disk must not cost a core as well. */
export const DISK_PAUSE_MS = 1_000
/** An item whose contact cannot be written to (no grant yet, changed keys) is looked at again this often. */
export const UNREADY_MS = 60_000
/** Steps kept for `msg why`; the oldest after the first go. */
export const TRACE_MAX = 24
/** Signed receipts of distinct holders that make a letter stored (protocol §4). */
export const W = 3
