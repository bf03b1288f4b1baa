/** Messages that disappear: how long after what. Each side wipes its own copy; nothing makes the other one do so. */
import type { MessageStatus } from './message-status.ts'

/** A timer is off (0), or 5 s to 4 weeks. */
export const TIMER_MIN_SECONDS = 5
export const TIMER_MAX_SECONDS = 28 * 86_400
/** The writer's copy goes at the latest this long after delivery and the timer, where no word of the reading comes. */
export const UNREAD_GRACE_MS = 7 * 86_400_000

export function isTimer(seconds: number): boolean {
  if (seconds === 0) return true
  return Number.isInteger(seconds) && seconds >= TIMER_MIN_SECONDS && seconds <= TIMER_MAX_SECONDS
}

/** The timer of a message as it came: what no honest program sends counts as the nearest that one does. */
export function receivedTimer(seconds: number | undefined): number {
  if (seconds === undefined || seconds === 0) return 0
  return Math.min(Math.max(seconds, TIMER_MIN_SECONDS), TIMER_MAX_SECONDS)
}

/**
 * When (ms) the writer's copy disappears, after the message took a status at `now`; 0 where that is not known. The timer
 * starts when it was read; where this side wants no word of that, when it was delivered; and where it will not be tried any
 * more, at once. Never later than was known before.
 */
export function writerExpiry(
  message: { readonly timerSeconds: number; readonly expiresAt: number },
  status: MessageStatus,
  now: number,
  heedsReading: boolean,
): number {
  const { timerSeconds, expiresAt } = message
  if (timerSeconds === 0 || status === 'queued' || status === 'stored') return expiresAt
  const grace = status === 'delivered' && heedsReading ? UNREAD_GRACE_MS : 0
  const at = now + timerSeconds * 1_000 + grace
  return expiresAt === 0 ? at : Math.min(expiresAt, at)
}

/** When the reader's copy disappears, read at `now`; 0 for never. */
export function readerExpiry({ timerSeconds }: { readonly timerSeconds: number }, now: number): number {
  return timerSeconds === 0 ? 0 : now + timerSeconds * 1_000
}
