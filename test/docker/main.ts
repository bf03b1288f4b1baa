/**
 * `npm run docker`: containers behind routers, and what happens to them while people talk. See docker/README.md.
 *
 *     npm run docker -- up|chaos|partition|churn|upgrade|down [--peers 20] [--people 6] [--minutes 10] [--seed S] [--json]
 *
 * Exit code 0 where every promise was kept, 1 where one was not, 2 where something is missing that it needs, 130 after Ctrl-C.
 */
import type { Trouble } from '../chaos/faults.ts'
import { Storm } from '../chaos/storm.ts'
import type { TroubleInit } from '../chaos/storm.ts'
import { ArgumentError, readArguments } from './arguments.ts'
import type { Arguments, Scenario } from './arguments.ts'
import { containerOf, docker, lacking } from './engine.ts'
import { keep, peersTable, rowsOf, summary } from './report.ts'
import { removeTown, Town } from './town.ts'
import { chaos, churn, Partition, Upgrade } from './troubles.ts'

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

type Say = (line: string) => void

function write(line: string): void {
  process.stdout.write(`${line}\n`)
}

function troubleOf(scenario: Scenario, town: Town, init: TroubleInit): Trouble {
  if (scenario === 'churn') return churn(town, init)
  if (scenario === 'partition') return new Partition(init)
  if (scenario === 'upgrade') return new Upgrade(town, init)
  return chaos(town, init)
}

async function up(town: Town, say: Say): Promise<number> {
  const { people } = await town.start()
  say(peersTable(await rowsOf(town.daemons)))
  const [one, other] = people.map(({ name }) => name)
  say(`docker exec ${containerOf(one ?? '')} sotto send ${other ?? ''} hello`)
  return 0
}

/** The storm, the containers, and what both of them found. */
async function play(town: Town, given: Arguments, say: Say): Promise<number> {
  const { scenario, minutes, seed } = given
  const trouble = (init: TroubleInit): Trouble => troubleOf(scenario, town, init)
  const storm = new Storm(town, { minutes, seed, say, trouble, faultEveryMs: 0 })
  const result = await storm.run()
  const violated = [...storm.violations]
  await town.check((what) => {
    say(`VIOLATION ${what}`)
    violated.push(what)
  })
  const rows = await rowsOf(town.daemons)
  const engine = (await docker('version', '--format', '{{.Server.Version}}')).trim()
  const { people } = given
  const report = { scenario, seed, people, engine, ...result, violations: violated.length, violated, rows }
  const file = keep(report)
  say(peersTable(rows))
  say(summary(report))
  say(`report: ${file}`)
  if (given.json) write(JSON.stringify(report))
  return violated.length === 0 ? 0 : 1
}

async function main(given: Arguments): Promise<number> {
  const missing = await lacking()
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`)
    return 2
  }
  if (given.scenario === 'down') {
    await removeTown()
    return 0
  }
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      void removeTown()
        .catch(() => process.stderr.write('not everything could be removed; run: npm run docker -- down\n'))
        .finally(() => process.exit(code))
    })
  }
  const say: Say = (line) => {
    write(given.json ? JSON.stringify({ line }) : line)
  }
  say(`seed ${given.seed}`)
  const town = new Town({ ...given, say })
  if (given.scenario === 'up') return up(town, say)
  try {
    return await play(town, given, say)
  } finally {
    if (!given.keep) await removeTown()
  }
}

try {
  process.exitCode = await main(readArguments(process.argv.slice(2), Date.now()))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof ArgumentError ? 2 : 1
}
