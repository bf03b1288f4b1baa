/** `npm run bench -- [NAME …] [--json]`: Sotto beside its peers, in the same run. README.md beside this. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { api, apiIdle } from './api.ts'
import { parseBaseline, regressions, renderRegressions, TOLERANCE_PERCENT } from './baseline.ts'
import { direct } from './direct.ts'
import type { Bench, BenchOptions, Figure } from './harness.ts'
import { halfGone } from './half-gone.ts'
import { idle } from './idle.ts'
import { push } from './push.ts'
import { put } from './put.ts'
import { read } from './read.ts'
import { jsonLine, table } from './report.ts'
import { scale } from './scale.ts'
import { search } from './search.ts'
import { session } from './session.ts'
import { store } from './store.ts'

const QUICK: readonly Bench[] = [session, store, search, direct, put, read, push, api]
/** Minutes each: only when asked for by name. */
const LONG: readonly Bench[] = [halfGone, scale, idle, apiIdle]
const BENCHES: readonly Bench[] = [...QUICK, ...LONG]
const USAGE = `npm run bench -- [${BENCHES.map(({ name }) => name).join('|')} …] [--json] [--runs N] [--nodes N] [--minutes N] [--baseline FILE [--tolerance PERCENT]]`
const RUNS_MIN = 5
const NODES_MIN = 8
const MINUTES = 10

interface Order {
  readonly benches: readonly Bench[]
  readonly json: boolean
  readonly runs: number
  readonly nodes: number
  readonly minutes: number
  readonly baseline: ReturnType<typeof parseBaseline> | undefined
  readonly tolerance: number
}

function orderOf(args: readonly string[]): Order {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: String(RUNS_MIN) },
      nodes: { type: 'string', default: '20' },
      minutes: { type: 'string', default: String(MINUTES) },
      baseline: { type: 'string' },
      tolerance: { type: 'string', default: String(TOLERANCE_PERCENT) },
    },
  })
  const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name))
  if (unknown.length > 0) throw new TypeError(`there is no bench called ${unknown.join(', ')}`)
  const benches = positionals.length === 0 ? QUICK : BENCHES.filter(({ name }) => positionals.includes(name))
  return {
    benches,
    json: values.json,
    runs: atLeast('--runs', values.runs, RUNS_MIN),
    nodes: atLeast('--nodes', values.nodes, NODES_MIN),
    minutes: atLeast('--minutes', values.minutes, 1),
    baseline: values.baseline === undefined ? undefined : parseBaseline(readFileSync(values.baseline, 'utf8')),
    tolerance: atLeast('--tolerance', values.tolerance, 1),
  }
}

function atLeast(flag: string, text: string, least: number): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < least) throw new TypeError(`${flag} takes a whole number from ${least} on`)
  return number
}

async function main({ benches, json, runs, nodes, minutes, baseline, tolerance }: Order): Promise<void> {
  const measured: Figure[] = []
  const note = (text: string): void => {
    if (!json && process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
  }
  for (const bench of benches) {
    const options: BenchOptions = {
      runs,
      nodes,
      minutes,
      note: (text) => note(text === '' ? '' : `${bench.name}: ${text}`),
    }
    const figures = await bench.run(options)
    note('')
    measured.push(...figures)
    if (json) for (const figure of figures) console.log(jsonLine(figure))
    else console.log(`${table(figures)}\n`)
  }
  if (baseline === undefined) return
  const worse = regressions(baseline, measured, tolerance)
  console.error(renderRegressions(worse, tolerance))
  if (worse.length > 0) process.exitCode = 1
}

let order: Order | undefined
try {
  order = orderOf(process.argv.slice(2))
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`)
  process.exitCode = 1
}
try {
  if (order !== undefined) await main(order)
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
