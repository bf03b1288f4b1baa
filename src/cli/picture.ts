/**
 * A picture without what its camera or its program wrote into it: where and when it was taken, with what, by whom. Only the parts that
 * a viewer needs are kept, whatever the others are. PNG (W3C, 3rd edition), JPEG (ITU-T T.81), WebP (RFC 9649).
 */
import { UsageError } from '../lib/errors.ts'

export type ImageType = 'image/png' | 'image/jpeg' | 'image/webp'

export interface Picture {
  readonly type: ImageType
  readonly bytes: Buffer
}

/** Throws UsageError for what is none of the three, or is cut off. */
export function cleanPicture(bytes: Buffer): Picture {
  try {
    if (bytes.subarray(0, 8).equals(PNG_HEAD)) return { type: 'image/png', bytes: cleanPng(bytes) }
    if (bytes.subarray(0, 2).equals(JPEG_HEAD)) return { type: 'image/jpeg', bytes: cleanJpeg(bytes) }
    const webp = bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP'
    if (webp) return { type: 'image/webp', bytes: cleanWebp(bytes) }
  } catch (error) {
    // Reading beyond the end.
    if (!(error instanceof RangeError)) throw error
    throw new UsageError('the picture is damaged or was cut off')
  }
  throw new UsageError('the picture must be PNG, JPEG or WebP')
}

const PNG_HEAD = Buffer.from('89504e470d0a1a0a', 'hex')
const PNG_KEPT = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'gAMA', 'sRGB', 'cHRM', 'acTL', 'fcTL', 'fdAT'])

/** Chunks: length, name, that many bytes, checksum. What stands behind the last one goes too. */
function cleanPng(bytes: Buffer): Buffer {
  const kept: Buffer[] = [PNG_HEAD]
  for (let at = PNG_HEAD.length; ;) {
    const end = at + 12 + bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (PNG_KEPT.has(name)) kept.push(slice(bytes, at, end))
    if (name === 'IEND') return Buffer.concat(kept)
    at = end
  }
}

const JPEG_HEAD = Buffer.from('ffd8', 'hex')
const [SOS, EOI, APP0, APP14, APP15, COM] = [0xda, 0xd9, 0xe0, 0xee, 0xef, 0xfe]

/** Segments: FF, marker, length with itself. Of those for applications, JFIF (APP0) and Adobe's colours (APP14) stay. */
function cleanJpeg(bytes: Buffer): Buffer {
  const kept: Buffer[] = [JPEG_HEAD]
  for (let at = JPEG_HEAD.length; ;) {
    if (bytes.readUInt8(at) !== 0xff) throw new UsageError('the picture is damaged or was cut off')
    const marker = bytes.readUInt8(at + 1)
    if (marker === 0xff) {
      at++
      continue
    }
    if (marker === EOI) return Buffer.concat([...kept, slice(bytes, at, at + 2)])
    const end = at + 2 + bytes.readUInt16BE(at + 2)
    const told = marker === COM || (marker >= APP0 && marker <= APP15 && marker !== APP0 && marker !== APP14)
    const next = marker === SOS ? endOfScan(bytes, end) : end
    if (!told) kept.push(slice(bytes, at, next))
    at = next
  }
}

/** Where the next segment begins: FF 00 is a byte of the picture, FF D0 to FF D7 marks a restart within it. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = from; ; at++) {
    if (bytes.readUInt8(at) !== 0xff) continue
    const marker = bytes.readUInt8(at + 1)
    if (marker !== 0 && (marker < 0xd0 || marker > 0xd7)) return at
  }
}

const WEBP_KEPT = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANIM', 'ANMF'])
/** In the first byte of VP8X: there is a colour profile, Exif, XMP. */
const WEBP_TOLD = 0x20 | 0x08 | 0x04

/** Chunks: name, length, that many bytes, one more where that is odd. */
function cleanWebp(bytes: Buffer): Buffer {
  const kept: Buffer[] = []
  const end = 8 + bytes.readUInt32LE(4)
  for (let at = 12; at < end;) {
    const name = bytes.toString('latin1', at, at + 4)
    const size = bytes.readUInt32LE(at + 4)
    const next = at + 8 + size + (size % 2)
    const chunk = Buffer.from(slice(bytes, at, next))
    if (name === 'VP8X') chunk.writeUInt8(chunk.readUInt8(8) & ~WEBP_TOLD, 8)
    if (WEBP_KEPT.has(name)) kept.push(chunk)
    at = next
  }
  const body = Buffer.concat(kept)
  const head = Buffer.from('RIFF....WEBP', 'latin1')
  head.writeUInt32LE(4 + body.length, 4)
  return Buffer.concat([head, body])
}

function slice(bytes: Buffer, from: number, to: number): Buffer {
  if (to > bytes.length) throw new UsageError('the picture is damaged or was cut off')
  return bytes.subarray(from, to)
}
