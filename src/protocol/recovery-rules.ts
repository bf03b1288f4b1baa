/**
 * The recovery records of an account (protocol §7): where they lie, who may replace them, what they look like. Everything follows from
 * one secret, which follows from the account key and does not lead back to it:
 *
 *     secret    = HKDF-SHA-256(ed25519 seed ‖ ml-dsa-65 seed, no salt, "sotto recovery v1", 32)
 *     writer i  = ML-DSA-44 of the seed HKDF-SHA-256(secret, no salt, "sotto recovery writer v1" ‖ u16 i, 32)
 *     address i = SHA-256("sotto recovery" ‖ writer i)
 *     seal i    = XChaCha20-Poly1305 by HKDF-SHA-256(secret, no salt, "sotto recovery seal v1" ‖ u16 i, 32)
 *     number i  = the snapshot's number + the 31 bits HKDF-SHA-256(secret, no salt, "sotto recovery number v1" ‖ u16 i, 4) >>> 1
 *
 * So a holder sees keys and numbers that have nothing in common from chunk to chunk, and none of them leads to an account.
 */
import type { HybridSeeds } from '../crypto/hybrid.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat, equal, utf8, wipe } from '../lib/bytes.ts'
import { CodecError, LimitError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { SUITE } from '../wire/card.ts'
import { decode, encode } from '../wire/codec.ts'
import { pad, SIZE_CLASSES_BYTES, sizeClassFor, unpad } from '../wire/padding.ts'
import {
  RECOVERY_CHUNK_BYTES_MAX,
  RECOVERY_CHUNKS_MAX,
  RECOVERY_LABEL,
  RECOVERY_TAG_BYTES,
  recoveryBodyCodec,
  recoveryChunkCodec,
  recoveryEntryCodec,
  recoveryHeadCodec,
} from '../wire/recovery.ts'
import type { RecoveryChunk, RecoveryEntry, RecoveryRecord } from '../wire/recovery.ts'

/** As the account card; published daily. */
export const RECOVERY_LIFE_HOURS = 90 * 24
/** What of a snapshot's number may be used: the rest of the 32 bits blinds it. */
export const RECOVERY_NUMBER_MAX = 2 ** 31 - 1

const ADDRESS_LABEL = utf8('sotto recovery')
const LABEL = utf8(RECOVERY_LABEL)
const SECRET_LABEL = utf8('sotto recovery v1')
const WRITER_LABEL = utf8('sotto recovery writer v1')
const SEAL_LABEL = utf8('sotto recovery seal v1')
const NUMBER_LABEL = utf8('sotto recovery number v1')
const NO_SALT = new Uint8Array(0)
const NONCE_BYTES = 24
/** Chunk header, the count of entries and the first byte of the padding. */
const CHUNK_OVERHEAD_BYTES = 64

/** The recovery secret (32 bytes) of the account with these seeds. It opens the records and signs them, and signs no card. */
export function recoverySecret(crypto: CryptoProvider, account: HybridSeeds): Uint8Array {
  const seeds = concat(account.ed25519, account.mldsa65)
  try {
    return crypto.hkdfSha256(seeds, NO_SALT, SECRET_LABEL, 32)
  } finally {
    wipe(seeds)
  }
}

const u16be = (index: number): Uint8Array => Uint8Array.of(index >> 8, index & 255)

function derived(crypto: CryptoProvider, secret: Uint8Array, label: Uint8Array, index: number, bytes = 32): Uint8Array {
  return crypto.hkdfSha256(secret, NO_SALT, concat(label, u16be(index)), bytes)
}

function numberOffset(crypto: CryptoProvider, secret: Uint8Array, index: number): number {
  const bytes = derived(crypto, secret, NUMBER_LABEL, index, 4)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) >>> 1
}

function writerOf(crypto: CryptoProvider, secret: Uint8Array, index: number): Uint8Array {
  const seed = derived(crypto, secret, WRITER_LABEL, index)
  const writer = crypto.dsaPublicKey(44, seed)
  wipe(seed)
  return writer
}

const addressOfWriter = (crypto: CryptoProvider, writer: Uint8Array): Uint8Array => crypto.sha256(ADDRESS_LABEL, writer)

/** Where chunk `index` of the account with this secret lies. */
export function recoveryAddressOf(crypto: CryptoProvider, secret: Uint8Array, index: number): Uint8Array {
  return addressOfWriter(crypto, writerOf(crypto, secret, index))
}

