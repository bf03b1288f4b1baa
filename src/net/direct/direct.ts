/**
 * Direct streams: long-lived, at most one in each direction of opening per pair of devices and kind of path. Either
 * carries frames both ways; a device writes on one of them until it dies or a better path is there. What was read is
 * handed up one frame at a time per peer, in the order in which it was written.
 *
 * From a relay to a direct connection: both ends begin a direct stream with a hello. Who has the other's ends its writing half of
 * every relayed one after the frame at hand, and writes on the direct one; before it, the stream may still be given up by the
 * other end. So nothing is lost or overtakes, and nothing is sent twice.
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { sleep, withDeadline } from '../../lib/clock.ts'
import { CodecError, LimitError, NetworkError, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { encode, tryDecode } from '../../wire/codec.ts'
import { DIRECT_FRAME, directFrameCodec, directMessageCodec, isLaterFrame } from '../../wire/direct.ts'
import type { DirectFrame } from '../../wire/direct.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { isRelayed } from '../addresses.ts'
import { hasArrived } from '../dialer.ts'
import type { Dialer, Opened } from '../dialer.ts'
import { guestsOf, Lane, Pair } from './lanes.ts'
import type { Opening } from './lanes.ts'
import { Leaving } from './leaving.ts'
import { DirectWatchers } from './watchers.ts'
import type { DirectPeerListener, DirectStreamListener } from './watchers.ts'
import type { DirectListener, DirectNetwork, Meeting } from '../ports.ts'
import { DIAL_DEADLINE_MS, DIRECT_STREAMS_MAX } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'
import { networkError, orAborted, within } from '../signals.ts'

/** Frames that wait for a stream or for room on it, over all peers. */
const SENDS_WAITING_MAX = 8_192
/** A stream that we need waits so long for those that we left; then they are reset. */
const LEFT_WAIT_MS = 2_000

export interface DirectInit {
  readonly dialer: Dialer
  /** The peer with the addresses that are known besides those given. */
  readonly withKnown: (peer: PeerRecord) => PeerRecord
  readonly limits: ProtocolLimits
  readonly clock: Clock
  readonly log: Logger
  /** Peers that came by themselves and were never answered, at once. */
  readonly guestsMax?: number
}

export class DirectStreams implements DirectNetwork {
  readonly #init: DirectInit
  readonly #rate: RateLimiter
  /** Unbounded: what waits here is counted when it is a frame, and once per move when it is not. */
  readonly #sending = new KeyedQueue(Number.POSITIVE_INFINITY)
  readonly #pairs = new Map<string, Pair>()
  readonly #watchers: DirectWatchers
  readonly #told = new WeakSet<Lane>()
  /** Direct connections on which a peer refused our stream: the next is opened over a relay. */
  readonly #refusing = new WeakSet<Connection>()
  readonly #moving = new Map<string, Promise<void>>()
  readonly #opening = new Set<string>()
  readonly #leaving: Leaving
  readonly #stopped = new AbortController()
  #meeting: (peerId: string) => Meeting = () => 'direct'

  constructor(init: DirectInit) {
    this.#init = init
    this.#watchers = new DirectWatchers(init.log)
    this.#rate = new RateLimiter(init.limits.rate, init.clock)
    this.#leaving = new Leaving({ ...init, mayUse: this.#mayUse }, this.#stopped.signal)
  }

  onFrame(listener: DirectListener): void {
    this.#watchers.frame.push(listener)
  }

  onStream(listener: DirectStreamListener): void {
    this.#watchers.stream.push(listener)
  }

  /** Told once per stream. */
  onRelayed(listener: DirectPeerListener): void {
    this.#watchers.relayed.push(listener)
  }

  /** The peer lost its claim to our address: what is under way for it is to end. */
  onCut(listener: DirectPeerListener): void {
    this.#watchers.cut.push(listener)
  }

