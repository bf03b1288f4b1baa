/** The direct streams of one pair of devices, over whatever connections there are between them. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../lib/clock.ts'
import { NetworkError } from '../lib/errors.ts'
import { isRelayed } from './addresses.ts'
import type { Opened } from './dialer.ts'
import { FrameReader, FrameWriter } from './framing.ts'
import type { ProtocolLimits } from './protocols.ts'

export type Direction = 'inbound' | 'outbound'

/** One stream. */
export class Lane {
  readonly direction: Direction
  /** Whether somebody carries it for us. */
  readonly relayed: boolean
  readonly connection: Connection
  readonly stream: Stream
  readonly reader: FrameReader
  readonly writer: FrameWriter
  /** Resolves when all that the peer wrote here is handed up, or will never come. */
  readonly ended: Promise<void>
  /** Frames handed up. */
  handedUp = 0
  /** We write no more here. */
  leaving = false
  #hasEnded = false
  readonly #resolveEnded: () => void

  constructor({ stream, connection }: Opened, direction: Direction, limits: ProtocolLimits, clock: Clock) {
    this.direction = direction
    this.relayed = isRelayed(connection)
    this.connection = connection
    this.stream = stream
    this.reader = new FrameReader(stream, limits, clock, direction === 'inbound')
    this.writer = new FrameWriter(stream, limits, clock)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#resolveEnded = resolve
  }

  get peerId(): string {
    return this.connection.remotePeer.toString()
  }

  get usable(): boolean {
    return !this.leaving && this.stream.status === 'open'
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  end(): void {
    this.#hasEnded = true
    this.#resolveEnded()
  }
}

/** All of them for one peer: at most one for each direction of opening, over relays and directly. */
export class Pair {
  readonly #lanes = new Set<Lane>()
  #writing: Lane | undefined
  #left: Promise<void> | undefined
  /** A frame of ours was written to this peer. */
  wrote = false
  /** A frame of the peer's was handed up. */
  heard = false

  get lanes(): readonly Lane[] {
    return [...this.#lanes]
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
      if (other.direction !== lane.direction || other.relayed !== lane.relayed) continue
      other.stream.abort(new NetworkError('replaced by a newer stream'))
    }
    this.#lanes.add(lane)
  }

  remove(lane: Lane): void {
    this.#lanes.delete(lane)
    if (this.#writing === lane) this.#writing = undefined
  }

  /** `left` must settle, and not reject. */
  leave(left: Promise<void>): void {
    this.#left = left
    void left.then(() => {
      if (this.#left === left) this.#left = undefined
    })
  }
}
