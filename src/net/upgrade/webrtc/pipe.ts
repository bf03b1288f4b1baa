/**
 * A data channel as a connection for libp2p. Every message begins with its kind: 0 data, 1 credit (u32: bytes that were taken),
 * 2 end. Nobody sends more than {@link WINDOW_BYTES} that the other end has not taken: that bounds what waits on the whole way,
 * which has no back-pressure of its own (SCTP and the helper take whatever comes). Who sends more is cut.
 */
import type { ComponentLogger } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { concat, u32be } from '../../../lib/bytes.ts'
import type { Clock } from '../../../lib/clock.ts'
import { NetworkError } from '../../../lib/errors.ts'
import { mergeHeld } from '../../frames/held.ts'
import type { Meeting } from './helper.ts'
import { CHANNEL_MESSAGE_BYTES_MAX } from './messages.ts'

const KIND = { data: 0, credit: 1, end: 2 } as const
const CREDIT_BYTES = 5
export const WINDOW_BYTES = 1_024 * 1_024
/** Taken bytes are told in lots. */
const LOT_BYTES = WINDOW_BYTES / 8
const CHUNK_BYTES = CHANNEL_MESSAGE_BYTES_MAX - 1
/** How long the other end may take to say that it has read everything. */
const END_MS = 2_000

type Chunks = Parameters<AbstractMultiaddrConnection['sendData']>[0]
type Sent = ReturnType<AbstractMultiaddrConnection['sendData']>

export interface PipeInit {
  readonly meeting: Pick<Meeting, 'send' | 'close'>
  readonly remoteAddr: Multiaddr
  readonly direction: 'inbound' | 'outbound'
  readonly clock: Clock
  readonly logger: ComponentLogger
}

export class Pipe extends AbstractMultiaddrConnection {
  readonly #meeting: PipeInit['meeting']
  readonly #clock: Clock
  readonly #ended = Promise.withResolvers<void>()
  /** What we may send. */
  #credit = WINDOW_BYTES
  /** What the other end may send. */
  #window = WINDOW_BYTES
  /** Read, and not told yet. */
  #taken = 0
  #endSent = false
  #cancelEnd = (): void => {}

  constructor({ meeting, clock, logger, remoteAddr, direction }: PipeInit) {
    super({ remoteAddr, direction, log: logger.forComponent('sotto:webrtc') })
    this.#meeting = meeting
    this.#clock = clock
    mergeHeld(this) // the window counts bytes, and a message may be one
  }

  /** One message of the channel. */
  received(message: Uint8Array): void {
    const [kind, rest] = [message[0], message.subarray(1)]
    if (kind === KIND.data) this.#data(rest)
    else if (kind === KIND.credit && message.length === CREDIT_BYTES) this.#credited(rest)
    else if (kind === KIND.end && message.length === 1) this.#finished()
    else this.abort(new NetworkError('not a message of the pipe'))
  }

  /** The channel is gone. */
  lost(): void {
    this.#cancelEnd()
    this.#ended.resolve()
    if (this.status === 'open') this.abort(new NetworkError('the WebRTC channel was closed'))
  }

  override sendData(chunks: Chunks): Sent {
    const sentBytes = Math.min(chunks.byteLength, this.#credit)
    for (let at = 0; at < sentBytes; at += CHUNK_BYTES) {
      const chunk = chunks.subarray(at, Math.min(at + CHUNK_BYTES, sentBytes))
      this.#meeting.send(concat(Uint8Array.of(KIND.data), chunk))
    }
    this.#credit -= sentBytes
    return { sentBytes, canSendMore: this.#credit > 0 }
  }

  /** Says that there is no more, and waits until the other end has it all. */
  override async sendClose(): Promise<void> {
    this.#end()
    const cancel = this.#clock.after(END_MS, this.#ended.resolve)
    await this.#ended.promise
    cancel()
    this.#meeting.close()
  }

  override sendReset(): void {
    this.#ended.resolve()
    this.#meeting.close()
  }

  override sendPause(): void {}

  override sendResume(): void {
    this.#tellTaken()
  }

  #data(data: Uint8Array): void {
    this.#window -= data.length
    if (this.#window < 0 || data.length === 0) {
      this.abort(new NetworkError('the peer sends more than it may'))
      return
    }
    this.#taken += data.length
    this.onData(data)
    this.#tellTaken()
  }

  /** What waits unread in front of who paused us is not taken. */
  #tellTaken(): void {
    const taken = this.#taken - this.readBufferLength
    if (taken < LOT_BYTES || this.status !== 'open') return
    this.#taken -= taken
    this.#window += taken
    this.#meeting.send(concat(Uint8Array.of(KIND.credit), u32be(taken)))
  }

  #credited(bytes: Uint8Array): void {
    const credit = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
    if (credit === 0 || this.#credit + credit > WINDOW_BYTES) {
      this.abort(new NetworkError('the peer took more than it was sent'))
      return
    }
    this.#credit += credit
    if (this.writableNeedsDrain) this.safeDispatchEvent('drain')
  }

  #finished(): void {
    this.#ended.resolve()
    if (this.status !== 'open') return
    this.#end()
    this.#cancelEnd = this.#clock.after(END_MS, () => {
      this.#meeting.close() // where the other end, which has our end now, does not
    })
    this.onTransportClosed()
  }

  #end(): void {
    if (this.#endSent) return
    this.#endSent = true
    this.#meeting.send(Uint8Array.of(KIND.end))
  }
}
