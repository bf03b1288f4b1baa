/**
 * The part of Ed25519 verification that can be decided from the bytes alone. OpenSSL and noble disagree on some of it,
 * and a signature that half of the network accepts splits the network; so both backends ask here first.
 */

import { CURVE_KEY_BYTES, ED25519_SIGNATURE_BYTES } from './sizes.ts'

const P = littleEndian('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f') // 2^255 − 19
const L = littleEndian('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010') // the group's prime order
// The y coordinates of the eight points of order 1, 2, 4 and 8; each but ±1 belongs to two points that differ in sign.
const SMALL_ORDER_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(littleEndian)

/**
 * Whether the lengths are right, A and R are canonically encoded and none of the eight small-order points, and S is
 * below L (RFC 8032 §5.1.7, stricter). What is left for the backend: A is on the curve, and the bytes of [S]B − [k]A
 * are those of R.
 *
 * Why R too: Node refuses a small-order A or R since nodejs/node#64026, earlier Node 24 and noble do not, so without
 * this check the verdict would depend on the patch release that a peer runs.
 */
export function ed25519Plausible(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== CURVE_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false
  return usefulPoint(publicKey) && usefulPoint(signature.subarray(0, 32)) && below(signature.subarray(32), L)
}

/** y < p and no small-order y. The encodings with a sign on x = 0 are among the small-order ones. */
function usefulPoint(encoding: Uint8Array): boolean {
  const y = masked(encoding)
  return below(y, P) && !SMALL_ORDER_Y.some((small) => same(y, small))
}

/** The little-endian y coordinate: the encoding without the sign of x in its top bit. */
function masked(encoding: Uint8Array): Uint8Array {
  const y = encoding.slice()
  y[31] = (y[31] ?? 0) & 0x7f
  return y
}

/** a < b, both little-endian, 32 bytes. Public values: it may stop early. */
function below(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

function littleEndian(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}
