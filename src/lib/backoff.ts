import type { Rng } from './rng.ts'
import { randomBelow } from './rng.ts'

/** Exponential delays with jitter of ± 20 %. */
export interface BackoffPolicy {
  readonly firstMs: number
  readonly maxMs: number
  readonly factor: number
}

/** How long to wait before attempt number `attempt` (0 is the first retry). */
export function backoffMs(policy: BackoffPolicy, attempt: number, rng: Rng): number {
  const plain = Math.min(policy.maxMs, policy.firstMs * policy.factor ** Math.min(attempt, 60))
  return jitterMs(plain, 0.2, rng)
}

/** `delayMs` ± `share` of it, so that many peers do not move in step. */
export function jitterMs(delayMs: number, share: number, rng: Rng): number {
  return Math.round(delayMs * (1 - share + (2 * share * randomBelow(rng, 1_000)) / 1_000))
}
