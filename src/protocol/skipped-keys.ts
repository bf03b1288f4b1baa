/** Keys of messages that have not arrived: made, kept, and let go (README, "Skipped keys"). */
import { wipe } from '../lib/bytes.ts'
import { DecryptError } from '../lib/errors.ts'
import type { OldChain, ReceivingChain, SessionKeys, SkippedKey } from '../wire/session-state.ts'
import { chainStep } from './chain.ts'
import type { SessionContext } from './pqxdh.ts'
import { DEFAULT_SESSION_LIMITS, KEPT_MS_MAX, OLD_CHAINS_MAX, SKIPPED_KEYS_MAX } from './session-limits.ts'
import { present } from './turn.ts'
import type { Stepped } from './turn.ts'

/** The keys of the messages from `chain.next` to before `upTo`, and the chain key at `upTo`. Bounded by `skipMax`. */
export function advance(
  ctx: SessionContext,
  chain: { readonly chainKey: Uint8Array; readonly next: number },
  upTo: number,
): { chainKey: Uint8Array; skipped: readonly SkippedKey[] } {
  const { skipMax } = ctx.limits ?? DEFAULT_SESSION_LIMITS
  if (upTo - chain.next > skipMax) throw new DecryptError('gap')
  const skipped: SkippedKey[] = []
  let { chainKey } = chain
  for (let n = chain.next; n < upTo; n++) {
    const step = chainStep(ctx.crypto, chainKey)
    skipped.push({ n, key: step.message, at: ctx.now })
    if (chainKey !== chain.chainKey) wipe(chainKey)
    chainKey = step.next
  }
  return { chainKey, skipped }
}

/**
 * What stays of the chain that ends. A `previous` below what has arrived (a peer that was rolled back) skips nothing; one
 * that is further ahead than `skipMax` keeps the keys up to there, since refusing the new chain would end the session.
 */
export function closeChain(
  ctx: SessionContext,
  chain: ReceivingChain | undefined,
  previous: number,
): { chain: OldChain | undefined; consumed: readonly Uint8Array[]; fresh: readonly Uint8Array[] } {
  if (chain === undefined) return { chain: undefined, consumed: [], fresh: [] }
  const { skipMax } = ctx.limits ?? DEFAULT_SESSION_LIMITS
  const { chainKey, skipped } = advance(ctx, chain, Math.min(Math.max(previous, chain.next), chain.next + skipMax))
  if (chainKey !== chain.chainKey) wipe(chainKey)
  return {
    chain: {
      turn: chain.turn,
      tagKey: chain.header.tagKey,
      headerKey: chain.header.key,
      skipped: [...chain.skipped, ...skipped],
      closedAt: ctx.now,
    },
    consumed: [chain.chainKey],
    fresh: skipped.map((key) => key.key),
  }
}

/**
 * Keeps a state within its limits: too old, too many chains, too many keys. What has no stored key left keeps only the
 * tag key that knows a duplicate.
 */
export function tidy(keys: SessionKeys, now: number): Stepped {
  const { receiving } = keys
  if (keys.old.length === 0 && (receiving?.skipped.length ?? 0) === 0) return { keys, consumed: [] }
  const dropped: (Uint8Array | undefined)[] = []
  let room = SKIPPED_KEYS_MAX
  const keep = (skipped: readonly SkippedKey[]): readonly SkippedKey[] => {
    const young = skipped.filter((key) => now - key.at <= KEPT_MS_MAX)
    const kept = room === 0 ? [] : young.slice(-room)
    room -= kept.length
    if (kept.length === skipped.length) return skipped
    const staying = new Set(kept)
    for (const key of skipped) if (!staying.has(key)) dropped.push(key.key)
    return kept
  }
  const skipped = receiving && keep(receiving.skipped)
  const old: OldChain[] = []
  for (const chain of keys.old) {
    const left = keep(chain.skipped)
    const expired = old.length === OLD_CHAINS_MAX || now - chain.closedAt > KEPT_MS_MAX
    if (expired) dropped.push(chain.tagKey, chain.headerKey, ...left.map((key) => key.key))
    else if (left.length === 0) dropped.push(chain.headerKey)
    if (!expired)
      old.push(left.length === 0 ? { ...chain, skipped: left, headerKey: undefined } : { ...chain, skipped: left })
  }
  const kept = receiving && skipped ? { ...receiving, skipped } : receiving
  return { keys: { ...keys, receiving: kept, old }, consumed: present(...dropped) }
}
