import { afterEach, expect, test, vi } from 'vitest'
import { shrinkPicture } from '../../../src/web/parts/shrink-picture.ts'

/** A canvas whose picture takes so many bytes a pixel at full quality. */
function canvasOf(bytesPerPixel: number, type = 'image/webp') {
  return class {
    readonly side: number
    constructor(side: number) {
      this.side = side
    }
    getContext = () => ({ drawImage: () => {} })
    convertToBlob = async ({ quality }: { quality: number }) =>
      new Blob([new Uint8Array(Math.floor(this.side ** 2 * bytesPerPixel * quality))], { type })
  }
}
afterEach(() => {
  vi.unstubAllGlobals()
})

test('PR-08 a picture is made to fit 12 KiB, below the largest class of sizes, or is refused', async () => {
  vi.stubGlobal('createImageBitmap', async () => ({ width: 4_000, height: 3_000 }))
  for (const [bytesPerPixel, type] of [
    [0.1, 'image/webp'],
    [0.5, 'image/webp'],
    [1.5, 'image/webp'],
    [1, 'image/png'],
  ] as const) {
    vi.stubGlobal('OffscreenCanvas', canvasOf(bytesPerPixel, type))
    const picture = await shrinkPicture(new Blob())
    expect(picture.type).toBe(type)
    expect(atob(picture.data).length).toBeLessThanOrEqual(12 * 1_024)
  }
  vi.stubGlobal('OffscreenCanvas', canvasOf(9))
  await expect(shrinkPicture(new Blob())).rejects.toThrow()
})
