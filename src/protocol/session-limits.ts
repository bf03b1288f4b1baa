/** Every number that bounds a session, with its reason. One place, so that a reader can judge them together. */
import { DAY_MS } from '../lib/time.ts'

export interface SessionLimits {
  /** Message keys that one chain may be ahead of what has arrived. */
  readonly skipMax: number
}

/**
 * 1,000: a mailbox lane takes 200 letters a day, so this is five days of loss in one chain, at a cost of 2,000 HMACs
 * (about 5 ms) that only someone who holds the chain's header key can cause.
 */
export const SKIP_MAX = 1_000
export const DEFAULT_SESSION_LIMITS: SessionLimits = { skipMax: SKIP_MAX }

/** 2,000 keys of 44 bytes kept over all chains of a session: the largest gap before and after one turn; the oldest go. */
export const SKIPPED_KEYS_MAX = 2_000

/**
 * 5 chains behind the current one whose late messages and duplicates are still told apart. Mail that was sent before
 * a reply overtakes that reply by one or two chains; five covers several devices' worth of delay.
 */
export const OLD_CHAINS_MAX = 5

/** 30 days: the longest that a letter lives at its holders. A key kept longer could only serve an attacker. */
export const KEPT_MS_MAX = 30 * DAY_MS

/** 30 days without an answer: then the prekeys that the set-up used are gone, and with them any hope of one. */
export const INITIALIZING_MS_MAX = 30 * DAY_MS

/**
 * 2^24 messages in one chain without an answer. The header key serves a whole chain with random 96-bit nonces: at this
 * length two of them meet with a probability below 2^-49.
 */
export const CHAIN_MESSAGES_MAX = 2 ** 24

/** Sessions of one pair of devices kept for receiving, beside the one that sends: two races and two losses deep. */
export const ARCHIVED_SESSIONS_MAX = 4
