/**
 * One end of the pipe between the daemon and its helper: `u32 length | message`, both ways. It is a plain pipe and not Node's own
 * channel, which trusts who is at its other end: what it says there is obeyed, and any length that it promises is waited for.
 */
import type { Duplex } from 'node:stream'
import { concat, u32be } from '../../../lib/bytes.ts'
import { decode, encode } from '../../../wire/codec.ts'
import type { Codec } from '../../../wire/codec.ts'
import { FrameSplitter } from '../../frames/frame-splitter.ts'
import { MESSAGE_BYTES_MAX } from './messages.ts'

export interface LineInit<Out, In> {
  readonly pipe: Duplex
  readonly says: Codec<Out>
  readonly hears: Codec<In>
  readonly heard: (message: In) => void
  /** The last thing that is told: the other end is gone, or said what is no message. */
  readonly ended: () => void
}

export class Line<Out, In> {
  readonly #init: LineInit<Out, In>
  readonly #splitter = new FrameSplitter(MESSAGE_BYTES_MAX)

  constructor(init: LineInit<Out, In>) {
    const { pipe, ended } = init
    this.#init = init
    pipe.on('data', (chunk: Uint8Array) => {
      this.#take(chunk)
    })
    pipe.on('end', () => pipe.destroy())
    pipe.on('error', () => {}) // `close` follows
    pipe.once('close', ended)
  }

  /** Said, and not taken by the system yet. */
  get waitingBytes(): number {
    return this.#init.pipe.writableLength
  }

  /** Throws {@link CodecError} where it is no message. After the end nobody hears it. */
  say(message: Out, written: () => void = () => {}): void {
    const body = encode(this.#init.says, message)
    this.#init.pipe.write(concat(u32be(body.length), body), written)
  }

  end(): void {
    this.#init.pipe.destroy()
  }

  #take(chunk: Uint8Array): void {
    const { pipe, heard } = this.#init
    const messages = this.#messagesIn(chunk)
    if (messages === undefined) pipe.destroy()
    for (const message of messages ?? []) if (!pipe.destroyed) heard(message)
  }

  #messagesIn(chunk: Uint8Array): readonly In[] | undefined {
    try {
      return this.#splitter.push(chunk).map((frame) => decode(this.#init.hears, frame))
    } catch {
      return undefined
    }
  }
}
