/** Bytes that nobody meant: mutations of real encodings, and noise, into every decoder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, equal } from '../../src/lib/bytes.ts'
import { CodecError } from '../../src/lib/errors.ts'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import type { Codec } from '../../src/wire/codec.ts'
import { contentBody } from '../../src/wire/content.ts'
import { SEED } from '../support/strict.ts'
import { WIRE_SAMPLES } from '../support/wire-samples.ts'

/** Inputs over all decoders; `SOTTO_FUZZ_RUNS=1000000` for the long run. */
const RUNS = Number(process.env['SOTTO_FUZZ_RUNS'] ?? 100_000)
const STALL_MS = 50

/** Counts the bytes that a decoder allocates: every array that it copies out of its input is made here. */
class Counted extends Uint8Array {
  static allocated = 0
  constructor(source: number | ArrayBufferLike | Uint8Array, offset?: number, length?: number) {
    if (typeof source === 'number') Counted.allocated += source
    super(source as ArrayBuffer, offset, length)
  }
}

/** Whether the bytes were accepted. Whatever is, has to encode to the same bytes; whatever is not, throws a CodecError. */
function accepts(codec: Codec<unknown>, bytes: Uint8Array): boolean {
  let value: unknown
  try {
    value = decode(codec, bytes)
  } catch (error) {
    if (error instanceof CodecError) return false
    throw error
  }
  assert.ok(equal(encode(codec, value), bytes), 'accepted, but encodes to something else')
  return true
}

function timed(action: () => unknown): number {
  const started = process.hrtime.bigint()
  action()
  return Number(process.hrtime.bigint() - started) / 1e6
}

function mutated(bytes: Uint8Array, rng: Rng): Uint8Array {
  const out = bytes.slice()
  const at = randomBelow(rng, Math.max(1, randomBelow(rng, 2) === 0 ? Math.min(out.length, 64) : out.length))
  switch (randomBelow(rng, 6)) {
    case 0:
      out[at] = (out[at] ?? 0) ^ (1 << randomBelow(rng, 8))
      return out
    case 1:
      out[at] = [0, 1, 2, 0x7f, 0x80, 0xff][randomBelow(rng, 6)] ?? 0
      return out
    case 2:
      return out.subarray(0, at)
    case 3:
      return concat(out.subarray(0, at), rng.bytes(1 + randomBelow(rng, 8)), out.subarray(at))
    case 4:
      return concat(out.subarray(0, at), out.subarray(at + 1 + randomBelow(rng, 8)))
    default:
      out.set(rng.bytes(Math.min(4, out.length - at)), at)
      return out
  }
}

test('TE-13 TE-18 every structure encodes canonically: mutations are refused or are themselves an encoding', () => {
  for (const { codec, arbitrary } of WIRE_SAMPLES) {
    fc.assert(
      fc.property(arbitrary, fc.integer(), (value, seed) => {
        const rng = seededRng(seed)
        const bytes = encode(codec, value)
        assert.ok(accepts(codec, bytes))
        for (let i = 0; i < 8; i++) accepts(codec, mutated(bytes, rng))
      }),
      { numRuns: 15, seed: SEED },
    )
  }
})

test(`SE-19 DT-12 ${RUNS} inputs into every decoder: no crash, no stall, no allocation beyond the input (seed ${SEED})`, () => {
  const pool = WIRE_SAMPLES.map(({ codec, arbitrary }) => ({
    codec,
    samples: fc.sample(arbitrary, { numRuns: 6, seed: SEED }).map((value) => encode(codec, value)),
  }))
  const rng = seededRng(SEED)
  let accepted = 0
  for (let i = 0; i < RUNS; i++) {
    const { codec, samples } = pool[i % pool.length] ?? assert.fail()
    const sample = samples[randomBelow(rng, samples.length)] ?? assert.fail()
    const raw = randomBelow(rng, 5) === 0 ? rng.bytes(randomBelow(rng, 200)) : mutated(sample, rng)
    const bytes = new Counted(raw)
    Counted.allocated = 0
    const tookMs = timed(() => {
      if (accepts(codec, bytes)) accepted++
    })
    assert.ok(Counted.allocated <= bytes.length, `${Counted.allocated} bytes allocated for ${bytes.length}`)
    // A shared machine may have been elsewhere for a while: what is slow by itself is slow again.
    const stalls = tookMs > STALL_MS && [1, 2, 3].every(() => timed(() => accepts(codec, bytes)) > STALL_MS)
    assert.ok(!stalls, `input ${i} took ${tookMs} ms`)
  }
  assert.ok(accepted > RUNS / 10 && accepted < RUNS, `${accepted} of ${RUNS} accepted`)
})

test('E2-20 no body of any kind throws, whatever it holds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 300 }), (kind, bytes) => {
      const body = contentBody(kind, bytes)
      assert.ok(body === undefined || body.kind === 'unsupported' || body.kind === kind)
    }),
    { seed: SEED },
  )
})
