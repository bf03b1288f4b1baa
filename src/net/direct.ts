/**
 * Direct streams: long-lived, at most one in each direction of opening per pair of devices and kind of path. Either
 * carries frames both ways; a device writes on one of them until it dies or a better path is there. What was read is
 * handed up one frame at a time per peer.
 *
 * From a relay to a direct connection: who sees the first direct stream ends its writing half of every relayed one after
 * the frame at hand, and writes on the direct one; the peer answers in kind. Who gets the first frame on a direct stream
 * hands it up when the relayed ones have ended, all of which it knows: nobody writes on a stream before its other end has
 * agreed to the protocol. So nothing overtakes, and nothing is sent twice.
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../lib/clock.ts'
import { sleep, withDeadline } from '../lib/clock.ts'
import { CodecError, LimitError, NetworkError, nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { KeyedQueue } from '../lib/queue.ts'
import { RateLimiter } from '../lib/rate-limiter.ts'
import { encode, tryDecode } from '../wire/codec.ts'
import { directFrameCodec } from '../wire/direct.ts'
import type { DirectFrame } from '../wire/direct.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { isRelayed } from './addresses.ts'
import type { Dialer, Opened } from './dialer.ts'
import { Lane, Pair } from './lanes.ts'
import type { Direction } from './lanes.ts'
import type { DirectListener, DirectNetwork } from './ports.ts'
import { DIAL_DEADLINE_MS, DIRECT_STREAMS_MAX } from './protocols.ts'
import type { ProtocolLimits } from './protocols.ts'
import { networkError, orAborted, within } from './signals.ts'

/** Frames that wait for a stream or for room on it, over all peers. */
const SENDS_WAITING_MAX = 8_192
/** A stream that we left is ended by the peer, too, within this, or reset. */
const LEAVE_DEADLINE_MS = 30_000
/** A stream whose end is waited for is reset when nothing was handed up from it for this long. */
const END_STALL_MS = 8_000
/** A relayed connection that nobody uses any more is closed after this. */
const RETIRE_MS = 10_000

