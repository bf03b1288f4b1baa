/** What every codec of the wire has to hold, whatever it carries. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CodecError } from '../../src/lib/errors.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import type { Codec } from '../../src/wire/codec.ts'
import { wireSample } from './wire-samples.ts'

/** The seed of every property here: `SOTTO_SEED=n` replays another. */
export const SEED = Number(process.env['SOTTO_SEED'] ?? 20_260_731)

/** The bytes are not accepted, and the only thing thrown is a CodecError. */
export function refuses<T>(codec: Codec<T>, bytes: Uint8Array, what: string): void {
  assert.throws(
    () => decode(codec, bytes),
    (error: unknown) => error instanceof CodecError,
    what,
  )
}

/** Lengths to cut an encoding to: every one near both ends, and about five hundred spread over what lies between. */
function* cuts(length: number): Generator<number> {
  const stride = Math.max(1, Math.floor(length / 500))
  for (let at = 0; at < length; at += at < 64 || at >= length - 64 ? 1 : stride) yield at
}

/** Values of a structure come back as they went, shorter encodings and a trailing byte are refused. */
export function holdsStrict(name: string, runs = 3): void {
  const { codec, arbitrary } = wireSample(name)
  for (const value of fc.sample(arbitrary, { numRuns: runs, seed: SEED })) {
    const bytes = encode(codec, value)
    assert.deepEqual(decode(codec, bytes), value, `${name}: round trip`)
    for (const length of cuts(bytes.length)) {
      refuses(codec, bytes.subarray(0, length), `${name}: cut to ${length}`)
    }
    refuses(codec, Uint8Array.from([...bytes, 0]), `${name}: trailing byte`)
  }
}

/** A first sample to take apart. */
export function encoded(name: string, index = 0): Uint8Array {
  const { codec, arbitrary } = wireSample(name)
  const value = fc.sample(arbitrary, { numRuns: index + 1, seed: SEED })[index]
  return encode(codec, value)
}
