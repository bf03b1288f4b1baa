/**
 * `npm run chaos`: real daemons on loopback, killed, stopped and frozen at random while people talk.
 *
 *     npm run chaos -- --nodes 20 --minutes 10 [--people 6] [--seed S] [--json] [--keep]
 *     npm run chaos -- --kills 200 [--seed S] [--json] [--keep]
 *     npm run chaos -- api --events 10000 [--seed S] [--json] [--keep]
 *
 * The last line is JSON. Exit code 0 where every promise was kept, 1 where one was not, 130 after Ctrl-C.
 */
import { parseArgs } from 'node:util'
import { Testbed } from '../support/daemons.ts'
import { ApiChaos } from './api/run.ts'
import { KillPoints, ROLES } from './kill-points.ts'
import { loopback, PEOPLE_MAX } from './network.ts'
import { Storm } from './storm.ts'

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const FAULTS_EVERY_MS = 2_500
const REPAIR_MS = 15_000
const COLLECT_MS = 8_000

interface Arguments {
  readonly nodes: number
  readonly people: number
  readonly minutes: number
  readonly kills: number
  /** Above 0: the API's chaos, with so many events. */
  readonly events: number
  readonly seed: number
  readonly json: boolean
  readonly keep: boolean
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string', default: '20' },
      people: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      kills: { type: 'string', default: '0' },
      events: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  })
  if (positionals.some((word) => word !== 'api')) throw new Error('there is the storm, --kills, and api')
  const nodes = within('nodes', values.nodes, 7, 60)
  return {
    nodes,
    people: within('people', values.people ?? String(Math.min(6, nodes - 5)), 2, Math.min(PEOPLE_MAX, nodes - 5)),
    minutes: within('minutes', values.minutes, 0.1, 1_440),
    kills: within('kills', values.kills, 0, 10_000),
    events: positionals.length === 0 ? 0 : within('events', values.events, 10, 1_000_000),
    seed: within('seed', values.seed, 0, 2 ** 32 - 1),
    json: values.json,
    keep: values.keep,
  }
}

function within(name: string, text: string, from: number, to: number): number {
  const value = Number(text)
  if (!(value >= from && value <= to)) throw new Error(`--${name} takes a number from ${from} to ${to}`)
  return value
}

function write(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function storm(
  bed: Testbed,
  { nodes, people, minutes, seed }: Arguments,
  say: (line: string) => void,
): Promise<boolean> {
  const times = { repairIntervalMs: REPAIR_MS, collectIntervalMs: COLLECT_MS }
  const ground = loopback(bed, { nodes, people, smallDisks: Math.floor(nodes / 7), ...times })
  const result = await new Storm(ground, { minutes, seed, say, faultEveryMs: FAULTS_EVERY_MS }).run()
  write(JSON.stringify(result))
  return result.violations === 0
}

async function killPoints(bed: Testbed, { kills, seed }: Arguments, say: (line: string) => void): Promise<boolean> {
  const points = new KillPoints(bed, { seed, say })
  await points.start()
  for (const [i, role] of ROLES.entries()) {
    await points.play(role, Math.floor((kills + i) / ROLES.length))
  }
  const result = await points.finish()
  say('role | kills | losses')
  for (const { role, kills: count, losses } of result.roles) say(`${role} | ${count} | ${losses}`)
  write(JSON.stringify(result))
  return result.losses === 0
}

async function apiChaos(bed: Testbed, { events, seed }: Arguments, say: (line: string) => void): Promise<boolean> {
  const result = await new ApiChaos(bed, { events, seed, daemonKillEvery: 400, readerKillEvery: 60, say }).run()
  write(JSON.stringify(result))
  return result.lost + result.doubled + result.breaches.length === 0
}

async function main(given: Arguments): Promise<number> {
  const bed = new Testbed(given.keep)
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      void bed.close().finally(() => process.exit(code))
    })
  }
  const say = (line: string): void => {
    write(given.json ? JSON.stringify({ line }) : line)
  }
  say(`seed ${given.seed}${given.keep ? `, homes and logs in ${bed.root}` : ''}`)
  try {
    const play = given.events > 0 ? apiChaos : given.kills > 0 ? killPoints : storm
    return (await play(bed, given, say)) ? 0 : 1
  } finally {
    await bed.close()
  }
}

try {
  process.exitCode = await main(readArguments())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
