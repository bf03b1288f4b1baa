/** What the user may see of the pool of one-time prekeys. */
import { PREKEY_USE } from '../../store/prekeys.ts'
import type { Prekeys } from '../../store/prekeys.ts'
import { bySlice } from './pool-plan.ts'

/**
 * `left` is what nobody was given, as far as we know; `placed` whether the slice's holder is known to have it. Times in ms, 0: never.
 * Uses are those of the last 60 days.
 */
export interface PoolStatus {
  readonly total: number
  readonly slices: readonly { readonly holder: string; readonly left: number; readonly placed: boolean }[]
  readonly createdAt: number
  readonly lastRotatedAt: number
  /** The prekey card's. */
  readonly number: number
  readonly used: number
  readonly lastResortUses: number
}

export async function poolStatus(
  prekeys: Prekeys,
  number: number,
  isPlaced: (slice: number) => boolean,
): Promise<PoolStatus> {
  const records = await prekeys.oneTime.list()
  const { holders } = await prekeys.pool()
  const uses = await prekeys.uses.list()
  const signed = await prekeys.signed.list()
  const usesOf = (kind: number): number =>
    uses.filter((use) => use.kind === kind).reduce((sum, use) => sum + use.uses, 0)
  const slices = bySlice(records).map((slice, i) => {
    return { holder: holders[i] ?? '', left: slice.length, placed: isPlaced(i) }
  })
  return {
    total: slices.reduce((sum, { left }) => sum + left, 0),
    slices,
    createdAt: Math.max(0, ...records.map(({ createdAt }) => createdAt)),
    lastRotatedAt: Math.max(0, ...signed.map(({ createdAt }) => createdAt)),
    number,
    used: usesOf(PREKEY_USE.oneTime),
    lastResortUses: usesOf(PREKEY_USE.lastResort),
  }
}
