/**
 * What the bytes of a picture say of it, without unpacking any of it: PNG (RFC 2083, chunks of the APNG extension), JPEG (ITU-T T.81)
 * and WebP (RFC 9649). A few kilobytes can hold a picture of 65,535 by 65,535, which a screen would take gigabytes to show.
 */
import type { Avatar } from '../../store/profiles.ts'

/** Of either side, in pixels. */
export const PICTURE_SIDE_MAX = 512

export interface PictureKind {
  readonly type: Avatar['type']
  /** One still picture, whose sides are within the bound. */
  readonly isSmall: boolean
}

interface Size {
  readonly width: number
  readonly height: number
}

/** Undefined for what is no picture of a known kind. */
export function pictureKind(data: Uint8Array): PictureKind | undefined {
  const bytes = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const type = typeOf(bytes)
  if (type === undefined) return undefined
  const sizes = READERS[type](bytes)
  return { type, isSmall: sizes !== undefined && sizes.length > 0 && sizes.every(fits) }
}

const fits = ({ width, height }: Size): boolean =>
  width >= 1 && height >= 1 && width <= PICTURE_SIDE_MAX && height <= PICTURE_SIDE_MAX

function typeOf(bytes: DataView): Avatar['type'] | undefined {
  if (bytes.byteLength < 12) return undefined
  if (bytes.getUint32(0) === 0x89_50_4e_47 && bytes.getUint32(4) === 0x0d_0a_1a_0a) return 1
  if (bytes.getUint16(0) === 0xff_d8 && bytes.getUint8(2) === 0xff) return 2
  if (tagAt(bytes, 0) === 'RIFF' && tagAt(bytes, 8) === 'WEBP') return 3
  return undefined
}

/** Each gives the sizes that the file names; undefined where it is broken, or moves. */
const READERS: Readonly<Record<Avatar['type'], (bytes: DataView) => readonly Size[] | undefined>> = {
  1: pngSizes,
  2: jpegSizes,
  3: webpSizes,
}

function pngSizes(bytes: DataView): readonly Size[] | undefined {
  const sizes: Size[] = []
  for (let at = 8; at + 8 <= bytes.byteLength; at += 12 + bytes.getUint32(at)) {
    const tag = tagAt(bytes, at + 4)
    if (tag === 'acTL' || tag === 'fcTL') return undefined
    if ((tag === 'IHDR') !== (at === 8)) return undefined
    if (tag !== 'IHDR') continue
    if (at + 16 > bytes.byteLength) return undefined
    sizes.push({ width: bytes.getUint32(at + 8), height: bytes.getUint32(at + 12) })
  }
  return sizes
}

/** Up to the scan: what comes behind it is compressed, and a second frame is no part of any kind that is shown. */
function jpegSizes(bytes: DataView): readonly Size[] | undefined {
  const sizes: Size[] = []
  for (let at = 2; at + 4 <= bytes.byteLength;) {
    if (bytes.getUint8(at) !== 0xff) return undefined
    const marker = bytes.getUint8(at + 1)
    if (marker === 0xff) at += 1
    else if (marker === 0xda) return sizes
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd9)) return undefined
    else {
      const length = bytes.getUint16(at + 2)
      if (length < 2) return undefined
      if (isFrame(marker)) {
        if (length < 8 || at + 9 > bytes.byteLength) return undefined
        sizes.push({ height: bytes.getUint16(at + 5), width: bytes.getUint16(at + 7) })
      }
      at += 2 + length
    }
  }
  return undefined
}

/** SOF0 to SOF15; DHT, JPG and DAC stand among them. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

function webpSizes(bytes: DataView): readonly Size[] | undefined {
  const sizes: Size[] = []
  for (let at = 12; at + 8 <= bytes.byteLength;) {
    const tag = tagAt(bytes, at)
    if (tag === 'ANIM' || tag === 'ANMF') return undefined
    if (tag.startsWith('VP8')) {
      const size = at + 18 > bytes.byteLength ? undefined : webpSize(bytes, tag, at + 8)
      if (size === undefined) return undefined
      sizes.push(size)
    }
    const length = bytes.getUint32(at + 4, true)
    at += 8 + length + (length % 2)
  }
  return sizes
}

/** Of one chunk, whose content begins at `at`; the caller made sure of ten bytes. */
function webpSize(bytes: DataView, tag: string, at: number): Size | undefined {
  if (tag === 'VP8 ') {
    const isKey = bytes.getUint8(at + 3) === 0x9d && bytes.getUint8(at + 4) === 0x01 && bytes.getUint8(at + 5) === 0x2a
    if (!isKey) return undefined
    return { width: bytes.getUint16(at + 6, true) & 0x3fff, height: bytes.getUint16(at + 8, true) & 0x3fff }
  }
  if (tag === 'VP8L') {
    if (bytes.getUint8(at) !== 0x2f) return undefined
    const bits = bytes.getUint32(at + 1, true)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  if (tag !== 'VP8X' || (bytes.getUint8(at) & 0x02) !== 0) return undefined
  return { width: uint24(bytes, at + 4) + 1, height: uint24(bytes, at + 7) + 1 }
}

const uint24 = (bytes: DataView, at: number): number => bytes.getUint16(at, true) | (bytes.getUint8(at + 2) << 16)

const tagAt = (bytes: DataView, at: number): string =>
  String.fromCodePoint(...[0, 1, 2, 3].map((i) => bytes.getUint8(at + i)))
