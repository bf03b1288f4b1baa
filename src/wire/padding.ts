import { CodecError } from '../lib/errors.ts'

/** The only sizes that a letter's sealed part comes in, in bytes (protocol §4: 2, 4, 8, 16, 64 KiB). */
export const SIZE_CLASSES_BYTES = [2_048, 4_096, 8_192, 16_384, 65_536] as const

/** Index of the smallest class that holds `length` bytes, or `undefined` above the largest. */
export function sizeClassFor(length: number): number | undefined {
  const index = SIZE_CLASSES_BYTES.findIndex((size) => length <= size)
  return index === -1 ? undefined : index
}

/** ISO/IEC 7816-4: 0x80, then zeros, up to `size` bytes. Done inside the AEAD, so that the padding is authenticated. */
export function pad(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length >= size) throw new CodecError('does not fit its padding')
  const out = new Uint8Array(size)
  out.set(bytes)
  out[bytes.length] = 0x80
  return out
}

/** Takes {@link pad} back. Throws {@link CodecError} where the padding is not exactly that. */
export function unpad(bytes: Uint8Array): Uint8Array {
  let end = bytes.length - 1
  while (end >= 0 && bytes[end] === 0) end--
  if (end < 0 || bytes[end] !== 0x80) throw new CodecError('bad padding')
  return bytes.slice(0, end)
}