  meetBy(meeting: (peerId: string) => Meeting): void {
    this.#meeting = meeting
    for (const [peerId, pair] of this.#pairs) {
      const now = meeting(peerId)
      if (now !== pair.meeting) this.#changed(peerId, pair, now)
    }
  }

  /** Whether the peer may learn where we are. */
  mayMeet(peerId: string): boolean {
    return this.#meeting(peerId) === 'direct'
  }

  connected(peerId: string): boolean {
    return this.#pairs.get(peerId)?.writing !== undefined
  }

  readonly hearsLive = (peerId: string): boolean => this.#pairs.get(peerId)?.writing?.hearsLive === true

  /** Whether we wrote to the peer, which may know our address, on a stream that is open: strangers are not written to. */
  writesTo(peerId: string): boolean {
    return this.mayMeet(peerId) && this.connected(peerId) && this.#pairs.get(peerId)?.wrote === true
  }

  /** The relayed connection that a conversation runs over whose other end may know our address, or `undefined`. */
  relayedTo(peerId: string): Connection | undefined {
    const pair = this.#pairs.get(peerId)
    const lane = pair?.writing
    const counts = pair?.wrote === true && pair.heard && this.mayMeet(peerId)
    return counts && lane?.relayed === true ? lane.connection : undefined
  }

