/** `npm run bench -- [session|store|direct|put …] [--json]`: Sotto beside its peers, in the same run. README.md beside this. */
import { parseArgs } from 'node:util'
import { direct } from './direct.ts'
import type { Bench, BenchOptions } from './harness.ts'
import { put } from './put.ts'
import { jsonLine, table } from './report.ts'
import { session } from './session.ts'
import { store } from './store.ts'

const BENCHES: readonly Bench[] = [session, store, direct, put]
const USAGE = `npm run bench -- [${BENCHES.map(({ name }) => name).join('|')} …] [--json] [--runs N] [--nodes N]`
const RUNS_MIN = 5
const NODES_MIN = 8

interface Order {
  readonly benches: readonly Bench[]
  readonly json: boolean
  readonly runs: number
  readonly nodes: number
}

function orderOf(args: readonly string[]): Order {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: String(RUNS_MIN) },
      nodes: { type: 'string', default: '20' },
    },
  })
  const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name))
  if (unknown.length > 0) throw new TypeError(`there is no bench called ${unknown.join(', ')}`)
  const benches = positionals.length === 0 ? BENCHES : BENCHES.filter(({ name }) => positionals.includes(name))
  return {
    benches,
    json: values.json,
    runs: atLeast('--runs', values.runs, RUNS_MIN),
    nodes: atLeast('--nodes', values.nodes, NODES_MIN),
  }
}

function atLeast(flag: string, text: string, least: number): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < least) throw new TypeError(`${flag} takes a whole number from ${least} on`)
  return number
}

async function main({ benches, json, runs, nodes }: Order): Promise<void> {
  const note = (text: string): void => {
    if (!json && process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
  }
  for (const bench of benches) {
    const options: BenchOptions = { runs, nodes, note: (text) => note(text === '' ? '' : `${bench.name}: ${text}`) }
    const figures = await bench.run(options)
    note('')
    if (json) for (const figure of figures) console.log(jsonLine(figure))
    else console.log(`${table(figures)}\n`)
  }
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
