/**
 * The order of a conversation's messages, by causality and not by clocks: a Lamport clock (Lamport, CACM 21(7), 1978) that
 * both sides keep. Who has seen a message writes under a higher number, so an answer stands after what it answers, on both
 * sides alike, however late either comes.
 *
 *     order = lamport · 2^16 + the first two bytes of the message's id
 *
 * Messages written at the same number, by people who had not seen each other's, are told apart by their ids. Orders below
 * 2^16 are those of a version that counted messages as they came.
 */

/** A number that is further ahead than this of everything seen is taken for one that is this far ahead. */
export const LAMPORT_AHEAD_MAX = 2 ** 12
/**
 * The highest number that what is received counts as: sixteen million contents drive a conversation up to it. Our own go on
 * above it, so that what the user says last stands last, and orders stay below 2^53.
 */
export const LAMPORT_MAX = 2 ** 36
const OWN_LAMPORT_MAX = 2 ** 37 - 2
const PLACES = 2 ** 16

/** The number of what is written now, `highest` being the highest seen in the conversation. */
export function nextLamport(highest: number): number {
  return Math.min(highest + 1, OWN_LAMPORT_MAX)
}

/** The number under which something received counts; what says none was written by an old version and stands last. */
export function receivedLamport(said: number | undefined, highest: number): number {
  if (said === undefined) return Math.min(highest + 1, LAMPORT_MAX)
  return Math.min(said, highest + LAMPORT_AHEAD_MAX, LAMPORT_MAX)
}

/** The highest number that a contact said, and when it did so by its own clock (ms). */
export interface Heard {
  readonly lamport: number
  readonly sentAt: number
}

/**
 * Whether who says this lost count: a lower number than it said before, but later by the same clock. So it is after a device
 * was restored; what it says stands last then, until it has caught up, and is not lost far above.
 */
export function hasLostCount(heard: Heard | undefined, { lamport, sentAt }: Heard): boolean {
  return heard !== undefined && lamport < heard.lamport && sentAt > heard.sentAt
}

/** The place of a message with this id (16 bytes); where another has it already, the next free one is taken. */
export function orderOf(lamport: number, id: Uint8Array): number {
  return lamport * PLACES + (id[0] ?? 0) * 256 + (id[1] ?? 0)
}

/** The number that an order was made from. */
export function lamportOf(order: number): number {
  return Math.floor(order / PLACES)
}
