/** The asking end of one holder stream: requests pipelined by id, pushes in between. */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { CodecError, LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'
import { encode, tryDecode } from '../../wire/codec.ts'
import { HOLDER_FRAME, holderClientFrameCodec, holderServerFrameCodec } from '../../wire/holder.ts'
import type { HolderRequest, HolderResponse, HolderServerFrame } from '../../wire/holder.ts'
import { FrameReader, FrameWriter } from '../frames/framing.ts'
import type { HolderLink, PushListener } from '../ports.ts'
import { LINK_REQUESTS_MAX } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'
import { networkError, orAborted } from '../signals.ts'

interface Waiting {
  readonly resolve: (response: HolderResponse) => void
  readonly reject: (error: Error) => void
}

/** The puzzle that the holder greeted with is not the one under its id. */
export class UnpaidError extends NetworkError {}

export interface LinkHooks {
  readonly isPaid: (peerId: string, puzzle: Uint8Array) => Promise<boolean>
  readonly onPush: PushListener
  readonly onAnswer: (peerId: string, response: HolderResponse) => void
  readonly onEnd: (link: StreamLink) => void
  /** A question timed out while nothing at all came back. */
  readonly onFrozen: (peerId: string) => void
}

export class StreamLink implements HolderLink {
  readonly peerId: string
  readonly #stream: Stream
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  readonly #hooks: LinkHooks
  readonly #waiting = new Map<number, Waiting>()
  #challenge: Uint8Array = new Uint8Array(0)
  #nextId = 1
  #heard = 0
  #alive = true

  constructor(peerId: string, stream: Stream, limits: ProtocolLimits, clock: Clock, hooks: LinkHooks) {
    this.peerId = peerId
    this.#stream = stream
    this.#reader = new FrameReader(stream, limits, clock, true)
    this.#writer = new FrameWriter(stream, limits, clock)
    this.#hooks = hooks
  }

  get challenge(): Uint8Array {
    return this.#challenge
  }

  get alive(): boolean {
    return this.#alive && this.#stream.status === 'open'
  }

  /** Requests whose answers are not there yet. */
  get pending(): number {
    return this.#waiting.size
  }

  /** Waits for the greeting, then reads in the background. Throws where the other end does not greet, or has not paid. */
  async open(signal: AbortSignal): Promise<void> {
    try {
      const frame = await orAborted(this.#reader.next(), signal)
      const hello = frame === undefined ? undefined : tryDecode(holderServerFrameCodec, frame)
      if (hello?.kind !== HOLDER_FRAME.hello) throw new NetworkError('the holder did not greet')
      this.#challenge = hello.body.challenge
      const paid = await orAborted(this.#hooks.isPaid(this.peerId, hello.body.puzzle), signal)
      if (!paid) throw new UnpaidError('the holder has not paid for its id')
    } catch (error) {
      this.close(error as Error)
      throw networkError('opening the link', error)
    }
    void this.#run()
  }

  async request(request: HolderRequest, signal: AbortSignal): Promise<HolderResponse> {
    if (!this.alive) throw new NetworkError('the link is gone')
    if (this.#waiting.size >= LINK_REQUESTS_MAX) throw new LimitError('too many requests wait on this link')
    const id = this.#nextId
    this.#nextId = (id + 1) % 2 ** 32
    const heard = this.#heard
    const answer = new Promise<HolderResponse>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
    })
    answer.catch(() => {}) // the write below may throw first
    try {
      await this.#writer.write(encode(holderClientFrameCodec, { id, request }), signal)
      return await orAborted(answer, signal)
    } catch (error) {
      if (error instanceof CodecError) throw error
      const failure = networkError('the request', error)
      if (failure instanceof TimeoutError && this.#heard === heard) {
        this.close(failure)
        this.#hooks.onFrozen(this.peerId)
      }
      throw failure
    } finally {
      this.#waiting.delete(id)
    }
  }

  close(error: Error): void {
    this.#stream.abort(error)
    this.#end()
  }

  async #run(): Promise<void> {
    try {
      for (let frame = await this.#reader.next(); frame !== undefined; frame = await this.#reader.next()) {
        this.#heard++
        const message = tryDecode(holderServerFrameCodec, frame)
        if (message === undefined) throw new CodecError('malformed frame')
        this.#take(message)
      }
      this.#stream.abort(new NetworkError('the holder ended the stream'))
    } catch (error) {
      this.#stream.abort(error as Error)
    }
    this.#end()
  }

  #take(message: HolderServerFrame): void {
    switch (message.kind) {
      case HOLDER_FRAME.hello:
        throw new CodecError('a second greeting')
      case HOLDER_FRAME.push:
        this.#hooks.onPush(this.peerId, message.body)
        break
      case HOLDER_FRAME.answer:
        this.#hooks.onAnswer(this.peerId, message.body.response)
        this.#waiting.get(message.body.id)?.resolve(message.body.response) // none: it came too late
        break
      // no default
    }
  }

  #end(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const waiting of this.#waiting.values()) waiting.reject(new NetworkError('the holder closed the stream'))
    this.#hooks.onEnd(this)
  }
}
