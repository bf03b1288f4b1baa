/** Ends relayed streams of a conversation that goes over to another path, without losing what is under way on them. */
import type { Connection } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/clock.ts'
import { NetworkError, TimeoutError, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { isRelayed } from '../addresses.ts'
import type { Dialer } from '../dialer.ts'
import type { Lane } from './lanes.ts'
import { orAborted } from '../signals.ts'

/** A stream that we left is reset when nothing moved on it for this long, or after the second in any case. */
const LEAVE_STALL_MS = 30_000
const LEAVE_MAX_MS = 10 * 60_000
/** A stream whose end is waited for is reset when nothing came on it for this long. */
const END_STALL_MS = 8_000
/** A connection that is to go is looked at so often, and closed when nothing is open on it any more. */
const RETIRE_MS = 10_000
const IN_USE: ReadonlySet<string> = new Set(['open', 'closing'])

export interface LeavingInit {
  readonly dialer: Pick<Dialer, 'direct'>
  /** Whether the peer may be met on the connection. */
  readonly mayUse: (connection: Connection) => boolean
  readonly clock: Clock
  readonly log: Logger
}

export class Leaving {
  readonly #init: LeavingInit
  readonly #stopped: AbortSignal
  readonly #retiring = new Map<Connection, () => void>()

  constructor(init: LeavingInit, stopped: AbortSignal) {
    this.#init = init
    this.#stopped = stopped
  }

  stop(): void {
    for (const cancel of this.#retiring.values()) cancel()
    this.#retiring.clear()
  }

  /** Ends our halves and waits for the peer's, and for `before`. Never throws. */
  async leave(lanes: readonly Lane[], before: Promise<void> | undefined): Promise<void> {
    const { clock, log } = this.#init
    try {
      const inTime = await withDeadline(
        clock,
        LEAVE_MAX_MS,
        async (signal) => {
          const finished = lanes.map(async (lane) => lane.writer.finish(signal))
          const done = Promise.all([before, ...finished, ...lanes.map(async (lane) => lane.ended)])
          return this.#unlessStalled(lanes, LEAVE_STALL_MS, orAborted(done, signal))
        },
        this.#stopped,
      )
      if (!inTime) throw new TimeoutError('the peer does not end the stream')
      for (const lane of lanes) this.#retireLater(lane.connection)
    } catch (error) {
      log.debug('left before the end', { error: nameOf(error) })
      for (const lane of lanes) lane.stream.abort(new NetworkError('left for a better path'))
    }
  }

  /** Resolves when all that the peer wrote on the lane is handed up. Who never ends it is not waited for. */
  async endOf(lane: Lane): Promise<void> {
    if (!(await this.#unlessStalled([lane], END_STALL_MS, lane.ended)))
      lane.stream.abort(new NetworkError('left for a better path'))
    await lane.ended
  }

  /** False where no byte moved for so long before `done` came; time that our own listeners take does not count. */
  async #unlessStalled(lanes: readonly Lane[], stallMs: number, done: Promise<unknown>): Promise<boolean> {
    const moved = (): number => lanes.reduce((sum, lane) => sum + lane.progress, 0)
    const busy = (): boolean => lanes.some((lane) => !lane.hasEnded && !lane.reader.waiting)
    for (let before = NaN; before !== moved() || busy();) {
      before = moved()
      if (await this.#within(stallMs, done)) return true
    }
    return false
  }

  /** Whether it came in time; throws what it does, and where we stop. */
  async #within(limitMs: number, done: Promise<unknown>): Promise<boolean> {
    let late = false
    try {
      await withDeadline(
        this.#init.clock,
        limitMs,
        async (signal) => {
          signal.addEventListener('abort', () => (late = true))
          await orAborted(done, signal)
        },
        this.#stopped,
      )
      return true
    } catch (error) {
      if (late && !this.#stopped.aborted) return false
      throw error
    }
  }

  /** Closes a connection on which nothing is open: now, or later if it is still to go then. */
  retire(connection: Connection): void {
    if (this.#stopped.aborted || !this.#isToGo(connection)) return
    if (connection.status === 'open' && !connection.streams.some(({ status }) => IN_USE.has(status))) {
      connection.close().catch((error: unknown) => connection.abort(error as Error))
    }
    if (connection.status === 'open') this.#retireLater(connection)
  }

  #retireLater(connection: Connection): void {
    if (this.#stopped.aborted || this.#retiring.has(connection)) return
    const cancel = this.#init.clock.after(RETIRE_MS, () => {
      this.#retiring.delete(connection)
      this.retire(connection)
    })
    this.#retiring.set(connection, cancel)
  }

  /** There is a better one, or the peer is not to be met on it. */
  #isToGo(connection: Connection): boolean {
    const { dialer, mayUse } = this.#init
    const isSpare = isRelayed(connection) && dialer.direct(connection.remotePeer.toString()) !== undefined
    return isSpare || !mayUse(connection)
  }
}
