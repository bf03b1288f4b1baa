/** One meeting as its rung sees it: described, open, then a pipe. Whatever ends it early rejects what is waited for. */
import { NetworkError } from '../../../lib/errors.ts'
import type { Helper, Meeting } from './helper.ts'
import type { IceCandidate, IcePeer, MeetingOrder } from './messages.ts'
import { Pipe } from './pipe.ts'
import type { PipeInit } from './pipe.ts'

/** Messages that may come between the opening and {@link Session.pipe}. */
const EARLY_MAX = 64

export class Session {
  readonly #described = Promise.withResolvers<IcePeer>()
  readonly #opened = Promise.withResolvers<IceCandidate>()
  #meeting: Meeting | undefined
  #early: Uint8Array[] = []
  #pipe: Pipe | undefined
  #over = false

  constructor() {
    for (const { promise } of [this.#described, this.#opened]) promise.catch(() => {}) // who waits hears of it
  }

  /** Starts it; our own description. Throws NetworkError or LimitError. */
  async begin(helper: Helper, order: MeetingOrder): Promise<IcePeer> {
    this.#meeting = helper.meet(order, {
      described: this.#described.resolve,
      open: this.#opened.resolve,
      data: (data) => {
        this.#heard(data)
      },
      closed: () => {
        this.#closed()
      },
    })
    return this.#described.promise
  }

  answered(peer: IcePeer): void {
    this.#meeting?.answered(peer)
  }

  /** Where the other end is, as soon as the channel is open. */
  async open(): Promise<IceCandidate> {
    return this.#opened.promise
  }

  /** The channel as a connection; to be called once. */
  pipe(init: Omit<PipeInit, 'meeting'>): Pipe {
    const meeting = this.#meeting
    if (meeting === undefined || this.#over) throw new NetworkError('there is no channel')
    const pipe = new Pipe({ ...init, meeting })
    this.#pipe = pipe
    for (const data of this.#early) pipe.received(data)
    this.#early = []
    return pipe
  }

  close(): void {
    this.#meeting?.close()
  }

  #heard(data: Uint8Array): void {
    if (this.#pipe !== undefined) this.#pipe.received(data)
    else if (this.#early.length < EARLY_MAX) this.#early.push(data)
    else this.close()
  }

  #closed(): void {
    this.#over = true
    const error = new NetworkError('the WebRTC meeting ended')
    this.#described.reject(error)
    this.#opened.reject(error)
    this.#pipe?.lost()
  }
}
