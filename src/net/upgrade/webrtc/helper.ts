/**
 * The process that speaks WebRTC, as the daemon sees it: started with the first meeting, ended some time after the last one. Its
 * death ends the meetings that run over it and nothing else; after one nobody asked for there is none for a while.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../lib/clock.ts'
import { LimitError, NetworkError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import { fromHelper } from './messages.ts'
import type { FromHelper, IceCandidate, IcePeer, MeetingOrder, ToHelper } from './messages.ts'

const MAIN = fileURLToPath(new URL('helper-main.ts', import.meta.url))
/** It holds little more than what is on its way. */
const FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=2']
const MEETINGS_MAX = 64
const IDLE_MS = 15_000
const AFTER_DEATH_MS = 5 * 60_000

export interface MeetingEvents {
  described(own: IcePeer): void
  open(at: IceCandidate): void
  data(data: Uint8Array): void
  /** The last thing that is heard. */
  closed(): void
}

/** One meeting's side towards the helper. Whatever is said after its end is not heard. */
export interface Meeting {
  answered(peer: IcePeer): void
  send(data: Uint8Array): void
  close(): void
}

export interface HelperInit {
  readonly clock: Clock
  readonly log: Logger
  /** The program; another one in tests. */
  readonly main?: string
}

export class Helper {
  readonly #init: HelperInit
  readonly #meetings = new Map<number, MeetingEvents>()
  #child: ChildProcess | undefined
  #lastId = 0
  #diedAt = -Infinity
  #cancelIdle: (() => void) | undefined
  #stopped = false

  constructor(init: HelperInit) {
    this.#init = init
  }

  /** The helper's process, where there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** False for some minutes after it died: what killed it would do so again. */
  get available(): boolean {
    return !this.#stopped && this.#init.clock.now() - this.#diedAt >= AFTER_DEATH_MS
  }

  /** Throws {@link NetworkError} where there is no helper, LimitError where it has enough to do. */
  meet(order: MeetingOrder, events: MeetingEvents): Meeting {
    if (!this.available) throw new NetworkError('no WebRTC at the moment')
    if (this.#meetings.size >= MEETINGS_MAX) throw new LimitError('too many WebRTC meetings')
    this.#cancelIdle?.()
    const id = ++this.#lastId
    this.#meetings.set(id, events)
    this.#child ??= this.#start()
    this.#tell({ kind: 'meet', id, order })
    const whileOn = (message: ToHelper): void => {
      if (this.#meetings.has(id)) this.#tell(message)
    }
    return {
      answered: (peer) => whileOn({ kind: 'answered', id, peer }),
      send: (data) => whileOn({ kind: 'data', id, data }),
      close: () => {
        whileOn({ kind: 'close', id })
        this.#ended(id)
      },
    }
  }

  /** Ends it, and with it all meetings. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#end()
  }

  #start(): ChildProcess {
    const child = fork(this.#init.main ?? MAIN, {
      serialization: 'advanced',
      execArgv: FLAGS,
      env: {}, // what is in ours is none of its business
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    child.on('message', (message) => {
      this.#hear(fromHelper(message))
    })
    child.once('error', () => {
      this.#gone(child)
    })
    child.once('exit', () => {
      this.#gone(child)
    })
    return child
  }

  #tell(message: ToHelper): void {
    if (this.#child?.connected === true) this.#child.send(message, () => {})
  }

  #hear(message: FromHelper | undefined): void {
    if (message === undefined) {
      this.#child?.kill('SIGKILL')
      return
    }
    const events = this.#meetings.get(message.id)
    if (message.kind === 'described') events?.described(message.own)
    if (message.kind === 'open') events?.open(message.at)
    if (message.kind === 'data') events?.data(message.data)
    if (message.kind === 'closed') this.#ended(message.id)
  }

  #ended(id: number): void {
    const events = this.#meetings.get(id)
    if (events === undefined) return
    this.#meetings.delete(id)
    if (this.#meetings.size === 0) this.#rest()
    events.closed()
  }

  #rest(): void {
    this.#cancelIdle?.()
    if (this.#child === undefined) return
    this.#cancelIdle = this.#init.clock.after(IDLE_MS, () => {
      void this.#end()
    })
  }

  async #end(): Promise<void> {
    this.#cancelIdle?.()
    const child = this.#child
    this.#child = undefined
    for (const id of this.#meetings.keys()) this.#ended(id)
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** By itself, where it is still ours. */
  #gone(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#diedAt = this.#init.clock.now()
    this.#init.log.warn('the WebRTC helper ended by itself', {
      how: child.signalCode ?? child.exitCode ?? 'not started',
    })
    for (const id of this.#meetings.keys()) this.#ended(id)
  }
}
