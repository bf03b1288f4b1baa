/** The direct streams of one pair of devices, over whatever connections there are between them. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { NetworkError } from '../../lib/errors.ts'
import { encode } from '../../wire/codec.ts'
import { DIRECT_FRAME, directMessageCodec } from '../../wire/direct.ts'
import { isRelayed } from '../addresses.ts'
import type { Opened } from '../dialer.ts'
import { FrameReader, FrameWriter } from '../frames/framing.ts'
import type { Meeting } from '../ports.ts'
import type { ProtocolLimits } from '../protocols.ts'

/** Who opened it: the peer, we to move there from a relay, or we because there was none. */
export type Opening = 'inbound' | 'move' | 'send'

const HELLO = encode(directMessageCodec, { kind: DIRECT_FRAME.hello, body: {} })
/** So many say that one knows live signals (wire/direct). */
const HELLOS = 2

/** One stream. */
export class Lane {
  readonly inbound: boolean
  /** Whether somebody carries it for us. */
  readonly relayed: boolean
  readonly connection: Connection
  readonly stream: Stream
  readonly reader: FrameReader
  readonly writer: FrameWriter
  /** Resolves when all that the peer wrote here is handed up, or will never come. */
  readonly ended: Promise<void>
  /** Resolves when the peer's first frame is there, or never will be: before it the stream may still be given up by the peer. */
  readonly greeted: Promise<void>
  /** We write no more here. */
  leaving = false
  /** A frame of the peer's was there. */
  answered = false
  #hellos = 0
  #ready: boolean
  #cut = false
  #hasEnded = false
  #atRest: (() => void)[] = []
  readonly #resolveEnded: () => void
  readonly #resolveGreeted: () => void

