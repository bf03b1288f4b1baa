/**
 * The process that speaks WebRTC, as the daemon sees it: started with the first meeting, ended some time after the last one. Its
 * death ends the meetings that run over it and nothing else; after one nobody asked for there is none for a while.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../lib/clock.ts'
import { LimitError, NetworkError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import { moduleBeside } from '../../../lib/own-files.ts'
import { Line } from './line.ts'
import { FROM_HELPER, TO_HELPER, fromHelperCodec, toHelperCodec } from './messages.ts'
import type { FromHelper, IceCandidate, IcePeer, MeetingOrder, ToHelper } from './messages.ts'

const MAIN = fileURLToPath(moduleBeside('helper-main', import.meta.url))
/** It holds little more than what is on its way. */
const FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=2']
const MEETINGS_MAX = 64
/** What may wait for it: more than a moment of all conversations that run over it. */
const WAITING_BYTES_MAX = 16 * 1_024 * 1_024
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

interface Running {
  readonly child: ChildProcess
  readonly line: Line<ToHelper, FromHelper>
}

export class Helper {
  readonly #init: HelperInit
  readonly #meetings = new Map<number, MeetingEvents>()
  #current: Running | undefined
  #lastId = 0
  #diedAt = -Infinity
  #cancelIdle: (() => void) | undefined
  #stopped = false

  constructor(init: HelperInit) {
    this.#init = init
  }

  /** The helper's process, where there is one. */
  get pid(): number | undefined {
    return this.#current?.child.pid
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
    this.#current ??= this.#start()
    const id = ++this.#lastId
    this.#tell({ kind: TO_HELPER.meet, body: { id, order } })
    this.#meetings.set(id, events)
    const whileOn = (message: ToHelper): void => {
      if (this.#meetings.has(id)) this.#tell(message)
    }
    return {
      answered: (peer) => whileOn({ kind: TO_HELPER.answered, body: { id, peer } }),
      send: (data) => whileOn({ kind: TO_HELPER.data, body: { id, data } }),
      close: () => {
        whileOn({ kind: TO_HELPER.close, body: { id } })
        this.#ended(id)
      },
    }
  }

  /** Ends it, and with it all meetings. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#end()
  }

  #start(): Running {
    try {
      const child = spawn(process.execPath, [...FLAGS, this.#init.main ?? MAIN], {
        env: {}, // what is in ours is none of its business
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      })
      return this.#attach(child)
    } catch (error) {
      this.#diedAt = this.#init.clock.now()
      throw new NetworkError('the WebRTC helper cannot be started', { cause: error })
    }
  }

  #attach(child: ChildProcess): Running {
    child.on('error', () => {})
    const pipe = pipeOf(child)
    const gone = (): void => {
      this.#gone(running)
    }
    child.once('error', gone)
    child.once('exit', gone)
    const line = new Line({
      pipe,
      says: toHelperCodec,
      hears: fromHelperCodec,
      heard: (message) => {
        if (this.#current === running) this.#hear(message)
      },
      ended: gone,
    })
    const running: Running = { child, line }
    return running
  }

  /** One that takes nothing any more, while its peers seem to go on taking, is given up. */
  #tell(message: ToHelper): void {
    const line = this.#current?.line
    line?.say(message)
    if (line !== undefined && line.waitingBytes > WAITING_BYTES_MAX) line.end()
  }

  #hear({ kind, body }: FromHelper): void {
    const events = this.#meetings.get(body.id)
    if (kind === FROM_HELPER.described) events?.described(body.own)
    if (kind === FROM_HELPER.open) events?.open(body.at)
    if (kind === FROM_HELPER.data) events?.data(body.data)
    if (kind === FROM_HELPER.closed) this.#ended(body.id)
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
    if (this.#current === undefined) return
    this.#cancelIdle = this.#init.clock.after(IDLE_MS, () => {
      void this.#end()
    })
  }

  async #end(): Promise<void> {
    this.#cancelIdle?.()
    const now = this.#current
    this.#current = undefined
    this.#endAll()
    if (now === undefined) return
    const { child, line } = now
    line.end()
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** By itself, where it is still ours. */
  #gone(running: Running): void {
    if (this.#current !== running) return
    const { child, line } = running
    this.#current = undefined
    this.#diedAt = this.#init.clock.now()
    this.#init.log.warn('the WebRTC helper ended by itself', { how: child.signalCode ?? child.exitCode ?? 'its pipe' })
    line.end()
    child.kill('SIGKILL')
    this.#endAll()
  }

  #endAll(): void {
    for (const id of this.#meetings.keys()) this.#ended(id)
  }
}

/** Throws where the system has no more of them: then nothing was started. */
function pipeOf(child: ChildProcess): Duplex {
  const pipe = (child.stdio as ChildProcess['stdio'] | undefined)?.[3]
  if (pipe instanceof Duplex) return pipe
  throw new NetworkError('there is no pipe')
}
