/** A side in a process of its own: its CPU time is that of its nodes and nobody else's, and it can be killed. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpuMsOf } from './harness.ts'
import type { Sample } from './harness.ts'
import type { SideOrder, SideReport } from './side-types.ts'

const READY_MS = 600_000
const DONE_MS = 600_000
const CLOSE_MS = 10_000

export class Side {
  readonly #child: ChildProcess
  readonly #name: string

  /** Starts it; the name says which program of `side-process.ts`. */
  constructor(name: string, ...args: readonly (string | number)[]) {
    this.#name = name
    const program = new URL('./side-process.ts', import.meta.url)
    this.#child = fork(program, [name, ...args.map(String)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  /** When it stands; where others may join it. */
  async ready(): Promise<string> {
    const report = await this.#report(READY_MS)
    return report.kind === 'ready' ? report.info : ''
  }

  async turn(order: string, count: number): Promise<Sample> {
    const message: SideOrder = { order, count }
    this.#child.send(message)
    const report = await this.#report(DONE_MS)
    if (report.kind !== 'done') throw new Error(`${this.#name} said ${report.kind}`)
    return report.sample
  }

  /** CPU time since its start. */
  cpuMs(): number {
    return cpuMsOf(this.#child.pid ?? 0)
  }

  /** Without goodbye. */
  async kill(): Promise<void> {
    if (this.#over()) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async close(): Promise<void> {
    if (this.#over()) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    const late = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS)
    await exited
    clearTimeout(late)
  }

  #over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #report(withinMs: number): Promise<SideReport> {
    const report = await new Promise<SideReport>((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`${this.#name} said nothing in ${withinMs} ms`))
      }, withinMs)
      const gone = (code: number | null): void => {
        clearTimeout(late)
        reject(new Error(`${this.#name} ended with ${String(code)}`))
      }
      this.#child.once('exit', gone)
      this.#child.once('message', (message) => {
        clearTimeout(late)
        this.#child.off('exit', gone)
        resolve(message as SideReport)
      })
    })
    if (report.kind === 'failed') throw new Error(`${this.#name}: ${report.text}`)
    return report
  }
}

/** Runs `work` with the sides standing, and ends them whatever happens. */
export async function withSides<T>(sides: readonly Side[], work: () => Promise<T>): Promise<T> {
  try {
    await Promise.all(sides.map(async (side) => side.ready()))
    return await work()
  } finally {
    await Promise.all(sides.map(async (side) => side.close()))
  }
}
