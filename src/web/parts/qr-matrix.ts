/** A QR code as one path: each dark module a square of one unit. */
import { create } from 'qrcode'

export interface QrPicture {
  /** Modules of a side, without the quiet zone. */
  readonly size: number
  readonly path: string
}

/** Throws for a text that no QR code holds (2,953 bytes at this level). */
export function qrPicture(text: string): QrPicture {
  const { modules } = create(text, { errorCorrectionLevel: text.length > 400 ? 'L' : 'M' })
  let path = ''
  for (let y = 0; y < modules.size; y++) {
    for (let x = 0; x < modules.size; x++) {
      if (modules.get(y, x) === 0) continue
      let end = x
      while (end < modules.size && modules.get(y, end) !== 0) end++
      path += `M${x} ${y}h${end - x}v1h-${end - x}z`
      x = end
    }
  }
  return { size: modules.size, path }
}
