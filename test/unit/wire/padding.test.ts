import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodecError } from '../../../src/lib/errors.ts'
import { pad, SIZE_CLASSES_BYTES, sizeClassFor, unpad } from '../../../src/wire/padding.ts'

test('MB-24 there are five sizes and no others', () => {
  assert.deepEqual([...SIZE_CLASSES_BYTES], [2_048, 4_096, 8_192, 16_384, 65_536])
  const seen = new Set<number>()
  for (let length = 0; length <= 65_536; length++) {
    const index = sizeClassFor(length)
    assert.ok(index !== undefined)
    const size = SIZE_CLASSES_BYTES[index] ?? 0
    assert.ok(size >= length && (index === 0 || (SIZE_CLASSES_BYTES[index - 1] ?? 0) < length), `${length} in ${size}`)
    seen.add(size)
  }
  assert.equal(seen.size, 5)
  assert.equal(sizeClassFor(65_537), undefined)
})

test('padding comes off exactly, whatever the bytes end in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (bytes, extra) => {
      const size = bytes.length + extra
      const padded = pad(bytes, size)
      assert.equal(padded.length, size)
      assert.deepEqual(unpad(padded), bytes)
    }),
  )
  assert.deepEqual(unpad(pad(Uint8Array.of(0x80, 0, 0), 8)), Uint8Array.of(0x80, 0, 0))
})

test('what is too long or not padded is refused', () => {
  assert.throws(() => pad(new Uint8Array(8), 8), CodecError)
  for (const bytes of [[], [0], [0, 0, 0], [1], [0x80, 1], [0x81, 0]]) {
    assert.throws(() => unpad(Uint8Array.from(bytes)), CodecError)
  }
})
