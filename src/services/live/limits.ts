/** How often, and for how long. */

/** That the user types is said again after this time at the earliest, and holds for so long where nothing more is said. */
export const TYPING_EVERY_MS = 3_000
export const TYPING_MS = 6_000
/** Who was told that we are online hears so often that the stream is alive. */
export const BEAT_MS = 25_000
/** Whoever was online and was not heard for so long is not: two beats and some delay (PR-01: 60 s). */
export const SILENCE_MS = 55_000
/** Live signals taken from one peer: two people never say more. */
export const LIVE_RATE = { perSecond: 1, burst: 10 }
/** Attempts to tell a peer that we are online: a session may not be in use yet, and nothing more may come on the stream. */
export const GREET_RATE = { perSecond: 0.5, burst: 2 }
export const GREET_AGAIN_MS = 2_000
export const GREETS_AGAIN_MAX = 5
/** A peer id that several contacts claim is tried for so many of them, once for each. */
export const CLAIMS_MAX = 4
/** Nor is it said anew to a place that heard it so recently. */
export const GREET_ANEW_MS = 10_000
export const SEND_MS = 5_000
