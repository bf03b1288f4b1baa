/** A home whose holder role was switched off: what it took before is not served any more, but it still runs out. */
import type { Startable } from '../lib/lifecycle.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { ExpirySweeper } from '../services/holder/expire.ts'
import { openHeld } from '../store/held-open.ts'

export interface FormerHolderDeps {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly log: Logger
}

/** Sweeps the database at `path` while it runs. */
export async function formerHolder(path: string, deps: FormerHolderDeps): Promise<Startable> {
  const { database, held } = await openHeld(path, deps)
  const sweeper = new ExpirySweeper({ clock: deps.clock, held, log: deps.log })
  return {
    start() {
      sweeper.start()
    },
    stop: async () => {
      await sweeper.stop()
      await database.close()
    },
  }
}