/** The key that a record lives at. */
export function recoveryAddress(crypto: CryptoProvider, record: RecoveryRecord): Uint8Array {
  return addressOfWriter(crypto, record.body.writer)
}

/** Whether the writer signed it, in one of the sizes that there are. Says nothing about its age. */
export function recoverySignatureHolds(crypto: CryptoProvider, { body, signature }: RecoveryRecord): boolean {
  if (!SIZE_CLASSES_BYTES.some((size) => size + RECOVERY_TAG_BYTES === body.sealed.length)) return false
  return crypto.dsaVerify(44, body.writer, encode(recoveryBodyCodec, body), signature, LABEL)
}

/** The signed record of a chunk. Each number is for one content: of two records of one number holders keep either. */
export async function sealRecovery(
  { crypto, rng }: { readonly crypto: CryptoProvider; readonly rng: Rng },
  secret: Uint8Array,
  chunk: RecoveryChunk,
  expiry: number,
): Promise<RecoveryRecord> {
  if (chunk.number > RECOVERY_NUMBER_MAX) throw new LimitError('the recovery record was written too often')
  const { index } = chunk
  const seed = derived(crypto, secret, WRITER_LABEL, index)
  const key = derived(crypto, secret, SEAL_LABEL, index)
  const plain = encode(recoveryChunkCodec, chunk)
  const padded = pad(plain, sizeOf(plain.length))
  const head = {
    version: 1,
    suite: SUITE,
    writer: crypto.dsaPublicKey(44, seed),
    number: chunk.number + numberOffset(crypto, secret, index),
    expiry,
  } as const
  const nonce = rng.bytes(NONCE_BYTES)
  const body = { ...head, nonce, sealed: crypto.xseal(key, nonce, encode(recoveryHeadCodec, head), padded) }
  try {
    return { body, signature: await crypto.dsaSign(44, seed, encode(recoveryBodyCodec, body), LABEL) }
  } finally {
    wipe(seed, key, plain, padded)
  }
}

function sizeOf(length: number): number {
  const size = SIZE_CLASSES_BYTES[sizeClassFor(length + 1) ?? SIZE_CLASSES_BYTES.length]
  if (size === undefined) throw new LimitError('too much for one recovery record')
  return size
}

/** The chunk in a record of this account, or `undefined` where it is another's, another one's place, or was not made by the rules. */
export function openRecovery(
  crypto: CryptoProvider,
  secret: Uint8Array,
  index: number,
  { body }: RecoveryRecord,
): RecoveryChunk | undefined {
  if (!equal(body.writer, writerOf(crypto, secret, index))) return undefined
  const { version, suite, writer, number, expiry } = body
  const key = derived(crypto, secret, SEAL_LABEL, index)
  const aad = encode(recoveryHeadCodec, { version, suite, writer, number, expiry })
  const padded = crypto.xopen(key, body.nonce, aad, body.sealed)
  wipe(key)
  if (padded === undefined) return undefined
  try {
    const chunk = decode(recoveryChunkCodec, unpad(padded))
    const fits = chunk.index === index && chunk.index < chunk.count && chunk.count <= RECOVERY_CHUNKS_MAX
    return fits && chunk.number + numberOffset(crypto, secret, index) === number ? chunk : undefined
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/**
 * Entries in their order, spread over as few chunks as hold them. What comes first stays in the first chunk: new entries at the end change
 * the last chunk alone. Throws LimitError where {@link RECOVERY_CHUNKS_MAX} are too few.
 */
export function packEntries(entries: readonly RecoveryEntry[]): readonly (readonly RecoveryEntry[])[] {
  const chunks: RecoveryEntry[][] = [[]]
  let left = RECOVERY_CHUNK_BYTES_MAX - CHUNK_OVERHEAD_BYTES
  for (const entry of entries) {
    const bytes = encode(recoveryEntryCodec, entry).length
    if (bytes > left) {
      chunks.push([])
      left = RECOVERY_CHUNK_BYTES_MAX - CHUNK_OVERHEAD_BYTES
    }
    chunks.at(-1)?.push(entry)
    left -= bytes
  }
  if (chunks.length > RECOVERY_CHUNKS_MAX) throw new LimitError('too many contacts for the recovery record')
  return chunks
}