/** A conversation with the peer (frames went both ways) runs over a relay. */
export type RelayedListener = (peerId: string) => void

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
  readonly #relayedListeners: RelayedListener[] = []
  readonly #told = new WeakSet<Lane>()
  readonly #moving = new Map<string, Promise<void>>()
  readonly #opening = new Set<string>()
  readonly #retiring = new Set<() => void>()
  readonly #stopped = new AbortController()

  constructor(init: DirectInit) {
    this.#init = init
    this.#rate = new RateLimiter(init.limits.rate, init.clock)
  }

  onFrame(listener: DirectListener): void {
    this.#listeners.push(listener)
  }

  /** Told once per stream. */
  onRelayed(listener: RelayedListener): void {
    this.#relayedListeners.push(listener)
  }

  connected(peerId: string): boolean {
    return this.#pairs.get(peerId)?.writing !== undefined
  }

  /** Whether we wrote to the peer on a stream that is open: strangers are not written to. */
  writesTo(peerId: string): boolean {
    return this.connected(peerId) && this.#pairs.get(peerId)?.wrote === true
  }

  /** The relayed connection that the conversation with the peer runs over, or `undefined`. */
  relayedTo(peerId: string): Connection | undefined {
    const pair = this.#pairs.get(peerId)
    const lane = pair?.writing
    return pair?.wrote === true && pair.heard && lane?.relayed === true ? lane.connection : undefined
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
    if (isRelayed(connection))
      void this.#init.dialer.probeDirect(connection.remotePeer.toString(), this.#stopped.signal)
    await this.#adopt({ stream, connection }, 'inbound').done
  }

  /** A direct connection is there: moves the conversation with the peer, if there is one over a relay. For one side to call. */
  async moveTo(connection: Connection): Promise<void> {
    const peerId = connection.remotePeer.toString()
    if (this.#moving.has(peerId) || this.#opening.has(peerId) || !this.#isToMove(peerId)) return
    const move = this.#move(connection)
    this.#moving.set(peerId, move)
    await move
    this.#moving.delete(peerId)
  }

  /** Once it is open the stream is in use, whatever happened meanwhile: the peer may have written there before we knew. */
  async #move(connection: Connection): Promise<void> {
    try {
      const signal = within(DIAL_DEADLINE_MS, this.#stopped.signal)
      const stream = await connection.newStream(this.#init.limits.id, { signal })
      this.#adopt({ stream, connection }, 'outbound')
    } catch (error) {
      this.#init.log.debug('the conversation stays on the relay', { error: nameOf(error) })
    }
  }

  #isToMove(peerId: string): boolean {
    const lanes = this.#pairs.get(peerId)?.lanes ?? []
    return lanes.some((lane) => lane.relayed) && !lanes.some((lane) => !lane.relayed && lane.usable)
  }

  stop(): void {
    this.#stopped.abort(new NetworkError('the host stops'))
    for (const cancel of this.#retiring) cancel()
    for (const pair of this.#pairs.values()) {
      for (const lane of pair.lanes) lane.stream.abort(new NetworkError('the host stops'))
    }
  }

  /** One at a time per peer: what was sent first waits for the stream first. */
  async #write(peer: PeerRecord, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const lane = this.#pairs.get(peer.id)?.writing ?? (await this.#open(peer, signal))
    await lane.writer.write(bytes, signal)
    const pair = this.#pairs.get(peer.id)
    if (pair === undefined) return
    pair.wrote = true
    this.#tellRelayed(pair, lane)
  }

  async #open(peer: PeerRecord, caller: AbortSignal): Promise<Lane> {
    const signal = within(DIAL_DEADLINE_MS, this.#stopped.signal, caller)
    await orAborted(this.#settled(peer.id), signal)
    const { writing } = this.#pairs.get(peer.id) ?? {}
    if (writing !== undefined) return writing
    this.#opening.add(peer.id)
    try {
      const { lane } = this.#adopt(await this.#init.dialer.open(peer, this.#init.limits.id, signal), 'outbound')
      return this.#pairs.get(peer.id)?.writing ?? lane // the peer may have opened one meanwhile, and we may write there already
    } finally {
      this.#opening.delete(peer.id)
      const direct = this.#init.dialer.direct(peer.id) // it may have come while we opened one over a relay
      if (direct?.direction === 'outbound') void this.moveTo(direct)
    }
  }

  /** A second stream would replace one that is being opened, or is on its way out with frames of ours. */
  async #settled(peerId: string): Promise<void> {
    await this.#moving.get(peerId)
    await this.#pairs.get(peerId)?.left
  }

  #adopt(opened: Opened, direction: Direction): { lane: Lane; done: Promise<void> } {
    const lane = new Lane(opened, direction, this.#init.limits, this.#init.clock)
    const pair = this.#pairs.get(lane.peerId) ?? new Pair()
    this.#pairs.set(lane.peerId, pair)
    pair.add(lane)
    if (!lane.relayed) void this.#queueLeave(pair, lane.peerId)
    return { lane, done: this.#run(pair, lane) } // it never rejects
  }

  async #run(pair: Pair, lane: Lane): Promise<void> {
    try {
      await this.#read(pair, lane)
    } catch (error) {
      this.#init.log.debug('direct stream reset', { error: nameOf(error) })
      lane.stream.abort(error as Error)
    }
    lane.end()
    // the peer goes over to another path, and waits for the end of ours
    if (lane.relayed && lane.stream.status === 'open') await this.#queueLeave(pair, lane.peerId)
    lane.stream.abort(new NetworkError('the peer ended the stream'))
    pair.remove(lane)
    if (pair.lanes.length === 0 && this.#pairs.get(lane.peerId) === pair) this.#pairs.delete(lane.peerId)
  }

  async #read(pair: Pair, lane: Lane): Promise<void> {
    let first = true
    for (let frame = await lane.reader.next(); frame !== undefined; frame = await lane.reader.next()) {
      if (first && !lane.relayed) await this.#relayedEnded(pair)
      first = false
      await this.#throttle(lane.peerId)
      await this.#deliver(lane.peerId, frame)
      lane.handedUp++
      pair.heard = true
      this.#tellRelayed(pair, lane)
    }
  }

  /** In turn with what is being sent, so that the last frame is a whole one. Resolves when the relayed streams are done with. */
  async #queueLeave(pair: Pair, peerId: string): Promise<void> {
    try {
      await this.#sending.run(peerId, async () => {
        const relayed = pair.lanes.filter((lane) => lane.relayed && !lane.leaving)
        for (const lane of relayed) lane.leaving = true
        if (relayed.length > 0) pair.leave(this.#leave(relayed, pair.left))
      })
      await pair.left
    } catch (error) {
      this.#init.log.debug('not moved', { error: nameOf(error) })
    }
  }

  async #leave(lanes: readonly Lane[], before: Promise<void> | undefined): Promise<void> {
    try {
      await withDeadline(this.#init.clock, LEAVE_DEADLINE_MS, async (signal) => {
        const finished = lanes.map(async (lane) => lane.writer.finish(signal))
        await orAborted(Promise.all([before, ...finished, ...lanes.map(async (lane) => lane.ended)]), signal)
      })
      for (const lane of lanes) this.#retire(lane.connection)
    } catch (error) {
      this.#init.log.debug('left before the end', { error: nameOf(error) })
      for (const lane of lanes) lane.stream.abort(new NetworkError('left for a better path'))
    }
  }

  /** What the peer wrote before it moved comes first. Who never ends it is not waited for. */
  async #relayedEnded(pair: Pair): Promise<void> {
    const older = pair.lanes.filter((lane) => lane.relayed && !lane.hasEnded)
    const ended = Promise.all(older.map(async (lane) => lane.ended)).then(() => true)
    const handedUp = (): number => older.reduce((sum, lane) => sum + lane.handedUp, 0)
    for (let before = -1; before !== handedUp();) {
      before = handedUp()
      const inTime = withDeadline(this.#init.clock, END_STALL_MS, async (signal) => orAborted(ended, signal))
      if (await inTime.catch(() => false)) return
    }
    for (const lane of older) lane.stream.abort(new NetworkError('left for a better path'))
    await ended
  }

  #retire(connection: Connection): void {
    const cancel = this.#init.clock.after(RETIRE_MS, () => {
      this.#retiring.delete(cancel)
      const unused = connection.streams.length === 0 && connection.status === 'open'
      if (unused && this.#init.dialer.direct(connection.remotePeer.toString()) !== undefined) {
        connection.close().catch((error: unknown) => connection.abort(error as Error))
      }
    })
    this.#retiring.add(cancel)
  }

  #tellRelayed(pair: Pair, lane: Lane): void {
    if (!lane.relayed || !pair.wrote || !pair.heard || this.#told.has(lane)) return
    this.#told.add(lane)
    for (const listener of this.#relayedListeners) listener(lane.peerId)
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
}
