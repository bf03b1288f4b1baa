/**
 * A stream of any length, sealed under a passphrase. The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online
 * authenticated encryption and its nonce-reuse misuse-resistance", CRYPTO 2015) as age writes it (age-encryption.org/v1, §payload):
 * chunks of one size, each sealed with its number and whether it is the last, so that none can be left out, moved, doubled or added.
 *
 *     file    = header ‖ check 32 ‖ chunk …
 *     header  = "sotto backup" ‖ version 1 ‖ derivation 1 (Argon2id, one lane) ‖ memory KiB u32 ‖ passes u8 ‖ salt 16
 *     secret  = Argon2id(NFKC(passphrase), salt)
 *     keys    = HKDF-SHA-256(secret, info "sotto backup v1" ‖ header): check key 32 ‖ chunk key 32
 *     check   = HMAC-SHA-256(check key, header)
 *     chunk i = ChaCha20-Poly1305(chunk key, nonce = i (11 bytes, big-endian) ‖ last (1 byte), up to 65,520 bytes)
 *
 * Every chunk but the last is full; the last is empty only where all of it is. A salt is drawn for each file, so keys and nonces are
 * never used twice.
 */
import { concat, equal, utf8, wipe } from '../lib/bytes.ts'
import { CodecError, LimitError, PassphraseError } from '../lib/errors.ts'
import { boundedCost, PASSPHRASE_COST, PASSPHRASE_SALT_BYTES, passphraseKey } from '../crypto/password.ts'
import type { Argon2Cost, CryptoProvider } from '../crypto/provider.ts'
import { constant, decode, encode, fixed, struct, u32, u8 } from '../wire/codec.ts'
import type { SealTools } from './sealed-file.ts'

/** Sealed, as it goes out. */
export const BACKUP_CHUNK_BYTES = 65_536
const TAG_BYTES = 16
const PLAIN_BYTES = BACKUP_CHUNK_BYTES - TAG_BYTES
const CHECK_BYTES = 32
const MAGIC = utf8('sotto backup')
const NONE = new Uint8Array(0)

const costCodec = struct({
  version: constant(1),
  /** 1 = Argon2id with one lane. */
  derivation: constant(1),
  memoryKiB: u32,
  passes: u8,
  salt: fixed(PASSPHRASE_SALT_BYTES),
})
/** Of the fields behind the magic. */
const COST_BYTES = 2 + 4 + 1 + PASSPHRASE_SALT_BYTES
const HEADER_BYTES = MAGIC.length + COST_BYTES

interface Keys {
  readonly check: Uint8Array
  readonly chunk: Uint8Array
}

/** Seals what `plain` gives, in pieces of at most 64 KiB. Throws what `plain` throws. */
export async function* sealStream(
  plain: AsyncIterable<Uint8Array>,
  passphrase: string,
  tools: SealTools,
  cost: Argon2Cost = PASSPHRASE_COST,
): AsyncGenerator<Uint8Array> {
  const { crypto, rng } = tools
  const { memoryKiB, passes } = boundedCost(cost.memoryKiB, cost.passes)
  const salt = rng.bytes(PASSPHRASE_SALT_BYTES)
  const header = concat(MAGIC, encode(costCodec, { version: 1, derivation: 1, memoryKiB, passes, salt }))
  const keys = await keysOf(crypto, passphrase, header, salt, cost)
  try {
    yield concat(header, crypto.hmacSha256(keys.check, header))
    let number = 0
    for await (const { bytes, last } of pieces(plain, PLAIN_BYTES)) {
      yield crypto.seal(keys.chunk, nonceOf(number++, last), NONE, bytes)
    }
  } finally {
    wipe(keys.check, keys.chunk)
  }
}

/**
 * What {@link sealStream} sealed, chunk by chunk; whatever was given before an error has to be forgotten. Throws PassphraseError,
 * CodecError for what is no backup, was changed, cut off or added to.
 */
