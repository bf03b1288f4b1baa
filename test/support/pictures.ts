/** Pictures as far as their headers, of the size that a test wants: nothing behind them can be shown, and nothing needs to be. */
import { concat, utf8 } from '../../src/lib/bytes.ts'

const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value)
const le = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i))

const pngChunk = (tag: string, data: Uint8Array): Uint8Array =>
  concat(u32(data.length), utf8(tag), data, new Uint8Array(4))

/** `size` bytes in all, filled up with pixels that are none; `before` are tags of chunks between header and pixels. */
export function png(width: number, height: number, size = 0, before: readonly string[] = []): Uint8Array {
  const head = concat(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk('IHDR', concat(u32(width), u32(height), Uint8Array.of(8, 2, 0, 0, 0))),
    ...before.map((tag) => pngChunk(tag, new Uint8Array(8))),
  )
  const end = pngChunk('IEND', new Uint8Array(0))
  const pixels = pngChunk('IDAT', new Uint8Array(Math.max(1, size - head.length - end.length - 12)))
  return concat(head, pixels, end)
}

/** A table, the frame, the scan. */
export function jpeg(width: number, height: number, frame = 0xc0): Uint8Array {
  return concat(
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16),
    new Uint8Array(14),
    Uint8Array.of(0xff, 0xc4, 0, 3, 0, 0xff, 0xff, frame, 0, 11, 8),
    u16(height),
    u16(width),
    Uint8Array.of(1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0xff, 0xd9),
  )
}

const riff = (...chunks: readonly (readonly [string, Uint8Array])[]): Uint8Array => {
  const body = concat(...chunks.flatMap(([tag, data]) => [utf8(tag), le(data.length, 4), data]))
  return concat(utf8('RIFF'), le(body.length + 4, 4), utf8('WEBP'), body)
}
const lossy = (width: number, height: number): Uint8Array =>
  concat(Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a), le(width, 2), le(height, 2), new Uint8Array(10))
const extended = (flags: number, width: number, height: number): Uint8Array =>
  concat(Uint8Array.of(flags, 0, 0, 0), le(width - 1, 3), le(height - 1, 3))

export const webp = (width: number, height: number): Uint8Array => riff(['VP8 ', lossy(width, height)])
export const webpLossless = (width: number, height: number): Uint8Array =>
  riff(['VP8L', concat(Uint8Array.of(0x2f), le(width - 1 + (height - 1) * 0x4000, 4), new Uint8Array(11))])
/** A canvas and the frame on it. */
export const webpExtended = (width: number, height: number, frame = [width, height] as const): Uint8Array =>
  riff(['VP8X', extended(0, width, height)], ['VP8 ', lossy(...frame)])
export const webpMoving = (width: number, height: number): Uint8Array =>
  riff(['VP8X', extended(0x02, width, height)], ['ANIM', new Uint8Array(6)], ['ANMF', new Uint8Array(24)])
