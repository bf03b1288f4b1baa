/** The serving end of holder streams: greets, bounds, decodes, asks the handler, answers. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { CodecError, LimitError, NetworkError, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { Rng } from '../../lib/rng.ts'
import { Reader, encode, tryDecode } from '../../wire/codec.ts'
import {
  ANSWER_KIND,
  HOLDER_FRAME,
  HOLDER_FRAME_BYTES_MAX,
  HOLDER_STATUS,
  HOLDER_VERB,
  holderClientFrameCodec,
  holderServerFrameCodec,
} from '../../wire/holder.ts'
import type { HolderClientFrame, HolderResponse, HolderServerFrame, HolderStatus } from '../../wire/holder.ts'
import type { Deposit } from '../../wire/letter.ts'
import { ipOf } from '../addresses.ts'
import { AnswerBudget } from './answer-budget.ts'
import type { Backlogged } from './answer-budget.ts'
import { FrameReader, FrameWriter } from '../frames/framing.ts'
import type { HolderCaller, HolderHandler } from '../ports.ts'
import { HOLDER_BACKLOG_BYTES_MAX, HOLDER_REQUESTS_IN_FLIGHT_MAX, HOLDER_STREAMS_MAX } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'

const CHALLENGE_BYTES = 32
/** What an answer is taken to cost while it is not there yet: a GET as much as there can be, others as is usual. */
const GET_RESERVE_BYTES = HOLDER_FRAME_BYTES_MAX
const READ_RESERVE_BYTES = 96 * 1_024
/** Listings, cards, proofs with their tombstones, a mailbox's tombstones, and what comes with a prekey. */
const READS: ReadonlySet<number> = new Set([
  HOLDER_VERB.getCard,
  HOLDER_VERB.list,
  HOLDER_VERB.prove,
  HOLDER_VERB.reconcile,
  HOLDER_VERB.takePrekey,
])
const OTHER_RESERVE_BYTES = 8 * 1_024

/** What peers did that they should not have. */
export interface HolderServerCounters {
  malformed: number
  limited: number
}

export interface HolderServerInit {
  readonly limits: ProtocolLimits
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly handler: HolderHandler
  /** The solution of the puzzle under our id, 16 bytes. */
  readonly puzzle: Uint8Array
  /** Answers that may wait unsent over all streams. */
  readonly answersBytesMax: number
}

export class HolderServer {
  readonly counters: HolderServerCounters = { malformed: 0, limited: 0 }
  readonly #init: HolderServerInit
  readonly #rate: RateLimiter
  readonly #sessions = new Set<Session>()
  readonly #budget: AnswerBudget

  constructor(init: HolderServerInit) {
    this.#init = init
    this.#rate = new RateLimiter(init.limits.rate, init.clock)
    this.#budget = new AnswerBudget(init.answersBytesMax)
  }

