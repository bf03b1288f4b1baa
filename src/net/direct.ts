/**
 * Direct streams: long-lived, at most one in each direction of opening per pair of devices. Either carries frames both
 * ways; a device writes on one of them until it dies. What was read is handed up one frame at a time per peer.
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../lib/clock.ts'
import { sleep } from '../lib/clock.ts'
import { CodecError, LimitError, NetworkError, nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { KeyedQueue } from '../lib/queue.ts'
import { RateLimiter } from '../lib/rate-limiter.ts'
import { encode, tryDecode } from '../wire/codec.ts'
import { directFrameCodec } from '../wire/direct.ts'
import type { DirectFrame } from '../wire/direct.ts'
import type { PeerRecord } from '../wire/peer.ts'
import type { Dialer } from './dialer.ts'
import { FrameReader, FrameWriter } from './framing.ts'
import type { DirectListener, DirectNetwork } from './ports.ts'
import { DIAL_DEADLINE_MS, DIRECT_STREAMS_MAX } from './protocols.ts'
import type { ProtocolLimits } from './protocols.ts'
import { networkError, orAborted, within } from './signals.ts'

/** Frames that wait for a stream or for room on it, over all peers. */
const SENDS_WAITING_MAX = 8_192

type Direction = 'inbound' | 'outbound'

interface Lane {
  readonly peerId: string
  readonly direction: Direction
  readonly stream: Stream
  readonly reader: FrameReader
  readonly writer: FrameWriter
}

interface Pair {
  readonly lanes: Map<Direction, Lane>
  /** The one we write on. */
  writing: Lane | undefined
}

export interface DirectInit {
  readonly dialer: Dialer
  readonly limits: ProtocolLimits
  readonly clock: Clock
  readonly log: Logger
}

export class DirectStreams implements DirectNetwork {
  readonly #init: DirectInit
  readonly #rate: RateLimiter
  readonly #receiving = new KeyedQueue(2 * DIRECT_STREAMS_MAX)
  readonly #sending = new KeyedQueue(SENDS_WAITING_MAX)
  readonly #pairs = new Map<string, Pair>()
  readonly #listeners: DirectListener[] = []
  readonly #stopped = new AbortController()

  constructor(init: DirectInit) {
    this.#init = init
    this.#rate = new RateLimiter(init.limits.rate, init.clock)
  }

  onFrame(listener: DirectListener): void {
    this.#listeners.push(listener)
  }

  connected(peerId: string): boolean {
    return this.#usable(peerId) !== undefined
  }

  async send(peer: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void> {
    const bytes = encode(directFrameCodec, frame)
    try {
      signal.throwIfAborted()
      await orAborted(
        this.#sending.run(peer.id, async () => this.#write(peer, bytes, signal)),
        signal,
      )
    } catch (error) {
      throw networkError('sending to the peer', error)
    }
  }

  /** Serves a stream that a peer opened. Never throws. */
  async serve(stream: Stream, connection: Connection): Promise<void> {
    if (this.#pairs.size >= DIRECT_STREAMS_MAX) {
      stream.abort(new LimitError('too many direct streams'))
      return
    }
    await this.#run(this.#add(connection.remotePeer.toString(), 'inbound', stream))
  }

  stop(): void {
    this.#stopped.abort(new NetworkError('the host stops'))
    for (const { lanes } of this.#pairs.values()) {
      for (const lane of lanes.values()) lane.stream.abort(new NetworkError('the host stops'))
    }
  }

  /** The lane we write on; another only once that one is gone, so that nothing overtakes. */
  #usable(peerId: string): Lane | undefined {
    const pair = this.#pairs.get(peerId)
    if (pair === undefined) return undefined
    if (pair.writing?.stream.status !== 'open') {
      pair.writing = [...pair.lanes.values()].find((lane) => lane.stream.status === 'open')
    }
    return pair.writing
  }

  /** One at a time per peer: what was sent first waits for the stream first. */
  async #write(peer: PeerRecord, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const lane = this.#usable(peer.id) ?? (await this.#open(peer, signal))
    await lane.writer.write(bytes, signal)
  }

  async #open(peer: PeerRecord, caller: AbortSignal): Promise<Lane> {
    const signal = within(DIAL_DEADLINE_MS, this.#stopped.signal, caller)
    const stream = await this.#init.dialer.open(peer, this.#init.limits.id, signal)
    const opened = this.#add(peer.id, 'outbound', stream)
    void this.#run(opened)
    return this.#usable(peer.id) ?? opened // the peer may have opened one meanwhile, and we may write there already
  }

  /** A second stream of the same direction means that the first is dead, whatever it looks like from here. */
  #add(peerId: string, direction: Direction, stream: Stream): Lane {
    const { limits, clock } = this.#init
    const pair: Pair = this.#pairs.get(peerId) ?? { lanes: new Map(), writing: undefined }
    this.#pairs.set(peerId, pair)
    pair.lanes.get(direction)?.stream.abort(new NetworkError('replaced by a newer stream'))
    const lane: Lane = {
      peerId,
      direction,
      stream,
      reader: new FrameReader(stream, limits, clock, direction === 'inbound'),
      writer: new FrameWriter(stream, limits, clock),
    }
    pair.lanes.set(direction, lane)
    return lane
  }

  async #run(lane: Lane): Promise<void> {
    try {
      for (let frame = await lane.reader.next(); frame !== undefined; frame = await lane.reader.next()) {
        await this.#throttle(lane.peerId)
        await this.#deliver(lane.peerId, frame)
      }
      lane.stream.abort(new NetworkError('the peer ended the stream'))
    } catch (error) {
      this.#init.log.debug('direct stream reset', { error: nameOf(error) })
      lane.stream.abort(error as Error)
    }
    this.#remove(lane)
  }

  /** A peer in a hurry is read more slowly: dropping a frame would break the order. */
  async #throttle(peerId: string): Promise<void> {
    while (!this.#rate.take(peerId)) {
      await sleep(this.#init.clock, this.#rate.retryAfterMs(peerId), this.#stopped.signal)
    }
  }

  async #deliver(peerId: string, bytes: Uint8Array): Promise<void> {
    const frame = tryDecode(directFrameCodec, bytes)
    if (frame === undefined) throw new CodecError('malformed frame')
    await this.#receiving.run(peerId, async () => {
      for (const listener of this.#listeners) await this.#tell(listener, peerId, frame)
    })
  }

  async #tell(listener: DirectListener, peerId: string, frame: DirectFrame): Promise<void> {
    try {
      await listener(peerId, frame)
    } catch (error) {
      this.#init.log.error('a frame was not taken', { error: nameOf(error) })
    }
  }

  #remove(lane: Lane): void {
    const pair = this.#pairs.get(lane.peerId)
    if (pair === undefined) return
    if (pair.lanes.get(lane.direction) === lane) pair.lanes.delete(lane.direction)
    if (pair.writing === lane) pair.writing = undefined
    if (pair.lanes.size === 0 && this.#pairs.get(lane.peerId) === pair) this.#pairs.delete(lane.peerId)
  }
}
