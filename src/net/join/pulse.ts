/**
 * Feels whether connections are alive. A dead one looks open until the system gives up its retransmissions, and the next of
 * those may be a minute away when the network returns.
 */
import type { Connection } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import { jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/clock.ts'
import { NetworkError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'

/** One connection, at random, is asked this often. */
const BEAT_MS = 4_000
/** So many others are asked where that one is silent: one peer that is gone is not the network. */
const SECOND_OPINIONS = 4
/** Peers on busy machines are slow; after a sleep or a move nobody has time for that. */
const ANSWER_MS = 3_000
const ANSWER_SOON_MS = 2_000
/** A verdict that took this much longer than its deadline says that we were busy ourselves. */
const BUSY_MS = 1_000
const ASKED_AT_ONCE = 128

const PING_ID = '/ipfs/ping/1.0.0'
const PING_BYTES = 32

export interface PulseInit {
  readonly open: () => readonly Connection[]
  readonly ping: (connection: Connection, signal: AbortSignal) => Promise<unknown>
  readonly clock: Clock
  readonly rng: Rng
}

export class Pulse implements Startable {
  readonly #init: PulseInit
  #stopped = new AbortController()
  #cancel: (() => void) | undefined
  #feeling: Promise<void> | undefined

  constructor(init: PulseInit) {
    this.#init = init
  }

  start(): void {
    this.#stopped = new AbortController()
    this.#later()
  }

  stop(): void {
    this.#stopped.abort()
    this.#cancel?.()
  }

  /** Asks every connection and cuts those that are silent: two seconds at most for each {@link ASKED_AT_ONCE} of them. */
  async feelAll(answerMs = ANSWER_SOON_MS): Promise<void> {
    this.#feeling ??= this.#feelAll(answerMs).finally(() => {
      this.#feeling = undefined
    })
    await this.#feeling
  }

  #later(): void {
    this.#cancel = this.#init.clock.after(jitterMs(BEAT_MS, 0.2, this.#init.rng), () => {
      void this.#beat().finally(() => {
        if (!this.#stopped.signal.aborted) this.#later()
      })
    })
  }

  /** One is silent, and so are four others: then all of them are asked. */
  async #beat(): Promise<void> {
    const rest = [...this.#init.open()]
    const [first] = this.#draw(rest, 1)
    if (first === undefined || (await this.#judge([first])) !== 'silent') return
    const others = this.#draw(rest, SECOND_OPINIONS)
    if (others.length === 0 || (await this.#judge(others)) === 'silent') await this.feelAll(ANSWER_MS)
  }

  async #feelAll(answerMs: number): Promise<void> {
    const open = this.#init.open()
    for (let at = 0; at < open.length; at += ASKED_AT_ONCE) {
      const batch = open.slice(at, at + ASKED_AT_ONCE)
      const answers = await Promise.all(batch.map(async (connection) => this.#answers(connection, answerMs)))
      if (this.#stopped.signal.aborted) return
      for (const [index, connection] of batch.entries()) {
        if (answers[index] === false) connection.abort(new NetworkError('it is silent'))
      }
    }
  }

  async #judge(connections: readonly Connection[]): Promise<'alive' | 'silent' | 'busy'> {
    const begun = this.#init.clock.now()
    const answers = await Promise.all(connections.map(async (connection) => this.#answers(connection, ANSWER_MS)))
    if (answers.includes(true) || this.#stopped.signal.aborted) return 'alive'
    return this.#init.clock.now() - begun > ANSWER_MS + BUSY_MS ? 'busy' : 'silent'
  }

  /** Whoever refuses answers as well: only silence is none. */
  async #answers(connection: Connection, answerMs: number): Promise<boolean> {
    let late = false
    try {
      await withDeadline(this.#init.clock, answerMs, async (deadline) => {
        const signal = AbortSignal.any([deadline, this.#stopped.signal])
        deadline.addEventListener('abort', () => {
          late = true
        })
        await this.#init.ping(connection, signal)
      })
      return true
    } catch {
      return !late || connection.status !== 'open'
    }
  }

  #draw(from: Connection[], count: number): readonly Connection[] {
    const drawn: Connection[] = []
    while (drawn.length < count && from.length > 0)
      drawn.push(...from.splice(randomBelow(this.#init.rng, from.length), 1))
    return drawn
  }
}

/** libp2p's ping over this very connection; its service takes any that leads to the peer. */
export async function pingOver(connection: Connection, signal: AbortSignal): Promise<void> {
  const stream = await connection.newStream(PING_ID, { signal, runOnLimitedConnection: true })
  try {
    const bytes = byteStream(stream)
    await Promise.all([
      bytes.write(globalThis.crypto.getRandomValues(new Uint8Array(PING_BYTES)), { signal }),
      bytes.read({ bytes: PING_BYTES, signal }),
    ])
    await stream.close({ signal })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new NetworkError('ping failed'))
    throw error
  }
}
