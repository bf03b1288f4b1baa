/**
 * Opens what is held for others, whatever became of its files: a torn disk must not keep a person's daemon down. A database
 * that is damaged is mended by LevelDB out of what can be read, now or once the damage shows; the other holders bring the rest
 * (protocol §4), and no record is served that its checksum does not fit.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { StorageError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import { Database } from './database.ts'
import { mendFiles, mendingEngine } from './engine.ts'
import { HeldStore } from './held.ts'
import { isDamage } from './storage-error.ts'

const UNMENDABLE = 'what is held for others cannot be mended: move the directory held away, others have it too'

export interface OpenHeld {
  /** The caller's to close. */
  readonly database: Database
  readonly held: HeldStore
}

export interface HeldTools {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly log: Logger
}

/** The holder's database in the directory `path`. Throws as {@link Database.open}, and StorageError where it cannot be mended. */
export async function openHeld(path: string, tools: HeldTools): Promise<OpenHeld> {
  try {
    return await open(path, tools)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
  tools.log.warn('what is held for others is damaged; it is mended')
  try {
    await mendFiles(path)
    const mended = await open(path, tools)
    await mended.held.scrub()
    return mended
  } catch (error) {
    throw new StorageError(UNMENDABLE, { cause: error })
  }
}

async function open(path: string, { crypto, rng }: HeldTools): Promise<OpenHeld> {
  const database = await Database.over(mendingEngine(path))
  try {
    const held = await HeldStore.open(database, crypto, rng)
    database.onReopened(async (mended) => {
      if (mended) await held.scrub()
    })
    return { database, held }
  } catch (error) {
    await database.close()
    throw error
  }
}
