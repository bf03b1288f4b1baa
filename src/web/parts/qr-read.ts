/** Reads a QR code out of a picture that the user chose or pasted. The reader is loaded when it is needed first. */

/** Larger pictures are scaled down: a photograph of today has many times what the reader needs. */
const SIDE_MAX = 1_600

/** The text of the code, or undefined where none is found. Throws for what is no picture. */
export async function readQr(picture: Blob): Promise<string | undefined> {
  const [{ default: jsQR }, bitmap] = await Promise.all([import('jsqr'), createImageBitmap(picture)])
  const read = jsQR as unknown as typeof jsQR.default
  for (const side of [SIDE_MAX, SIDE_MAX / 2, SIDE_MAX / 4]) {
    const { data, width, height } = pixelsOf(bitmap, side)
    const found = read(data, width, height)?.data
    if (found !== undefined && found !== '') return found
  }
  return undefined
}

function pixelsOf(bitmap: ImageBitmap, sideMax: number): ImageData {
  const scale = Math.min(1, sideMax / Math.max(bitmap.width, bitmap.height))
  const width = Math.max(1, Math.round(bitmap.width * scale))
  const height = Math.max(1, Math.round(bitmap.height * scale))
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('no canvas')
  // A transparent picture is one on white paper.
  context.fillStyle = '#fff'
  context.fillRect(0, 0, width, height)
  context.drawImage(bitmap, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}

/** The picture on a clipboard or in a drop, if there is one. */
export function pictureOf(data: DataTransfer | null): File | undefined {
  return [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/'))
}