  async send(peer: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void> {
    const bytes = encode(directFrameCodec, frame)
    try {
      signal.throwIfAborted()
      if (this.#sending.size >= SENDS_WAITING_MAX) throw new LimitError('too many frames are waiting')
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
    const peerId = connection.remotePeer.toString()
    if (this.#stopped.signal.aborted || !this.#mayUse(connection) || !this.#hasRoom(peerId)) {
      stream.abort(new LimitError('not served'))
      return
    }
    if (isRelayed(connection)) void this.#init.dialer.probeDirect(peerId, this.#init.clock, this.#stopped.signal)
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

  stop(): void {
    this.#stopped.abort(new NetworkError('the host stops'))
    this.#leaving.stop()
    for (const pair of this.#pairs.values()) for (const lane of pair.lanes) lane.cut('the host stops')
  }

  async #move(connection: Connection): Promise<void> {
    try {
      const signal = within(DIAL_DEADLINE_MS, this.#stopped.signal)
      const stream = await connection.newStream(this.#init.limits.id, { signal })
      this.#adopt(this.#allowed({ stream, connection }), 'move')
    } catch (error) {
      this.#probeLate(connection.remotePeer.toString(), error)
      this.#init.log.debug('the conversation stays on the relay', { error: nameOf(error) })
    }
  }

  #isToMove(peerId: string): boolean {
    const lanes = this.#pairs.get(peerId)?.lanes ?? []
    return (
      this.mayMeet(peerId) && lanes.some(({ relayed }) => relayed) && !lanes.some((lane) => !lane.relayed && lane.open)
    )
  }

  readonly #mayUse = (connection: Connection): boolean => {
    const meeting = this.#meeting(connection.remotePeer.toString())
    return meeting === 'relayed' ? hasArrived(connection) : meeting !== 'none'
  }

  /** What the user lets the peer have of us is not what it was. */
  #changed(peerId: string, pair: Pair, meeting: Meeting): void {
    const wasKnown = pair.meeting !== 'stranger'
    pair.meeting = meeting
    if (meeting === 'direct') return
    const kept =
      wasKnown && meeting === 'stranger' ? [] : pair.lanes.filter(({ connection }) => this.#mayUse(connection))
    for (const lane of pair.lanes) if (!kept.includes(lane)) lane.cut('the peer is not to be met here')
    if (kept.length === 0) {
      pair.wrote = false
      pair.heard = false
    }
    this.#watchers.tellCut(peerId)
    this.#shut(peerId)
  }

  /** What is left open would go on showing where we are, and that we are there. */
  #shut(peerId: string): void {
    const connections = this.#init.dialer.connections(peerId)
    for (const connection of connections) if (!this.#mayUse(connection)) this.#leaving.retire(connection)
  }

  /**
   * Ids cost nothing, so guests are bounded: the one that was silent for the longest makes room, strangers first. Peers that we have
   * to do with are not in the way of one another.
   */
  #hasRoom(peerId: string): boolean {
    if (this.#pairs.has(peerId)) return true
    const guests = guestsOf(this.#pairs)
    const [first] = guests
    if (guests.length < (this.#init.guestsMax ?? DIRECT_STREAMS_MAX) || first === undefined) return true
    if (first[1].meeting !== 'stranger' && this.#meeting(peerId) === 'stranger') return false
    for (const lane of first[1].lanes) lane.cut('others want to speak')
    this.#pairs.delete(first[0])
    return true
  }

  /** One at a time per peer: what was sent first waits for the stream first. */
  async #write(peer: PeerRecord, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const lane = this.#pairs.get(peer.id)?.writing ?? (await this.#open(peer, signal))
    await lane.writer.write(bytes, signal)
    const pair = this.#pairs.get(peer.id)
    if (pair?.lanes.includes(lane) !== true) return
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
      const { lane } = this.#adopt(await this.#dial(peer, signal), 'send')
      return this.#pairs.get(peer.id)?.writing ?? lane // the peer may have opened one meanwhile, and we may write there already
    } finally {
      this.#opening.delete(peer.id)
      const direct = this.#init.dialer.direct(peer.id) // it may have come while we opened one over a relay
      if (direct?.direction === 'outbound') void this.moveTo(direct)
    }
  }

  async #dial(peer: PeerRecord, signal: AbortSignal): Promise<Opened> {
    const { dialer, withKnown, limits } = this.#init
    try {
      return this.#allowed(await dialer.open(withKnown(peer), limits.id, signal, this.#pathTo(peer.id)))
    } catch (error) {
      this.#probeLate(peer.id, error)
      throw error
    }
  }

  /** Only as the peer may be met; nobody looks for strangers. Who refused us on its direct connection may be there over a relay. */
  #pathTo(peerId: string): 'any' | 'relayed' | 'arrived' {
    const meeting = this.#meeting(peerId)
    if (meeting === 'none' || meeting === 'stranger') throw new NetworkError('the peer is not to be met')
    if (meeting === 'relayed') return 'arrived'
    const direct = this.#init.dialer.direct(peerId)
    return direct !== undefined && this.#refusing.delete(direct) ? 'relayed' : 'any'
  }

  /** What the peer may have of us may be less than when we began to open it. */
  #allowed(opened: Opened): Opened {
    const peerId = opened.connection.remotePeer.toString()
    const isAllowed = this.#meeting(peerId) !== 'stranger' && this.#mayUse(opened.connection)
    if (isAllowed && !this.#stopped.signal.aborted) return opened
    const refused = new NetworkError('the peer is not to be met any more')
    opened.stream.abort(refused)
    this.#shut(peerId)
    throw refused
  }

  /** A direct connection on which no stream comes about in time may be dead. */
  #probeLate(peerId: string, error: unknown): void {
    if (nameOf(error) !== 'TimeoutError') return
    void this.#init.dialer.probeDirect(peerId, this.#init.clock, this.#stopped.signal)
  }

  /** A second stream would replace one that is being opened, or is on its way out with frames of ours. */
  async #settled(peerId: string): Promise<void> {
    await this.#moving.get(peerId)
    const pair = this.#pairs.get(peerId)
    await Promise.all((pair?.lanes ?? []).map(async (lane) => (lane.inbound ? undefined : lane.greeted)))
    const left = pair?.left
    if (pair === undefined || left === undefined || pair.writing !== undefined) return
    try {
      await withDeadline(
        this.#init.clock,
        LEFT_WAIT_MS,
        async (signal) => orAborted(left, signal),
        this.#stopped.signal,
      )
    } catch {
      for (const lane of pair.lanes) if (lane.leaving) lane.stream.abort(new NetworkError('another is needed'))
      await left
    }
  }

  #adopt(opened: Opened, opening: Opening): { lane: Lane; done: Promise<void> } {
    const { limits, clock } = this.#init
    const lane = new Lane(opened, opening, limits, clock)
    const pair = this.#pairs.get(lane.peerId) ?? new Pair(this.#meeting(lane.peerId), clock.now())
    this.#pairs.set(lane.peerId, pair)
    pair.heardAt = clock.now()
    pair.add(lane)
    lane.hail()
    if (lane.ready) this.#watchers.tellStream(lane.peerId, true)
    if (lane.ready && !lane.relayed) void this.#queueLeave(pair, lane.peerId)
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
    if (!lane.relayed && lane.refused) this.#refusing.add(lane.connection)
    // the peer goes over to another path, and waits for the end of ours
    if (lane.relayed && lane.open) await this.#queueLeave(pair, lane.peerId)
    lane.stream.abort(new NetworkError('the peer ended the stream'))
    pair.remove(lane)
    if (pair.lanes.length === 0 && this.#pairs.get(lane.peerId) === pair) this.#pairs.delete(lane.peerId)
    if (!this.connected(lane.peerId)) this.#watchers.tellStream(lane.peerId, false)
  }

  async #read(pair: Pair, lane: Lane): Promise<void> {
    let first = true
    for (let bytes = await lane.next(); bytes !== undefined; bytes = await lane.next()) {
      await this.#throttle(lane.peerId)
      const frame = tryDecode(directMessageCodec, bytes)
      if (frame === undefined && !isLaterFrame(bytes)) throw new CodecError('malformed frame')
      this.#greeted(pair, lane)
      if (frame?.kind === DIRECT_FRAME.hello && lane.hailed()) this.#watchers.tellStream(lane.peerId, true)
      if (frame === undefined || frame.kind === DIRECT_FRAME.hello) continue
      if (first) await this.#turn(pair, lane)
      first = false
      await pair.inTurn(async () => this.#handUp(pair, lane, frame))
    }
  }

  #greeted(pair: Pair, lane: Lane): void {
    pair.heardAt = this.#init.clock.now()
    const isNew = !lane.ready
    lane.greet()
    if (isNew) this.#watchers.tellStream(lane.peerId, true)
    if (isNew && !lane.relayed) void this.#queueLeave(pair, lane.peerId)
  }

  /** What the peer wrote before comes first: on relays to the end, which it writes there when it moves; elsewhere what is here. */
  async #turn(pair: Pair, lane: Lane): Promise<void> {
    for (const other of pair.before(lane)) {
      if (other.relayed && !lane.relayed) await this.#leaving.endOf(other)
      else await other.caughtUp()
    }
  }

