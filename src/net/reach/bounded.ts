/** Messages that libp2p reads by itself, bounded before it parses them: its readers collect up to 4 MiB, in whatever pieces they come. */
import type { Connection, Stream } from '@libp2p/interface'
import { LimitError } from '../../lib/errors.ts'
import { override } from './override.ts'

/** What a handshake of a relay takes; a place with its voucher and a relay's addresses is the longest. */
const HANDSHAKE_BYTES_MAX = 4_096

/**
 * Resets the stream when more than 4 KiB come while libp2p's reader of messages is on it. The reader takes itself off (`unwrap`)
 * where the handshake succeeded and the stream is handed on, and only there: what is refused stays bounded for as long as it lives.
 * To be called before the reader is put on.
 */
export function boundHandshake(stream: Stream): void {
  let bytes = 0
  const onMessage = (event: Event & { readonly data: { readonly byteLength: number } }): void => {
    bytes += event.data.byteLength
    if (bytes <= HANDSHAKE_BYTES_MAX) return
    event.stopImmediatePropagation()
    stream.abort(new LimitError('a handshake is longer than it may be'))
  }
  const add = stream.addEventListener.bind(stream)
  const remove = stream.removeEventListener.bind(stream)
  // Not before the reader's own listener: what had come already would be handed to ours alone.
  stream.addEventListener = (...args: Parameters<typeof add>): void => {
    if (args[0] === 'message') {
      stream.addEventListener = add
      add('message', onMessage)
    }
    add(...args)
  }
  stream.removeEventListener = (...args: Parameters<typeof remove>): void => {
    remove(...args)
    if (args[0] !== 'message') return
    stream.removeEventListener = remove
    remove('message', onMessage)
  }
}

/** The connection, every stream that is opened on it bounded so. */
export function withBoundHandshakes(connection: Connection): Connection {
  const newStream: Connection['newStream'] = async (...args) => {
    const stream = await connection.newStream(...args)
    boundHandshake(stream)
    return stream
  }
  return override(connection, { newStream })
}