export async function* openStream(
  sealed: AsyncIterable<Uint8Array>,
  passphrase: string,
  tools: SealTools,
): AsyncGenerator<Uint8Array> {
  const { crypto } = tools
  const source = new Source(sealed)
  const header = await source.take(HEADER_BYTES)
  const check = await source.take(CHECK_BYTES)
  const { salt, cost } = parseHeader(header)
  const keys = await keysOf(crypto, passphrase, header, salt, cost)
  try {
    if (!equal(crypto.hmacSha256(keys.check, header), check)) {
      throw new PassphraseError('the passphrase does not open this backup')
    }
    let number = 0
    for await (const { bytes, last } of pieces(source.rest(), BACKUP_CHUNK_BYTES)) {
      const chunk = crypto.open(keys.chunk, nonceOf(number, last), NONE, bytes)
      if (chunk === undefined || (chunk.length === 0 && number > 0)) {
        throw new CodecError('the backup is damaged or was cut off')
      }
      number++
      yield chunk
    }
  } finally {
    wipe(keys.check, keys.chunk)
  }
}

/** Anybody may hand over a file: what opening it may cost, before anything of it is known to be good. */
const COST_MAX = { memoryKiB: 262_144, passes: 8 } as const

function parseHeader(header: Uint8Array): { readonly salt: Uint8Array; readonly cost: Argon2Cost } {
  if (!equal(header.subarray(0, MAGIC.length), MAGIC)) throw new CodecError('this is no backup of Sotto')
  const { salt, memoryKiB, passes } = decode(costCodec, header.subarray(MAGIC.length))
  try {
    if (memoryKiB > COST_MAX.memoryKiB || passes > COST_MAX.passes) throw new LimitError('the backup asks for too much')
    return { salt, cost: boundedCost(memoryKiB, passes) }
  } catch (error) {
    if (error instanceof LimitError) throw new CodecError('this is no backup of Sotto', { cause: error })
    throw error
  }
}

async function keysOf(
  crypto: CryptoProvider,
  passphrase: string,
  header: Uint8Array,
  salt: Uint8Array,
  cost: Argon2Cost,
): Promise<Keys> {
  const secret = await passphraseKey(crypto, passphrase, salt, cost)
  const both = crypto.hkdfSha256(secret, NONE, concat(utf8('sotto backup v1'), header), 64)
  const keys = { check: both.slice(0, 32), chunk: both.slice(32) }
  wipe(secret, both)
  return keys
}

function nonceOf(number: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(3, Math.floor(number / 2 ** 32))
  view.setUint32(7, number % 2 ** 32)
  view.setUint8(11, last ? 1 : 0)
  return nonce
}

/** The bytes in pieces of `size`; the last may be shorter, and is there even where it is empty and the only one. */
async function* pieces(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly last: boolean }> {
  let waiting: Uint8Array[] = []
  let length = 0
  for await (const bytes of source) {
    waiting.push(bytes)
    length += bytes.length
    if (length <= size) continue
    const all = concat(...waiting)
    let at = 0
    // One that is just full is held back: it may be the last.
    for (; all.length - at > size; at += size) yield { bytes: all.subarray(at, at + size), last: false }
    waiting = [all.slice(at)]
    length = all.length - at
  }
  yield { bytes: concat(...waiting), last: true }
}

/** Takes exact lengths off the front. */
class Source {
  readonly #iterator: AsyncIterator<Uint8Array>
  #ready: Uint8Array = NONE

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#ready.length < length) {
      const { done, value } = await this.#iterator.next()
      if (done === true) throw new CodecError('this is no backup of Sotto')
      this.#ready = concat(this.#ready, value)
    }
    const taken = this.#ready.slice(0, length)
    this.#ready = this.#ready.slice(length)
    return taken
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    yield this.#ready
    for (let step = await this.#iterator.next(); step.done !== true; step = await this.#iterator.next())
      yield step.value
  }
}