  /** In turn with what is being sent, so that the last frame is a whole one. Resolves when the relayed streams are done with. */
  async #queueLeave(pair: Pair, peerId: string): Promise<void> {
    await this.#sending.run(peerId, async () => {
      const relayed = pair.lanes.filter((lane) => lane.relayed && !lane.leaving)
      for (const lane of relayed) lane.leaving = true
      if (relayed.length > 0) pair.leave(this.#leaving.leave(relayed, pair.left))
    })
    await pair.left
  }

  #tellRelayed(pair: Pair, lane: Lane): void {
    if (!lane.relayed || !pair.wrote || !pair.heard || this.#told.has(lane) || !this.mayMeet(lane.peerId)) return
    this.#told.add(lane)
    this.#watchers.tellRelayed(lane.peerId)
  }

  /** A peer in a hurry is read more slowly: dropping a frame would break the order. */
  async #throttle(peerId: string): Promise<void> {
    while (!this.#rate.take(peerId)) {
      await sleep(this.#init.clock, this.#rate.retryAfterMs(peerId), this.#stopped.signal)
    }
  }

  async #handUp(pair: Pair, lane: Lane, frame: DirectFrame): Promise<void> {
    if (lane.wasCut) return
    await this.#watchers.tellFrame(lane.peerId, frame)
    if (lane.wasCut) return
    pair.heard = true
    this.#tellRelayed(pair, lane)
  }
}
