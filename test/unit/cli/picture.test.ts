/** What a picture tells besides what it shows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanPicture } from '../../../src/cli/picture.ts'

const CANARY = 'GPS 52.5200 13.4050'
const u32be = (value: number): Buffer => Buffer.from(value.toString(16).padStart(8, '0'), 'hex')
const u32le = (value: number): Buffer => u32be(value).reverse()
const png = (name: string, data: string | Buffer): Buffer => {
  const body = Buffer.from(data)
  return Buffer.concat([u32be(body.length), Buffer.from(name), body, Buffer.alloc(4)])
}
const jpeg = (marker: number, data: string): Buffer =>
  Buffer.concat([Buffer.from([0xff, marker, 0, data.length + 2]), Buffer.from(data, 'latin1')])
const webp = (name: string, data: string | Buffer): Buffer => {
  const body = Buffer.from(data)
  return Buffer.concat([Buffer.from(name), u32le(body.length), body, Buffer.alloc(body.length % 2)])
}
const riff = (...chunks: Buffer[]): Buffer => {
  const body = Buffer.concat([Buffer.from('WEBP'), ...chunks])
  return Buffer.concat([Buffer.from('RIFF'), u32le(body.length), body])
}
const PNG_HEAD = Buffer.from('89504e470d0a1a0a', 'hex')
const SCAN = Buffer.from('\u0001\u0002ÿ\u0000ÿÐ\u0003', 'latin1')

const PICTURES = {
  'image/png': [
    Buffer.concat([
      PNG_HEAD,
      png('IHDR', 'head'),
      png('eXIf', CANARY),
      png('tEXt', `Author\0${CANARY}`),
      png('tRNS', 'clear'),
      png('IDAT', 'pixels'),
      png('tIME', CANARY),
      png('IEND', ''),
      Buffer.from(CANARY),
    ]),
    Buffer.concat([PNG_HEAD, png('IHDR', 'head'), png('tRNS', 'clear'), png('IDAT', 'pixels'), png('IEND', '')]),
  ],
  'image/jpeg': [
    Buffer.concat([
      Buffer.from('ffd8', 'hex'),
      jpeg(0xe0, 'JFIF'),
      jpeg(0xe1, `Exif${CANARY}`),
      jpeg(0xed, CANARY),
      jpeg(0xfe, CANARY),
      jpeg(0xee, 'Adobe'),
      jpeg(0xdb, 'table'),
      jpeg(0xda, 'scan'),
      SCAN,
      jpeg(0xfe, CANARY),
      jpeg(0xda, 'scan'),
      SCAN,
      Buffer.from('ffd9', 'hex'),
      Buffer.from(CANARY),
    ]),
    Buffer.concat([
      Buffer.from('ffd8', 'hex'),
      jpeg(0xe0, 'JFIF'),
      jpeg(0xee, 'Adobe'),
      jpeg(0xdb, 'table'),
      jpeg(0xda, 'scan'),
      SCAN,
      jpeg(0xda, 'scan'),
      SCAN,
      Buffer.from('ffd9', 'hex'),
    ]),
  ],
  'image/webp': [
    Buffer.concat([
      riff(
        webp('VP8X', Buffer.from('3c000000ff0000ff0000', 'hex')),
        webp('ICCP', CANARY),
        webp('VP8 ', 'odd'),
        webp('EXIF', CANARY),
        webp('XMP ', CANARY),
      ),
      Buffer.from(CANARY),
    ]),
    riff(webp('VP8X', Buffer.from('10000000ff0000ff0000', 'hex')), webp('VP8 ', 'odd')),
  ],
} as const

for (const [type, [taken, clean]] of Object.entries(PICTURES))
  test(`PR-08 SE-16 ${type}: place, time, device and author are left out, what is seen stays`, () => {
    assert.deepEqual(cleanPicture(taken), { type, bytes: clean })
    assert.ok(!cleanPicture(taken).bytes.includes('GPS'))
    assert.deepEqual(cleanPicture(clean).bytes, clean)
    for (let size = 12; size < clean.length; size++)
      assert.throws(() => cleanPicture(clean.subarray(0, size)), { name: 'UsageError' }, `${size} bytes`)
  })

test('PR-08 what is no picture is refused', () => {
  for (const text of ['', '<svg/>', 'GIF89a', 'RIFF0000WAVE'])
    assert.throws(() => cleanPicture(Buffer.from(text)), { name: 'UsageError', message: /PNG, JPEG or WebP/ })
})
