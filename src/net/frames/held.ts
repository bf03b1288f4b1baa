/**
 * What a stream has received while it is not read. libp2p keeps every piece as it came: a peer that fills a window of 512 KiB byte by
 * byte makes half a million objects of it, each holding on to the packet that it came in.
 */
import type { MessageStream } from '@libp2p/interface'

/** So many pieces are merged to one; whole windows of pieces of 1 KiB never are. */
const PIECES_MAX = 512

/** The parts of libp2p's streams that their public type leaves out. */
interface Internals {
  onData(data: { readonly byteLength: number }): void
  readonly readBuffer: {
    readonly byteLength: number
    subarray(): Uint8Array
    consume(bytes: number): void
    append(bytes: Uint8Array): void
  }
}

/** Keeps what waits in the stream in few pieces, whatever it came in. */
export function mergeHeld(stream: MessageStream): void {
  const inner = stream as unknown as Internals
  const onData = inner.onData.bind(stream)
  let pieces = 0
  inner.onData = (data) => {
    onData(data)
    const { readBuffer } = inner
    pieces = readBuffer.byteLength === 0 ? 0 : pieces + 1
    if (pieces < PIECES_MAX) return
    const merged = readBuffer.subarray()
    readBuffer.consume(merged.byteLength)
    readBuffer.append(merged)
    pieces = 0
  }
}