  constructor({ stream, connection }: Opened, opening: Opening, limits: ProtocolLimits, clock: Clock) {
    this.inbound = opening === 'inbound'
    this.relayed = isRelayed(connection)
    this.connection = connection
    this.stream = stream
    this.reader = new FrameReader(stream, limits, clock, true)
    this.writer = new FrameWriter(stream, limits, clock)
    this.#ready = opening === 'send'
    const [ended, greeted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    this.ended = ended.promise
    this.greeted = greeted.promise
    this.#resolveEnded = ended.resolve
    this.#resolveGreeted = greeted.resolve
  }

  get peerId(): string {
    return this.connection.remotePeer.toString()
  }

  get open(): boolean {
    return this.stream.status === 'open'
  }

  /** Whether the peer, or the link, ended it before it said anything. */
  get refused(): boolean {
    return !this.inbound && !this.answered && !this.#cut && this.stream.status === 'reset'
  }

  /** Whether we may write here. */
  get usable(): boolean {
    return this.#ready && !this.leaving && this.open
  }

  get ready(): boolean {
    return this.#ready
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Nothing of it is handed up any more. */
  get wasCut(): boolean {
    return this.#cut
  }

  /** Rises with every byte that comes, or that the peer's window takes from us. */
  get progress(): number {
    return this.reader.receivedBytes - this.writer.backlogBytes - this.stream.writeBufferLength
  }

  /** The next frame; one caller at a time. */
  async next(): Promise<Uint8Array | undefined> {
    const frame = this.reader.next()
    if (this.reader.waiting) this.#rest()
    return frame
  }

  /** Resolves when all that has come so far is handed up. */
  async caughtUp(): Promise<void> {
    if (this.#hasEnded || this.reader.waiting) return
    await new Promise<void>((resolve) => {
      this.#atRest.push(resolve)
    })
  }

  /** Says hello, and that we know live signals. */
  hail(): void {
    for (let i = 0; i < HELLOS; i++) this.writer.tryWrite(HELLO)
  }

  /** The peer said hello; whether it has now said that it knows live signals. */
  hailed(): boolean {
    this.#hellos++
    return this.#hellos === HELLOS
  }

  get hearsLive(): boolean {
    return this.#hellos >= HELLOS
  }

  /** The peer's first frame is there. */
  greet(): void {
    this.answered = true
    this.#ready = true
    this.#resolveGreeted()
  }

  end(): void {
    this.#hasEnded = true
    this.#resolveEnded()
    this.#resolveGreeted()
    this.#rest()
  }

  /** Ends it at once, with all that is under way on it. */
  cut(reason: string): void {
    this.#cut = true
    this.stream.abort(new NetworkError(reason))
  }

  #rest(): void {
    for (const resolve of this.#atRest.splice(0)) resolve()
  }
}

/** All of them for one peer: at most one for each direction of opening, over relays and directly. */
export class Pair {
  /** What the user lets the peer have of us, as it was when we looked last. */
  meeting: Meeting
  /** A frame of ours was written to this peer. */
  wrote = false
  /** A frame of the peer's was handed up. */
  heard = false
  /** When it last opened a stream or wrote, ms. */
  heardAt: number
  readonly #lanes = new Set<Lane>()
  /** Those that carried frames, in the order in which these are handed up. */
  readonly #turns: Lane[] = []
  #tail: Promise<void> = Promise.resolve()
  #writing: Lane | undefined
  #left: Promise<void> | undefined

  constructor(meeting: Meeting, nowMs: number) {
    this.meeting = meeting
    this.heardAt = nowMs
  }

  get lanes(): readonly Lane[] {
    return [...this.#lanes]
  }

  /** Nobody here has anything to do with the peer: it came by itself and was never answered. */
  get isGuest(): boolean {
    return !this.wrote && this.lanes.every((lane) => lane.inbound)
  }

  /** Settled when those that we left are ended by the peer, too; `undefined` where there are none. */
  get left(): Promise<void> | undefined {
    return this.#left
  }

  /** The lane we write on; another only once that one is gone or left, so that nothing overtakes. */
  get writing(): Lane | undefined {
    if (this.#writing?.usable !== true) {
      const usable = this.lanes.filter((lane) => lane.usable)
      this.#writing = usable.find((lane) => !lane.relayed) ?? usable[0]
    }
    return this.#writing
  }

  /** A second one of the same kind means that the first is dead, whatever it looks like from here. */
  add(lane: Lane): void {
    for (const other of this.#lanes) {
      if (other.inbound !== lane.inbound || other.relayed !== lane.relayed) continue
      other.stream.abort(new NetworkError('replaced by a newer stream'))
    }
    this.#lanes.add(lane)
  }

  remove(lane: Lane): void {
    this.#lanes.delete(lane)
    const turn = this.#turns.indexOf(lane)
    if (turn >= 0) this.#turns.splice(turn, 1)
    if (this.#writing === lane) this.#writing = undefined
  }

  /**
   * Where the peer wrote before it wrote here; to be asked when its first frame is there. A writer never goes back to a stream, so
   * first frames tell their order, except that a relay may be slower than the direct path that followed it. One order for all of
   * them: nobody waits in a circle.
   */
  before(lane: Lane): readonly Lane[] {
    const isNew = (other: Lane): boolean => !this.#turns.includes(other)
    if (isNew(lane)) {
      if (!lane.relayed) this.#turns.push(...this.lanes.filter((other) => other.relayed && isNew(other)))
      this.#turns.push(lane)
    }
    return this.#turns.slice(0, this.#turns.indexOf(lane)).filter((other) => !other.hasEnded)
  }

  /** One job after another; each lane has one at most. */
  async inTurn(job: () => Promise<void>): Promise<void> {
    const mine = this.#tail.then(job)
    this.#tail = mine.catch(() => {})
    return mine
  }

  /** `left` must settle, and not reject. */
  leave(left: Promise<void>): void {
    this.#left = left
    void left.then(() => {
      if (this.#left === left) this.#left = undefined
    })
  }
}

/** Peers that came by themselves and were never answered: strangers first, then who was silent for the longest. */
export function guestsOf(pairs: ReadonlyMap<string, Pair>): readonly (readonly [string, Pair])[] {
  const known = ({ meeting }: Pair): number => (meeting === 'stranger' ? 0 : 1)
  const guests = [...pairs].filter(([, pair]) => pair.isGuest)
  return guests.sort(([, a], [, b]) => known(a) - known(b) || a.heardAt - b.heardAt)
}
