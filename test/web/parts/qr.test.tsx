import { render } from '@testing-library/preact'
import jsQR from 'jsqr'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { QrCode } from '../../../src/web/parts/qr-code.tsx'
import { qrPicture } from '../../../src/web/parts/qr-matrix.ts'

const SCALE = 3
const QUIET = 4
const read = jsQR as unknown as typeof jsQR.default

/** Draws the path as a camera would see it. */
function pixels(text: string): { data: Uint8ClampedArray; side: number } {
  const { size, path } = qrPicture(text)
  const side = (size + 2 * QUIET) * SCALE
  const data = new Uint8ClampedArray(side * side * 4).fill(255)
  for (const [, x = '', y = '', width = ''] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let row = 0; row < SCALE; row++) {
      const start = ((Number(y) + QUIET) * SCALE + row) * side + (Number(x) + QUIET) * SCALE
      for (let at = 0; at < Number(width) * SCALE; at++) data.fill(0, (start + at) * 4, (start + at) * 4 + 3)
    }
  }
  return { data, side }
}

describe('QR codes', () => {
  test('what is shown is what is read, up to the longest invite', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^sotto:[A-Za-z0-9_-]{1,300}$/), (text) => {
        const { data, side } = pixels(text)
        expect(read(data, side, side)?.data).toBe(text)
      }),
      { numRuns: 5 },
    )
    const long = `sotto:${'Ab3_'.repeat(500)}`
    const { data, side } = pixels(long)
    expect(read(data, side, side)?.data).toBe(long)
  })

  test('it is drawn as elements, not as HTML in a string, and has a name', () => {
    const { getByRole } = render(<QrCode text="sotto:abc" label="QR code of your invite link" />)
    const image = getByRole('img', { name: 'QR code of your invite link' })
    expect(image.querySelectorAll('path').length).toBe(1)
  })
})
