/** `u32 length (big endian) | length bytes`, 1 ≤ length ≤ a cap: what a stream is cut into. */
import { LimitError } from '../../lib/errors.ts'

const PREFIX_BYTES = 4
const BODY_START_BYTES = 16_384

/** Cuts bytes into frames. Memory follows the bytes that came, not the length that was promised. */
export class FrameSplitter {
  readonly #bytesMax: number
  readonly #prefix = new Uint8Array(PREFIX_BYTES)
  #prefixFilled = 0
  #length = 0
  #body = new Uint8Array(0)
  #bodyFilled = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Whether a frame has begun and is not whole. */
  get partial(): boolean {
    return this.#prefixFilled > 0
  }

  /** The frames that became whole. Throws {@link LimitError} on a length of 0 or above the cap. */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let at = 0; at < chunk.length;) {
      at += this.#prefixFilled < PREFIX_BYTES ? this.#takePrefix(chunk, at) : this.#takeBody(chunk, at)
      if (this.#prefixFilled === PREFIX_BYTES && this.#bodyFilled === this.#length) frames.push(this.#finish())
    }
    return frames
  }

  #takePrefix(chunk: Uint8Array, at: number): number {
    const count = Math.min(PREFIX_BYTES - this.#prefixFilled, chunk.length - at)
    this.#prefix.set(chunk.subarray(at, at + count), this.#prefixFilled)
    this.#prefixFilled += count
    if (this.#prefixFilled === PREFIX_BYTES) {
      this.#length = new DataView(this.#prefix.buffer).getUint32(0)
      if (this.#length === 0 || this.#length > this.#bytesMax) throw new LimitError('frame length out of bounds')
      this.#body = new Uint8Array(Math.min(this.#length, BODY_START_BYTES))
    }
    return count
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#length - this.#bodyFilled, chunk.length - at)
    const filled = this.#bodyFilled + count
    if (filled > this.#body.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(filled, this.#body.length * 2)))
      grown.set(this.#body.subarray(0, this.#bodyFilled))
      this.#body = grown
    }
    this.#body.set(chunk.subarray(at, at + count), this.#bodyFilled)
    this.#bodyFilled = filled
    return count
  }

  #finish(): Uint8Array {
    const frame = this.#body
    this.#body = new Uint8Array(0)
    this.#prefixFilled = 0
    this.#bodyFilled = 0
    this.#length = 0
    return frame
  }
}
