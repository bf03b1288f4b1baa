/**
 * `npm run simulate`: seeds side by side in two processes, one line of JSON each where asked for, and a last line with the sum.
 * Exit code 1 where an invariant was broken, 2 for a wrong option. With `--mutate` it ends with the first seed that notices, and the exit
 * code is 1 where none did.
 */
import { execFileSync, fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { parseArgs } from 'node:util'
import { MUTATIONS, mutationOf } from './mutations.ts'
import { runSeed, SIZES } from './scenario.ts'
import type { SeedResult, SizeName } from './scenario.ts'
import type { Order } from './worker.ts'

const USAGE = `npm run simulate -- [--seeds N] [--from SEED] [--seed SEED] [--mutate NAME] [--liveness] [--size small|full] [--workers N] [--json]

  --seeds N      how many seeds (100)          --from SEED   the first of them (1)
  --seed SEED    one seed, with its trace      --json        a line of JSON for each seed
  --size full    the whole network: three to four times the cost of the usual sixteen holders, a sender and a reader
  --liveness     liars turn honest when the faults stop, and all must come right
  --mutate NAME  breaks the product: ${Object.keys(MUTATIONS).join(', ')}`

/** Young garbage is most of a seed's memory, and nobody reads the stack of an error that the product catches. */
const WORKER_FLAGS = ['--min-semi-space-size=64', '--max-semi-space-size=64', '--stack-trace-limit=0']

interface Settings {
  readonly from: number
  readonly seeds: number
  readonly mutation: string | undefined
  readonly liveness: boolean
  readonly size: SizeName
  readonly workers: number
  readonly json: boolean
}

interface Answer {
  readonly result?: SeedResult
  readonly seed?: number
  readonly failure?: string
}

class Sum {
  readonly failedSeeds: number[] = []
  violations = 0
  messages = 0
  delivered = 0
  events = 0
  days = 0
  done = 0
  readonly #began = performance.now()

  add(result: SeedResult): void {
    this.done++
    this.violations += result.violations.length
    this.messages += result.messages
    this.delivered += result.delivered
    this.events += result.events
    this.days += result.days
    if (result.violations.length > 0) this.failedSeeds.push(result.seed)
  }

  line(): string {
    const { done: seeds, violations, messages, delivered, events } = this
    const failedSeeds = this.failedSeeds.toSorted((a, b) => a - b)
    const seconds = Math.round((performance.now() - this.#began) / 100) / 10
    const days = Math.round(this.days * 10) / 10
    return JSON.stringify({ seeds, violations, failedSeeds, messages, delivered, events, seconds, days })
  }
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes')
  } catch {
    return 'unknown'
  }
}

function report(result: SeedResult, settings: Settings): void {
  if (settings.json) console.log(JSON.stringify(result))
  if (result.violations.length === 0) return
  console.error(`seed ${result.seed} at commit ${commit()}: ${result.violations.length} violation(s)`)
  for (const { invariant, atHours, what } of result.violations.slice(0, 5)) {
    console.error(`  ${invariant} after ${atHours} h: ${what}`)
  }
  console.error(`  again: npm run simulate -- --seed ${result.seed}${mutated(settings)}`)
}

const mutated = ({ mutation, liveness, size }: Settings): string =>
  (mutation === undefined ? '' : ` --mutate ${mutation}`) +
  (liveness ? ' --liveness' : '') +
  (size === 'small' ? '' : ` --size ${size}`)

async function runAll(settings: Settings): Promise<Sum> {
  const sum = new Sum()
  const orders: Order[] = Array.from({ length: settings.seeds }, (_, i) => ({
    seed: settings.from + i,
    mutation: settings.mutation,
    liveness: settings.liveness,
    size: settings.size,
  }))
  const workers = Math.min(settings.workers, orders.length)
  await Promise.all(Array.from({ length: workers }, async () => work(orders, settings, sum)))
  return sum
}

/** One process that takes orders until none is left. */
async function work(orders: Order[], settings: Settings, sum: Sum): Promise<void> {
  const child: ChildProcess = fork(new URL('worker.ts', import.meta.url), { execArgv: WORKER_FLAGS })
  try {
    for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
      const { result, failure } = await answerTo(child, order)
      if (result === undefined) throw new Error(`seed ${order.seed} at commit ${commit()} broke off: ${failure ?? ''}`)
      sum.add(result)
      report(result, settings)
      if (settings.mutation !== undefined && sum.failedSeeds.length > 0) orders.length = 0
      if (sum.done % 10 === 0) console.error(`${sum.done}/${settings.seeds} seeds, ${sum.violations} violations`)
    }
  } finally {
    child.kill()
  }
}

async function answerTo(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve) => {
    const ended = (): void => {
      resolve({ failure: 'its process ended' })
    }
    child.once('exit', ended)
    child.once('message', (answer: Answer) => {
      child.off('exit', ended)
      resolve(answer)
    })
    child.send(order)
  })
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      mutate: { type: 'string' },
      workers: { type: 'string', default: '2' },
      liveness: { type: 'boolean', default: false },
      size: { type: 'string', default: 'small' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [from, seeds, workers] = [values.from, values.seeds, values.workers].map(wholeNumber) as [
    number,
    number,
    number,
  ]
  if (values.mutate !== undefined) mutationOf(values.mutate)
  const settings: Settings = {
    from,
    seeds,
    workers,
    mutation: values.mutate,
    liveness: values.liveness,
    size: sizeOf(values.size),
    json: values.json,
  }
  if (values.seed === undefined) {
    const sum = await runAll(settings)
    console.log(sum.line())
    return sum.violations > 0 === (settings.mutation === undefined) ? 1 : 0
  }
  const result = await runSeed(wholeNumber(values.seed), {
    liveness: settings.liveness,
    size: SIZES[settings.size],
    trace: (line) => {
      console.error(line)
    },
    ...(settings.mutation === undefined ? {} : { mutation: mutationOf(settings.mutation) }),
  })
  const sum = new Sum()
  sum.add(result)
  report(result, settings)
  console.log(sum.line())
  return result.violations.length > 0 ? 1 : 0
}

function sizeOf(text: string): SizeName {
  if (!Object.hasOwn(SIZES, text)) throw new TypeError(`${text} is no size`)
  return text as SizeName
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`${text} is no whole number`)
  return value
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = error instanceof TypeError ? 2 : 1
}
