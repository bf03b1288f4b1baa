/** What the daemon believes of its helper's words. */
import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, u32be } from '../../../../../src/lib/bytes.ts'
import { Line } from '../../../../../src/net/upgrade/webrtc/line.ts'
import {
  CHANNEL_MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  fromHelperCodec,
  toHelperCodec,
} from '../../../../../src/net/upgrade/webrtc/messages.ts'
import type { FromHelper } from '../../../../../src/net/upgrade/webrtc/messages.ts'
import { encode } from '../../../../../src/wire/codec.ts'

const settled = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const own = { ufrag: 'abcd', pwd: 'a'.repeat(22), fingerprint: new Uint8Array(32), candidates: [] }
const described = encode(fromHelperCodec, { kind: 1, body: { id: 1, own } })
const framed = (body: Uint8Array): Uint8Array => concat(u32be(body.length), body)
const openAt = (ip: string, port: number): Uint8Array =>
  concat(Uint8Array.of(2, 0, 0, 0, 1, ip.length), Buffer.from(ip), Uint8Array.of(port >> 8, port & 0xff))

/** The daemon's end, and what it made of these bytes. */
async function hear(...chunks: readonly Uint8Array[]) {
  const heard: FromHelper[] = []
  let ends = 0
  const pipe = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const line = new Line({
    pipe,
    says: toHelperCodec,
    hears: fromHelperCodec,
    heard: (message) => heard.push(message),
    ended: () => ends++,
  })
  for (const chunk of chunks) {
    if (!pipe.destroyed) pipe.push(chunk)
    await settled()
  }
  assert.equal(line.waitingBytes, 0)
  return { heard, ends }
}

test('SE-19 AS-08 the helper’s words: only what the codec reads, of no more than a message of the channel, and the pipe is cut', async () => {
  const good = await hear(framed(described), framed(openAt('::1', 1)), framed(openAt('21.0.0.2', 65_535)))
  assert.deepEqual([good.heard.length, good.ends], [3, 0])
  const largest = encode(fromHelperCodec, {
    kind: 3,
    body: { id: 1, data: new Uint8Array(CHANNEL_MESSAGE_BYTES_MAX) },
  })
  assert.ok(largest.length <= MESSAGE_BYTES_MAX)
  const bad = [
    u32be(0),
    u32be(0x7fff_ffff),
    u32be(MESSAGE_BYTES_MAX + 1),
    framed(Uint8Array.of(9)),
    framed(concat(described, Uint8Array.of(0))),
    framed(openAt('21.0.0.2', 0)),
    framed(openAt('name.example', 1)),
    framed(openAt('fe80::1%eth0', 1)),
    framed(openAt('', 1)),
    Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n'),
  ]
  for (const bytes of bad) {
    const { heard, ends } = await hear(bytes, framed(described))
    assert.deepEqual([heard.length, ends], [0, 1])
  }
})

test('AS-08 any bytes at all from the helper: messages or the end, and never an error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isFrame) => {
      const { heard, ends } = await hear(isFrame ? framed(bytes) : bytes)
      assert.ok(ends <= 1 && heard.length <= 75)
    }),
    { numRuns: 50 },
  )
})
