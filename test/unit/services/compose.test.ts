import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, toHex } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { compose, pieces } from '../../../src/services/outbox/compose.ts'
import { decode } from '../../../src/wire/codec.ts'
import { CONTENT_KIND, contentCodec, PART_BYTES_MAX, partBodyCodec, PARTS_MAX } from '../../../src/wire/content.ts'

const rng = seededRng(45)
const devices = [rng.bytes(16), rng.bytes(16), rng.bytes(16)]

function say(bodyBytes: number) {
  let sequence = 0
  const saying = {
    id: rng.bytes(16),
    kind: CONTENT_KIND.text,
    body: rng.bytes(bodyBytes),
    sentAt: 1,
    contact: rng.bytes(32),
    devices,
    quiet: false,
  }
  return { saying, items: compose(saying, { rng, clock: new VirtualClock(), sequence: () => ++sequence }) }
}

test('E2-45 what is said goes to each device in an envelope of its own, and says the same', () => {
  const { saying, items } = say(100)
  assert.deepEqual(
    items.map(({ deviceId }) => toHex(deviceId)),
    devices.map(toHex),
  )
  for (const item of items) {
    const content = decode(contentCodec, item.content)
    assert.deepEqual([content.id, content.kind, content.body], [saying.id, saying.kind, saying.body])
    assert.deepEqual(content.preimage, item.preimage, 'who reads it can acknowledge and delete it')
  }
  assert.equal(new Set(items.map(({ preimage }) => toHex(preimage))).size, devices.length, 'and nobody else’s copy')
})

test('E2-45 DT-17 a large body goes in parts, linear in devices, and adds up again', () => {
  const { saying, items } = say(3 * PART_BYTES_MAX - 1)
  assert.equal(items.length, 3 * devices.length)
  const mine = items
    .filter(({ deviceId }) => deviceId === devices[1])
    .map(({ content }) => decode(contentCodec, content))
  const parts = mine.map(({ body }) => decode(partBodyCodec, body))
  assert.deepEqual(concat(...parts.map(({ bytes }) => bytes)), saying.body)
  assert.deepEqual(
    parts.map(({ index, count, kind }) => [index, count, kind]),
    [0, 1, 2].map((index) => [index, 3, CONTENT_KIND.text]),
  )
})

test('a body of more than 32 parts is refused', () => {
  const body = new Uint8Array(PARTS_MAX * PART_BYTES_MAX + 1)
  assert.throws(() => pieces({ id: rng.bytes(16), kind: CONTENT_KIND.text, body }), { name: 'LimitError' })
})