  /** Serves one stream until it ends. Never throws. */
  async serve(stream: Stream, connection: Connection): Promise<void> {
    if (this.#sessions.size >= HOLDER_STREAMS_MAX) {
      stream.abort(new LimitError('too many holder streams'))
      return
    }
    const shared = { init: this.#init, rate: this.#rate, counters: this.counters, budget: this.#budget }
    const session = new Session(stream, connection, shared)
    this.#sessions.add(session)
    await session.run()
    this.#sessions.delete(session)
    this.#budget.drop(session)
  }

  stop(): void {
    for (const session of this.#sessions) session.close(new NetworkError('the host stops'))
  }
}

interface Shared {
  readonly init: HolderServerInit
  readonly rate: RateLimiter
  readonly counters: HolderServerCounters
  readonly budget: AnswerBudget
}

class Session implements HolderCaller, Backlogged {
  readonly peerId: string
  readonly ip: string | undefined
  readonly challenge: Uint8Array
  readonly opened = new Set<string>()
  readonly #stream: Stream
  readonly #init: HolderServerInit
  readonly #rate: RateLimiter
  readonly #counters: HolderServerCounters
  readonly #budget: AnswerBudget
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  readonly #closeActions: (() => void)[] = []
  #closed = false
  #inFlight = 0
  #reservedBytes = 0
  #wake: (() => void) | undefined

  constructor(stream: Stream, connection: Connection, { init, rate, counters, budget }: Shared) {
    this.peerId = connection.remotePeer.toString()
    this.ip = ipOf(connection.remoteAddr)
    this.challenge = init.rng.bytes(CHALLENGE_BYTES)
    this.#stream = stream
    this.#init = init
    this.#rate = rate
    this.#counters = counters
    this.#budget = budget
    this.#reader = new FrameReader(stream, init.limits, init.clock, true)
    this.#writer = new FrameWriter(stream, init.limits, init.clock, () => this.#wake?.())
  }

  get backlogBytes(): number {
    return this.#writer.backlogBytes
  }

  push(deposit: Deposit): boolean {
    return !this.#closed && this.#tryWrite({ kind: HOLDER_FRAME.push, body: deposit })
  }

  onClose(action: () => void): void {
    if (this.#closed) action()
    else this.#closeActions.push(action)
  }

  async run(): Promise<void> {
    try {
      await this.#write({ kind: HOLDER_FRAME.hello, body: { challenge: this.challenge, puzzle: this.#init.puzzle } })
      for (let frame = await this.#reader.next(); frame !== undefined; frame = await this.#reader.next()) {
        this.#take(frame)
        await this.#room()
      }
      this.close(new NetworkError('the caller ended the stream'))
    } catch (error) {
      this.#init.log.debug('holder stream reset', { error: nameOf(error) })
      this.close(error as Error)
    }
  }

  close(error: Error): void {
    this.#stream.abort(error)
    if (this.#closed) return
    this.#closed = true
    this.#wake?.()
    for (const action of this.#closeActions.splice(0)) action()
  }

  #take(frame: Uint8Array): void {
    if (!this.#rate.take(this.peerId)) {
      this.#counters.limited++
      this.#refuseUnread(frame)
      return
    }
    const message = tryDecode(holderClientFrameCodec, frame)
    if (message === undefined) {
      this.#counters.malformed++
      throw new CodecError('malformed frame')
    }
    void this.#answer(message)
  }

  /** The id stands first, so that a caller in a hurry is told so without the cost of decoding what it sent. */
  #refuseUnread(frame: Uint8Array): void {
    const id = new Reader(frame).uint(4)
    const response = emptyResponse(HOLDER_STATUS.rate)
    if (!this.#tryWrite({ kind: HOLDER_FRAME.answer, body: { id, response } })) {
      throw new LimitError('requests come faster than answers are read')
    }
  }

  async #answer(message: HolderClientFrame): Promise<void> {
    const reserveBytes = reserveOf(message)
    this.#inFlight++
    this.#reservedBytes += reserveBytes
    let owedBytes = reserveBytes
    try {
      const response = await this.#handle(message)
      this.#reservedBytes -= reserveBytes
      owedBytes = 0
      await this.#write({ kind: HOLDER_FRAME.answer, body: { id: message.id, response } })
    } catch (error) {
      this.close(error as Error)
    } finally {
      this.#inFlight--
      this.#reservedBytes -= owedBytes
      this.#wake?.()
    }
  }

  async #handle(message: HolderClientFrame): Promise<HolderResponse> {
    try {
      return await this.#init.handler(this, message.request)
    } catch (error) {
      this.#init.log.error('the holder failed', { error: nameOf(error) })
      return emptyResponse(HOLDER_STATUS.full) // "ask another" is all that a caller can do about it
    }
  }

  async #write(frame: HolderServerFrame): Promise<void> {
    const bytes = encodeFrame(frame)
    await this.#budget.run(this, async () => this.#writer.write(bytes))
  }

  #tryWrite(frame: HolderServerFrame): boolean {
    const bytes = encodeFrame(frame)
    return this.#budget.run(this, () => this.#writer.tryWrite(bytes))
  }

  #busy(): boolean {
    const waitingBytes = this.backlogBytes + this.#reservedBytes
    return this.#inFlight >= HOLDER_REQUESTS_IN_FLIGHT_MAX || waitingBytes >= HOLDER_BACKLOG_BYTES_MAX
  }

  /** While too much is under way or unread, the next request stays unread. */
  async #room(): Promise<void> {
    while (this.#busy() && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

function reserveOf({ request }: HolderClientFrame): number {
  if (request.kind === HOLDER_VERB.get) return GET_RESERVE_BYTES
  return READS.has(request.kind) ? READ_RESERVE_BYTES : OTHER_RESERVE_BYTES
}

function encodeFrame(frame: HolderServerFrame): Uint8Array {
  return encode(holderServerFrameCodec, frame)
}

function emptyResponse(status: HolderStatus): HolderResponse {
  return { status, answer: { kind: ANSWER_KIND.empty, body: {} }, closer: [] }
}
