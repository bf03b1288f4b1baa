import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodecError } from '../../../src/lib/errors.ts'
import {
  bool,
  constant,
  decode,
  encode,
  fixed,
  list,
  mapped,
  oneOf,
  opaque,
  optional,
  packed,
  struct,
  text,
  tryDecode,
  u16,
  u32,
  u64,
  u8,
  variant,
} from '../../../src/wire/codec.ts'
import type { Codec } from '../../../src/wire/codec.ts'
import { refuses } from '../../support/strict.ts'

const hex = <T>(codec: Codec<T>, value: unknown): string => Buffer.from(encode(codec, value as T)).toString('hex')
const from = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const no = <T>(codec: Codec<T>, text: string): void => {
  refuses(codec, from(text), text)
}
const noWrite = <T>(codec: Codec<T>, value: unknown): void => {
  assert.throws(() => encode(codec, value as T), CodecError)
}

test('integers: big-endian, in range, nothing else', () => {
  assert.deepEqual(
    [hex(u8, 255), hex(u16, 258), hex(u32, 0xdeadbeef), hex(u64, 2 ** 40 + 1)],
    ['ff', '0102', 'deadbeef', '0000010000000001'],
  )
  for (const [codec, bits] of [
    [u8, 8],
    [u16, 16],
    [u32, 32],
    [u64, 53],
  ] as const) {
    const max = 2 ** bits - 1
    for (const value of [0, 1, max]) assert.equal(decode(codec, encode(codec, value)), value)
    for (const value of [-1, 0.5, NaN, Infinity, max + 1]) noWrite(codec, value)
  }
  no(u64, '0020000000000000')
  no(u64, 'ffffffffffffffff')
  assert.equal(decode(u64, from('001fffffffffffff')), Number.MAX_SAFE_INTEGER)
  no(u32, '010203')
  no(u16, '010203')
})

test('a boolean is 0 or 1, an option says so with the same byte', () => {
  assert.deepEqual(
    [hex(bool, true), hex(bool, false), hex(optional(u8), undefined), hex(optional(u8), 7)],
    ['01', '00', '00', '0107'],
  )
  no(bool, '02')
  no(optional(u8), '0207')
  no(optional(u8), '01')
  no(optional(u8), '0007')
})

test('constants and lists of values refuse whatever is reserved', () => {
  assert.equal(decode(constant(3), from('03')), 3)
  no(constant(3), '04')
  assert.equal(decode(oneOf(0, 2), from('02')), 2)
  no(oneOf(0, 2), '01')
  noWrite(oneOf(0, 2), 1)
})

test('fixed and opaque: lengths are exact, bounded both ways, wide by their maximum', () => {
  assert.equal(hex(fixed(2), Uint8Array.of(1, 2)), '0102')
  noWrite(fixed(2), Uint8Array.of(1))
  assert.equal(hex(opaque(255), Uint8Array.of(9)), '0109')
  assert.equal(hex(opaque(256), Uint8Array.of(9)), '000109')
  assert.equal(hex(opaque(65_536), Uint8Array.of(9)), '0000000109')
  const bounded = opaque(3, 1)
  for (const bytes of ['00', '0401020304', '03aabb']) no(bounded, bytes)
  for (const length of [0, 4]) noWrite(bounded, new Uint8Array(length))
})

test('what was decoded does not alias what came in', () => {
  const input = from('020102')
  const value = decode(opaque(8), input)
  input.fill(0)
  assert.deepEqual(value, Uint8Array.of(1, 2))
})

test('text is well-formed UTF-8 of so many bytes, not characters', () => {
  const three = text(3)
  assert.equal(hex(three, '€'), '03e282ac')
  noWrite(three, '€x')
  noWrite(three, 'abcd')
  for (const bytes of ['02c080', '03eda080', '01ff', '02e282']) no(three, bytes)
  assert.equal(decode(three, from('03efbbbf')), '\uFEFF', 'a byte order mark is kept: it has its own encoding')
  assert.equal(hex(three, '\uD800'), '03efbfbd', 'a lone surrogate cannot be written')
})

test('lists carry their count, bounded both ways', () => {
  const codec = list(u16, 3, 1)
  assert.equal(hex(codec, [1, 2]), '0200010002')
  for (const bytes of ['00', '0400010002000300040005', '020001', '01000100']) no(codec, bytes)
  for (const values of [[], [1, 2, 3, 4]]) noWrite(codec, values)
})

test('packed items have the bytes of a list of them, and are bounded like one', () => {
  const items = list(fixed(2), 3, 1)
  const one = packed(2, 3, 1)
  assert.equal(hex(one, from('aabbccdd')), hex(items, [from('aabb'), from('ccdd')]))
  assert.deepEqual(decode(one, from('02aabbccdd')), from('aabbccdd'))
  for (const bytes of ['', 'aa', 'aabbcc', 'aabbccddeeff0011']) noWrite(one, from(bytes))
  for (const bytes of ['00', '04aabbccddeeff0011', '02aabbcc', '01aabbcc']) no(one, bytes)
  assert.equal(hex(packed(1, 256), from('07')), '000107', 'a count as wide as its maximum asks for')
})

test('text that does not fit is refused also where it breaks off within a character or a long text', () => {
  for (const value of ['ééé', '日本', 'aaaaaa', '😀😀']) noWrite(text(5), value)
  assert.equal(hex(text(4), '😀'), '04f09f9880')
  const long = 'é'.repeat(60_000)
  assert.equal(decode(text(120_000), encode(text(120_000), long)), long)
  noWrite(text(119_999), long)
})

test('a count or length that promises much costs nothing', () => {
  const before = process.memoryUsage().arrayBuffers
  const started = process.cpuUsage()
  for (let i = 0; i < 2_000; i++) {
    no(opaque(2 ** 31), '7fffffff00')
    no(list(fixed(1_024), 2 ** 31), '7fffffff00')
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 2 ** 20)
  assert.ok(process.cpuUsage(started).user < 1_000_000)
})

test('variants know their kinds and no others, not even those of the object prototype', () => {
  const codec = variant({ 1: u8, 7: struct({}) })
  assert.equal(hex(codec, { kind: 1, body: 5 }), '0105')
  assert.deepEqual(decode(codec, from('07')), { kind: 7, body: {} })
  for (const bytes of ['', '00', '0205', '01', '0700']) no(codec, bytes)
  noWrite(codec, { kind: 2, body: 5 })
  noWrite(codec, { kind: 'constructor', body: 5 })
})

test('structures are their fields in order, mapped codecs keep the bytes', () => {
  const codec = struct({ b: u8, a: u16 })
  assert.equal(hex(codec, { a: 1, b: 2 }), '020001')
  const doubled = mapped(
    u8,
    (wire) => wire * 2,
    (value) => value / 2,
  )
  assert.equal(decode(doubled, encode(doubled, 8)), 8)
  assert.equal(hex(doubled, 8), '04')
  noWrite(doubled, 7)
})

test('tryDecode hides refusals and nothing else', () => {
  assert.equal(tryDecode(u8, from('05')), 5)
  assert.equal(tryDecode(u8, from('0505')), undefined)
  const broken = mapped(
    u8,
    () => {
      throw new TypeError('a bug')
    },
    () => 0,
  )
  assert.throws(() => tryDecode(broken, from('05')), TypeError)
})

test('long values grow the writer and come back whole', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 30 }), (values) => {
      const codec = list(opaque(1_000), 100)
      assert.deepEqual(decode(codec, encode(codec, values)), values)
    }),
    { numRuns: 50 },
  )
})
