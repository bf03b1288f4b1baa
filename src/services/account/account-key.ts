/** The account key in its sealed file, apart from the daily keys: taken out for one operation and wiped after it. */
import { equal, wipe } from '../../lib/bytes.ts'
import { CodecError, StorageError } from '../../lib/errors.ts'
import { PASSPHRASE_COST } from '../../crypto/password.ts'
import { hybridPublicKeys, type HybridSeeds } from '../../crypto/hybrid.ts'
import { accountId } from '../../protocol/account-id.ts'
import { openSealedFile, sealFile } from '../../store/sealed-file.ts'
import { constant, decode, encode, fixed, optional, struct } from '../../wire/codec.ts'
import type { AccountContext } from './ports.ts'

const seedsCodec = struct({ ed25519: fixed(32), mldsa65: fixed(32) })
/** `next` is there while a rotation is under way: whichever the store's account record speaks of is the account's. */
const accountKeyCodec = struct({ version: constant(1), current: seedsCodec, next: optional(seedsCodec) })

/** Seals the account key, and during a rotation the one that follows. Takes the place of what the file held. */
export async function sealAccountKey(
  context: AccountContext,
  passphrase: string,
  current: HybridSeeds,
  next?: HybridSeeds,
): Promise<void> {
  const secret = encode(accountKeyCodec, { version: 1, current, next })
  try {
    const cost = context.cost ?? PASSPHRASE_COST
    await sealFile(context.files.accountKey, 'account', secret, passphrase, context, cost)
  } finally {
    wipe(secret)
  }
}

/**
 * Runs `use` with the key of the account `id`, and wipes the key. Throws PassphraseError for a wrong passphrase,
 * NotFoundError where the file is gone, StorageError where it holds another account's key.
 */
export async function withAccountKey<T>(
  context: AccountContext,
  passphrase: string,
  id: Uint8Array,
  use: (seeds: HybridSeeds) => Promise<T>,
): Promise<T> {
  const secret = await openSealedFile(context.files.accountKey, 'account', passphrase, context)
  const { current, next } = parse(secret)
  const candidates = next === undefined ? [current] : [current, next]
  try {
    const own = candidates.find((seeds) =>
      equal(accountId(context.crypto, hybridPublicKeys(context.crypto, seeds)), id),
    )
    if (own === undefined) throw new StorageError('the sealed account key is of another account')
    return await use(own)
  } finally {
    for (const seeds of candidates) wipe(seeds.ed25519, seeds.mldsa65)
  }
}

function parse(secret: Uint8Array): { readonly current: HybridSeeds; readonly next: HybridSeeds | undefined } {
  try {
    return decode(accountKeyCodec, secret)
  } catch (error) {
    if (error instanceof CodecError) throw new StorageError('the sealed account key is damaged', { cause: error })
    throw error
  } finally {
    wipe(secret)
  }
}
