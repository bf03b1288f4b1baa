/** A picture made small enough for a profile: a square, drawn anew, so that nothing of the file but its pixels is left. */
import type { AvatarView } from '../../api/application/profile.ts'

/** A larger one would put the sealed profile into the next class of sizes, 64 KiB for each contact. */
const BYTES_MAX = 12 * 1_024
const SIDES = [256, 192, 128, 96]
const QUALITIES = [0.85, 0.7, 0.55, 0.4]

/** Throws for what is no picture. */
export async function shrinkPicture(file: Blob): Promise<AvatarView> {
  const bitmap = await createImageBitmap(file)
  for (const side of SIDES) {
    const canvas = drawn(bitmap, side)
    for (const quality of QUALITIES) {
      const blob = await canvas.convertToBlob({ type: 'image/webp', quality })
      // A browser that cannot write WebP answers with PNG.
      const type = blob.type === 'image/webp' ? 'image/webp' : 'image/png'
      if (blob.size <= BYTES_MAX) return { type, data: toBase64(new Uint8Array(await blob.arrayBuffer())) }
      if (type === 'image/png') break
    }
  }
  throw new Error('the picture cannot be made small enough')
}

/** The middle square of the picture. */
function drawn(bitmap: ImageBitmap, side: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(side, side)
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('no canvas')
  const cut = Math.min(bitmap.width, bitmap.height)
  context.imageSmoothingQuality = 'high'
  context.drawImage(bitmap, (bitmap.width - cut) / 2, (bitmap.height - cut) / 2, cut, cut, 0, 0, side, side)
  return canvas
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCodePoint(...bytes))
