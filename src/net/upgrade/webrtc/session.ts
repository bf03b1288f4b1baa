/** One meeting as its rung sees it: described, open, then a pipe. Whatever ends it early rejects what is waited for. */
import type { Clock } from '../../../lib/clock.ts'
import { NetworkError } from '../../../lib/errors.ts'
import type { Helper, Meeting } from './helper.ts'
import type { IceCandidate, IcePeer, MeetingOrder } from './messages.ts'
import { Pipe } from './pipe.ts'
import type { PipeInit } from './pipe.ts'

/** Messages that may come between the opening and {@link Session.pipe}. */
const EARLY_MAX = 64

/**
 * From the beginning to the opening: both descriptions, checks, DTLS and SCTP. Who answers is checking as soon as it has described
 * itself, whatever becomes of the answer.
 */
const OPEN_DEADLINE_MS = 10_000

export class Session {
  readonly #clock: Clock
  readonly #described = Promise.withResolvers<IcePeer>()
  readonly #opened = Promise.withResolvers<IceCandidate>()
  #meeting: Meeting | undefined
  #early: Uint8Array[] = []
  #pipe: Pipe | undefined
  #over = false
  #cancelDeadline = (): void => {}

  constructor(clock: Clock) {
    this.#clock = clock
    for (const { promise } of [this.#described, this.#opened]) promise.catch(() => {}) // who waits hears of it
  }

  /** Starts it; our own description. Throws NetworkError or LimitError. */
  async begin(helper: Pick<Helper, 'meet'>, order: MeetingOrder): Promise<IcePeer> {
    this.#meeting = helper.meet(order, {
      described: this.#described.resolve,
      open: (at) => {
        this.#cancelDeadline()
        this.#opened.resolve(at)
      },
      data: (data) => {
        this.#heard(data)
      },
      closed: () => {
        this.#closed()
      },
    })
    this.#cancelDeadline = this.#clock.after(OPEN_DEADLINE_MS, () => {
      this.close()
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
    this.#cancelDeadline()
    const error = new NetworkError('the WebRTC meeting ended')
    this.#described.reject(error)
    this.#opened.reject(error)
    this.#pipe?.lost()
  }
}
