/** What one direction of a circuit has read and not passed on: tiny pieces become larger ones here, and large ones smaller. */
import { concat } from '../../lib/bytes.ts'

/** What comes in pieces at all costs as much as that. */
const PIECE_COST_BYTES = 256
/** What is passed on at a time: the shares of a rate are as fine as that. */
const PASSED_BYTES_MAX = 16_384

/** What a piece of so many bytes counts for, in memory, rate and budget. */
export function costOf(bytes: number): number {
  return Math.max(bytes, PIECE_COST_BYTES)
}

export class Waiting {
  #pieces: Uint8Array[] = []
  #cost = 0

  /** What waits, counted by {@link costOf}. */
  get cost(): number {
    return this.#cost
  }

  push(data: { subarray(): Uint8Array }): void {
    const bytes = data.subarray()
    // a small view would hold on to the whole packet that it came in
    this.#pieces.push(bytes.length < PIECE_COST_BYTES ? bytes.slice() : bytes)
    this.#cost += costOf(bytes.length)
  }

  /** The next bytes to be passed on, at most 16 KiB; `undefined` where nothing waits. */
  next(): Uint8Array | undefined {
    const parts: Uint8Array[] = []
    let room = PASSED_BYTES_MAX
    while (room > 0) {
      const [piece] = this.#pieces
      if (piece === undefined) break
      parts.push(piece.subarray(0, room))
      this.#take(piece, room)
      room -= Math.min(room, piece.length)
    }
    return parts.length > 1 ? concat(...parts) : parts[0]
  }

  #take(piece: Uint8Array, room: number): void {
    this.#cost -= costOf(piece.length)
    if (piece.length <= room) {
      this.#pieces.shift()
      return
    }
    const rest = piece.subarray(room)
    this.#pieces[0] = rest
    this.#cost += costOf(rest.length)
  }
}
