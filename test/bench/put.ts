/** `put`: a letter on five holders with three synced receipts, beside a mutable put of hyperdht among as many nodes. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { compared, interleave, percentile } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'
import type { PutOrder, PutReport, SideName } from './put-sides.ts'

const NAME = 'put'
const PEER = 'hyperdht 6.34'
const PUTS = 60
const READY_MS = 180_000
const DONE_MS = 60_000

/** A side in a process of its own: its CPU time is that of its nodes and nobody else's. */
class Side {
  readonly #child: ChildProcess
  readonly #name: SideName

  constructor(name: SideName, nodes: number) {
    this.#name = name
    const program = new URL('./put-process.ts', import.meta.url)
    this.#child = fork(program, [name, String(nodes)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  async ready(): Promise<void> {
    await this.#report(READY_MS)
  }

  async turn(): Promise<Sample> {
    const order: PutOrder = { puts: PUTS }
    this.#child.send(order)
    const report = await this.#report(DONE_MS)
    if (report.kind !== 'done') throw new Error(`${this.#name} said ${report.kind}`)
    const stored = report.times.map(({ storedMs }) => storedMs)
    const whole = report.times.map(({ wholeMs }) => wholeMs)
    return {
      p50: percentile(stored, 50),
      p95: percentile(stored, 95),
      whole: percentile(whole, 50),
      cpu: report.cpuMs / PUTS,
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await exited
    clearTimeout(late)
  }

  async #report(withinMs: number): Promise<PutReport> {
    const report = await new Promise<PutReport>((resolve, reject) => {
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
        resolve(message as PutReport)
      })
    })
    if (report.kind === 'failed') throw new Error(`${this.#name}: ${report.text}`)
    return report
  }
}

async function run({ runs, nodes, note }: BenchOptions): Promise<readonly Figure[]> {
  note(`${nodes} nodes on each side`)
  const [sotto, peer] = [new Side('sotto', nodes), new Side('hyperdht', nodes)]
  try {
    await Promise.all([sotto.ready(), peer.ready()])
    note('put')
    const turns = await interleave(
      runs,
      async () => sotto.turn(),
      async () => peer.turn(),
    )
    const figure = (metric: string, key: string, unit: string, goal?: Goal): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
    return [
      figure(`put 4 KiB among ${nodes}, 3 synced receipts, p50`, 'p50', 'ms', { of: 'ratio', at: 'most', bound: 1 }),
      figure(`put 4 KiB among ${nodes}, 3 synced receipts, p95`, 'p95', 'ms'),
      figure(`put 4 KiB among ${nodes}, all holders, p50`, 'whole', 'ms'),
      figure('CPU of all nodes for one put', 'cpu', 'ms', { of: 'ratio', at: 'most', bound: 1.5 }),
    ]
  } finally {
    await Promise.all([sotto.close(), peer.close()])
  }
}

export const put: Bench = { name: NAME, run }
