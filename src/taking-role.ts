/**
 * When a peer holds for others (protocol §4): while they can reach it, after it was up for a while, since who comes and goes loses
 * what it took, and with its id paid for.
 */
import type { Clock } from './lib/clock.ts'
import { sleep } from './lib/clock.ts'
import { nameOf } from './lib/errors.ts'
import type { Part } from './lib/lifecycle.ts'
import type { Logger } from './lib/log.ts'
import type { NetworkProfile } from './lib/network-profile.ts'
import { KeyedQueue } from './lib/queue.ts'
import type { Reachability } from './net/reach/reachability.ts'

/** For so long it is not clear whether others reach us before the role is put down: an address changed, or the line is down. */
const DOUBT_MS = 60_000
/** After a change that failed, a full disk say: 5 s, 10 s … 10 min. */
const RETRY_MS = { first: 5_000, most: 600_000 } as const
/** Changes of mind that wait for one another. */
const WAITING_MAX = 64

export interface TakingRole {
  readonly profile: Pick<NetworkProfile, 'holderUptimeMs' | 'puzzleBits' | 'privateAddresses'>
  readonly clock: Clock
  readonly log: Logger
  /** Whether others can reach us, and word when that may have changed. */
  readonly reach: {
    readonly now: () => Reachability
    readonly onChange: (listener: () => void) => () => void
  }
  /** The solution of the puzzle under our id; it may take long. */
  readonly puzzle: (signal: AbortSignal) => Promise<Uint8Array>
  /** Takes on the role, greeting with the solution. */
  readonly take: (puzzle: Uint8Array) => Promise<void>
  readonly putDown: () => Promise<void>
}

/**
 * The start waits for nothing, but where the network asks for neither time nor price nor a proof that we can be reached the role is
 * there when it is over.
 */
export function takingRole(init: TakingRole): Part['part'] {
  const taking = new Taking(init)
  return {
    start: async () => taking.start(),
    stop: async () => taking.stop(),
  }
}

class Taking {
  readonly #init: TakingRole
  readonly #queue = new KeyedQueue(WAITING_MAX)
  readonly #stopped = new AbortController()
  #startedAtMs = 0
  #solution: Promise<Uint8Array> | undefined
  /** `undefined` where a change broke off half-way: either is done anew. */
  #taken: boolean | undefined = false
  #waiting = false
  #cancelDoubt: (() => void) | undefined
  #cancelRetry: (() => void) | undefined
  #failures = 0
  #unwatch: (() => void) | undefined

  constructor(init: TakingRole) {
    this.#init = init
  }

  async start(): Promise<void> {
    const { profile, clock, reach } = this.#init
    this.#startedAtMs = clock.now()
    this.#unwatch = reach.onChange(() => {
      this.#onReach()
    })
    const free = profile.holderUptimeMs === 0 && profile.puzzleBits === 0
    if (free && profile.privateAddresses) await this.#queue.run('', async () => this.#take())
    else this.#onReach()
  }

  /** Ends after the change at hand. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#cancelDoubt?.()
    this.#cancelRetry?.()
    this.#unwatch?.()
    await this.#queue.idle()
  }

  #onReach(): void {
    const now = this.#init.reach.now()
    if (now === 'unknown') {
      this.#doubt()
      return
    }
    this.#cancelDoubt?.()
    this.#cancelDoubt = undefined
    if (now === 'public') void this.#wait()
    else this.#change('nobody can dial us', async () => this.#putDown())
  }

  /** From the first moment on: more news of the kind makes it no longer. */
  #doubt(): void {
    this.#cancelDoubt ??= this.#init.clock.after(DOUBT_MS, () => {
      this.#cancelDoubt = undefined
      this.#change('it is not clear whether anybody can dial us', async () => this.#putDown())
    })
  }

  /** Until the time is over and the puzzle solved; nobody works at it before others can reach us. */
  async #wait(): Promise<void> {
    const { clock, profile, reach } = this.#init
    if (this.#waiting || this.#taken === true) return
    this.#waiting = true
    const { signal } = this.#stopped
    try {
      const leftMs = Math.max(0, this.#startedAtMs + profile.holderUptimeMs - clock.now())
      await Promise.all([this.#solve(), sleep(clock, leftMs, signal)])
      if (reach.now() === 'public') this.#change('others can dial us', async () => this.#take())
    } catch (error) {
      this.#failed('the holder role could not be taken on', error)
    }
    this.#waiting = false
  }

  #change(why: string, action: () => Promise<boolean>): void {
    const { log } = this.#init
    this.#queue
      .run('', async () => {
        if (await action())
          log.info(this.#taken === true ? 'holds mail for others' : 'holds no mail for others', { why })
        this.#failures = 0
      })
      .catch((error: unknown) => {
        this.#failed('the holder role did not change', error)
      })
  }

  /** Whether others reach us may not change for weeks: nothing else would bring it up again. */
  #failed(what: string, error: unknown): void {
    if (this.#stopped.signal.aborted) return
    const delayMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** this.#failures++)
    this.#init.log.error(what, { error: nameOf(error), nextInMs: delayMs })
    this.#cancelRetry?.()
    this.#cancelRetry = this.#init.clock.after(delayMs, () => {
      this.#onReach()
    })
  }

  async #solve(): Promise<Uint8Array> {
    this.#solution ??= this.#init.puzzle(this.#stopped.signal).catch((error: unknown) => {
      this.#solution = undefined
      throw error
    })
    return this.#solution
  }

  /** True where that is new. */
  async #take(): Promise<boolean> {
    if (this.#taken === true) return false
    const solution = await this.#solve()
    this.#stopped.signal.throwIfAborted()
    this.#taken = undefined
    await this.#init.take(solution)
    this.#taken = true
    return true
  }

  async #putDown(): Promise<boolean> {
    if (this.#taken === false || this.#stopped.signal.aborted) return false
    this.#taken = undefined
    await this.#init.putDown()
    this.#taken = false
    return true
  }
}
