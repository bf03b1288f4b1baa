/** The vectors of RFC 5769, and what a stranger may send to the port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { systemRng } from '../../../src/lib/rng.ts'
import { STUN_BYTES_MAX, stunAnswer, stunAnswerIn, stunRequest, stunRequestIn } from '../../../src/wire/stun.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
const TRANSACTION = hex('b7e7a701 bc34d686 fa87dfae')

/** §2.1: an ICE check. */
const REQUEST = hex(`00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf`)
/** §2.2 */
const ANSWER_4 = hex(`0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96`)
/** §2.3 */
const ANSWER_6 = hex(`01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c`)

test('NA-02 RFC 5769: the sample answers say 192.0.2.1 and 2001:db8:…:6677, port 32853', () => {
  for (const vector of [REQUEST, ANSWER_4, ANSWER_6]) {
    const fingerprint = Buffer.from(vector).readUInt32BE(vector.length - 4)
    assert.equal((crc32(vector.subarray(0, -8)) ^ 0x5354554e) >>> 0, fingerprint, 'the vector is as printed')
  }
  assert.deepEqual(stunAnswerIn(ANSWER_4, TRANSACTION), { ip: Uint8Array.of(192, 0, 2, 1), port: 32_853 })
  const ip = hex('20010db8 12345678 00112233 44556677')
  assert.deepEqual(stunAnswerIn(ANSWER_6, TRANSACTION), { ip, port: 32_853 })
})

test('NA-02 SE-19 RFC 5769: the sample request asks for credentials to be checked, and gets no answer', () => {
  assert.equal(stunRequestIn(REQUEST), undefined)
})

test('NA-02 what we ask is what we answer, in the bytes of the sample but for what we leave out', () => {
  const { transaction, bytes } = stunRequest(systemRng)
  assert.equal(bytes.length, 20)
  assert.deepEqual(stunRequestIn(bytes), transaction)
  const answer = stunAnswer(TRANSACTION, { ip: Uint8Array.of(192, 0, 2, 1), port: 32_853 })
  assert.deepEqual(answer, hex('0101000c 2112a442 b7e7a701 bc34d686 fa87dfae 00200008 0001a147 e112a643'))
  for (const size of [4, 16]) {
    const seen = { ip: systemRng.bytes(size), port: 4_001 }
    assert.deepEqual(stunAnswerIn(stunAnswer(transaction, seen), transaction), seen)
    assert.equal(stunAnswerIn(stunAnswer(transaction, seen), TRANSACTION), undefined, 'not to what was asked')
  }
})

test('SE-19 AS-08 no cookie, another method, a wrong length, too long, an attribute that has to be understood: no answer', () => {
  const good = stunRequest(systemRng).bytes
  const changed = (at: number, ...bytes: readonly number[]): Uint8Array => {
    const copy = good.slice()
    copy.set(bytes, at)
    return copy
  }
  const long = new Uint8Array(STUN_BYTES_MAX + 4)
  long.set(changed(2, (long.length - 20) >> 8, (long.length - 20) & 0xff))
  const withAttribute = (type: number): Uint8Array =>
    Uint8Array.from([...changed(2, 0, 8), type >> 8, type & 0xff, 0, 2, 1, 1, 0, 0])
  assert.ok(stunRequestIn(withAttribute(0x8022)) !== undefined, 'software is a comment')
  const bad = [
    changed(4, 0),
    changed(1, 3),
    changed(0, 1),
    changed(3, 4),
    long,
    good.subarray(0, 19),
    withAttribute(0x0006),
  ]
  for (const bytes of bad) assert.equal(stunRequestIn(bytes), undefined)
})

test('AS-08 any bytes at all: an answer or none, and never an error', () => {
  const head = stunRequest(systemRng).bytes
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, asRequest) => {
      if (asRequest) bytes.set(head.subarray(0, Math.min(8, bytes.length)))
      const transaction = stunRequestIn(bytes)
      assert.ok(transaction === undefined || transaction.length === 12)
      stunAnswerIn(bytes, TRANSACTION)
    }),
  )
})
