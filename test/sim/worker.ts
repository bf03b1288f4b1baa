/** A process that runs the seeds it is told. */
import { mutationOf } from './mutations.ts'
import { runSeed, SIZES } from './scenario.ts'
import type { SizeName } from './scenario.ts'

/** What the parent says: the next seed. */
export interface Order {
  readonly seed: number
  readonly mutation: string | undefined
  readonly liveness: boolean
  readonly size: SizeName
}

process.on('message', (order: Order) => {
  const { seed, mutation, liveness, size } = order
  runSeed(seed, {
    liveness,
    size: SIZES[size],
    ...(mutation === undefined ? {} : { mutation: mutationOf(mutation) }),
  }).then(
    (result) => process.send?.({ result }),
    (error: unknown) =>
      process.send?.({ seed, failure: error instanceof Error ? (error.stack ?? error.message) : 'unknown' }),
  )
})
