/**
 * Another passphrase for a home: vault and account key are sealed anew together, and no record is. Two files cannot be renamed at
 * once, so both go into a third first (`vault.next`): from the moment that one is there the new passphrase holds, before it the old.
 * Whoever opens the home makes up for what was cut short in between.
 */
import { wipe } from '../lib/bytes.ts'
import { CodecError, NotFoundError, PassphraseError, StorageError } from '../lib/errors.ts'
import { PASSPHRASE_COST } from '../crypto/password.ts'
import type { Argon2Cost } from '../crypto/provider.ts'
import { constant, decode, encode, opaque, optional, struct } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { filesOf, openSealedFile, SEALED_FILE_BYTES_MAX, sealedBytes } from './sealed-file.ts'
import type { SealPurpose, SealTools } from './sealed-file.ts'

export interface SealedPaths {
  readonly vault: string
  readonly accountKey: string
}

const nextCodec = struct({
  version: constant(1),
  vault: opaque(SEALED_FILE_BYTES_MAX, 1),
  /** None where the account key has a passphrase of its own, or is kept elsewhere. */
  accountKey: optional(opaque(SEALED_FILE_BYTES_MAX, 1)),
})
type Next = Coded<typeof nextCodec>

const placeOf = ({ vault }: SealedPaths): string => `${vault}.next`

/** Throws PassphraseError where `current` does not open the vault; then nothing is changed. */
export async function reseal(
  paths: SealedPaths,
  current: string,
  next: string,
  tools: SealTools,
  cost: Argon2Cost = PASSPHRASE_COST,
): Promise<void> {
  await finishReseal(paths, tools)
  const again = async (path: string, purpose: SealPurpose): Promise<Uint8Array> => {
    const secret = await openSealedFile(path, purpose, current, tools)
    try {
      return await sealedBytes(purpose, secret, next, tools, cost)
    } finally {
      wipe(secret)
    }
  }
  const vault = await again(paths.vault, 'vault')
  const accountKey = await again(paths.accountKey, 'account').catch((error: unknown) => {
    if (error instanceof PassphraseError || error instanceof NotFoundError) return undefined
    throw error
  })
  await filesOf(tools).write(placeOf(paths), encode(nextCodec, { version: 1, vault, accountKey }))
  await finishReseal(paths, tools)
}

/** Puts both files in place where that was cut short. To be called before either is opened. */
export async function finishReseal(paths: SealedPaths, tools: Pick<SealTools, 'keyFiles'>): Promise<void> {
  const files = filesOf(tools)
  const next = await pending(paths, tools)
  if (next === undefined) return
  if (next.accountKey !== undefined) await files.write(paths.accountKey, next.accountKey)
  await files.write(paths.vault, next.vault)
  await (files.remove?.(placeOf(paths)) ?? files.write(placeOf(paths), new Uint8Array(0)))
}

async function pending(paths: SealedPaths, tools: Pick<SealTools, 'keyFiles'>): Promise<Next | undefined> {
  try {
    const bytes = await filesOf(tools).read(placeOf(paths))
    return bytes.length === 0 ? undefined : decode(nextCodec, bytes)
  } catch (error) {
    if (error instanceof NotFoundError) return undefined
    if (error instanceof CodecError) throw new StorageError('the sealed files are damaged', { cause: error })
    throw error
  }
}
