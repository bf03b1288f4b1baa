/**
 * `npm run lab -- nat`: how two people reach each other from behind whatever routers they have, with real daemons in an internet of
 * network namespaces. `npm run lab -- check` only proves the NATs. What else there is: USAGE.
 */
import { parseArgs } from 'node:util'
import { checkNats } from './check.ts'
import type { Checked } from './check.ts'
import { LabBed } from './daemons.ts'
import { KINDS, pairsOf } from './kinds.ts'
import type { Kind, Pair } from './kinds.ts'
import { jsonLine, shortfalls, sumOf, textHead, textLine, textSum, writeReadme } from './report.ts'
import type { Row } from './report.ts'
import { Run } from './run.ts'
import { lacks, World } from './world.ts'

const USAGE = `npm run lab -- nat|check [--pairs A-B,…] [--stock] [--json] [--seconds N] [--write] [--keep]

  nat            measures the pairs after checking the NATs they need; check only checks (all kinds)
  --pairs A-B,…  kinds with a - between (${KINDS.join(', ')}), or lan-KIND for two hosts behind one NAT
  --seconds N    how long a direct connection may take to come about (30)
  --stock        measures js-libp2p as it comes beside it
  --json         one line for each pair and a last one with the sum
  --write        puts figures and picture into test/lab/README.md
  --keep         leaves homes and logs behind

Exit code 1 where a NAT is not what it should be, a pair was not reached, or one that can be direct is not; 2 where the machine
lacks something or an option is wrong; 130 after Ctrl-C.`

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const SECONDS_MAX = 120

interface Arguments {
  readonly verb: 'nat' | 'check'
  readonly pairs: readonly Pair[]
  readonly stock: boolean
  readonly json: boolean
  readonly seconds: number
  readonly write: boolean
  readonly keep: boolean
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      pairs: { type: 'string' },
      stock: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '30' },
      write: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  })
  const [verb, more] = positionals
  if ((verb !== 'nat' && verb !== 'check') || more !== undefined) throw new Error('say nat or check')
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) throw new Error(`--seconds takes a number up to ${SECONDS_MAX}`)
  return { ...values, verb, seconds, pairs: pairsOf(values.pairs) }
}

/** What people read goes to stderr where stdout is for machines. */
function sayer(json: boolean): (line: string) => void {
  return (line) => (json ? process.stderr : process.stdout).write(`${line}\n`)
}

function kindsOf({ verb, pairs }: Arguments): readonly Kind[] {
  return verb === 'check' ? KINDS : KINDS.filter((kind) => pairs.some(({ a, b }) => a === kind || b === kind))
}

async function check(world: World, given: Arguments): Promise<readonly string[]> {
  const say = sayer(given.json)
  const faults: string[] = []
  await checkNats(world, kindsOf(given), ({ site, kind, behaviour, faults: found }: Checked) => {
    faults.push(...found)
    const { udpMapping = 'no', udpFilter = 'no', tcpMapping = 'no', tcpDialIn } = behaviour
    const seen = `UDP: ${udpMapping} port, ${udpFilter} may answer; TCP: ${tcpMapping} port, ${tcpDialIn} may connect`
    if (given.verb === 'check' || found.length > 0) say(`${site} ${kind.padEnd(10)} ${seen}`)
  })
  for (const fault of faults) say(`the lab is broken: ${fault}`)
  if (faults.length === 0) say('every NAT does what its name says')
  return faults
}

async function measureAll(world: World, bed: LabBed, given: Arguments): Promise<number> {
  const say = sayer(given.json)
  const run = new Run(world, bed, { directMs: given.seconds * 1_000, stock: given.stock, say })
  await run.prepare()
  const rows: Row[] = []
  if (!given.json) say(textHead(given.stock))
  for (const pair of given.pairs) {
    const row = await run.pair(pair)
    rows.push(row)
    process.stdout.write(`${given.json ? jsonLine(row) : textLine(row)}\n`)
  }
  const faults = shortfalls(rows)
  say(textSum(rows))
  for (const fault of faults) say(`short of what must be: ${fault}`)
  if (given.write) writeReadme(rows, new Date())
  if (given.json) process.stdout.write(`${JSON.stringify(sumOf(rows))}\n`)
  return faults.length === 0 ? 0 : 1
}

async function main(): Promise<number> {
  let given: Arguments
  try {
    given = readArguments()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`)
    return 2
  }
  const missing = lacks()
  if (missing.length > 0) {
    process.stderr.write(`the lab cannot be built here; it lacks ${missing.join(', ')}\n`)
    return 2
  }
  // Everything is removed as the process exits (World), or just after it (Reaper).
  // Not once: npm and timeout signal twice, and the second must not end us in the middle of it.
  for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => process.exit(code))
  const world = await World.up()
  const bed = new LabBed(world, given.keep)
  try {
    if (given.keep) process.stderr.write(`homes and logs: ${bed.root}\n`)
    const faults = await check(world, given)
    if (faults.length > 0) return 1
    return given.verb === 'check' ? 0 : await measureAll(world, bed, given)
  } finally {
    world.down()
    await bed.close()
  }
}

process.exitCode = await main()
