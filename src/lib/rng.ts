/** Where randomness comes in: an argument, so that a simulation replays from its seed. */
export interface Rng {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array
}

const CHUNK_BYTES = 65_536 // the most that getRandomValues fills at once
/**
 * Nonces of 12 and 24 bytes are served from a pool: a call to the system for each took 16 % of a store's insert. Secrets
 * never are: they have other lengths, and who copies our memory is not to have the keys of the turns to come.
 */
const POOL_BYTES = 3_072
const POOLED_LENGTHS: readonly number[] = [12, 24]
const pool = new Uint8Array(POOL_BYTES)
let poolAt = POOL_BYTES

/** The next bytes of the pool, which forgets them. */
function pooled(length: number): Uint8Array {
  if (poolAt + length > POOL_BYTES) {
    globalThis.crypto.getRandomValues(pool)
    poolAt = 0
  }
  const out = pool.slice(poolAt, poolAt + length)
  pool.fill(0, poolAt, poolAt + length)
  poolAt += length
  return out
}

/** The operating system's generator. */
export const systemRng: Rng = {
  bytes(length) {
    if (POOLED_LENGTHS.includes(length)) return pooled(length)
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += CHUNK_BYTES) {
      globalThis.crypto.getRandomValues(out.subarray(at, Math.min(length, at + CHUNK_BYTES)))
    }
    return out
  },
}

/** A repeatable generator (sfc32) for tests and simulations. Never for keys that matter. */
export function seededRng(seed: number): Rng {
  let a = 0x9e3779b9 ^ seed
  let b = 0x243f6a88
  let c = 0xb7e15162
  let counter = 1
  const next = (): number => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 15; i++) next()
  return {
    bytes(length) {
      const out = new Uint8Array(length)
      for (let i = 0; i < length; i += 4) {
        const word = next()
        for (let j = 0; j < 4 && i + j < length; j++) out[i + j] = (word >>> (8 * j)) & 0xff
      }
      return out
    },
  }
}

/** A uniform integer in [0, bound), bound ≤ 2^32. The bias is below 2^-20 for bounds under 4,096. */
export function randomBelow(rng: Rng, bound: number): number {
  const bytes = rng.bytes(4)
  return Math.floor((new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32) * bound)
}
