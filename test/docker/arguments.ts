/** What `npm run docker` was asked for. */
import { parseArgs } from 'node:util'
import { NAMES } from '../chaos/network.ts'

export const SCENARIOS = ['up', 'chaos', 'partition', 'churn', 'upgrade', 'down'] as const
export type Scenario = (typeof SCENARIOS)[number]

export interface Arguments {
  readonly scenario: Scenario
  /** Besides bootstrap peers, relays and routers. */
  readonly peers: number
  /** So many of them belong to people who talk. */
  readonly people: number
  readonly minutes: number
  readonly seed: number
  readonly json: boolean
  /** Leaves everything running. */
  readonly keep: boolean
  /** Public peers find out by themselves that they are, instead of being told their addresses. */
  readonly discover: boolean
}

export class ArgumentError extends Error {}

export const USAGE = `npm run docker -- ${SCENARIOS.join('|')} [--peers 20] [--people 6] [--minutes 10] [--seed S] [--json] [--keep] [--discover]`

/** Throws ArgumentError. */
export function readArguments(argv: readonly string[], now: number): Arguments {
  const { values, positionals } = parsed(argv)
  const scenario = SCENARIOS.find((name) => name === positionals[0])
  if (scenario === undefined || positionals.length > 1) throw new ArgumentError(USAGE)
  const peers = within('peers', values.peers, 5, 60)
  // Some have to hold what the others write while a third is away.
  const peopleMax = Math.min(NAMES.length, Math.floor(peers / 2))
  return {
    scenario,
    peers,
    people: within('people', values.people ?? String(Math.min(6, peopleMax)), 2, peopleMax),
    minutes: within('minutes', values.minutes, 0.1, 1_440, false),
    seed: within('seed', values.seed ?? String(now % 1_000_000), 0, 2 ** 32 - 1),
    json: values.json,
    keep: values.keep,
    discover: values.discover,
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        peers: { type: 'string', default: '20' },
        people: { type: 'string' },
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        discover: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new ArgumentError(`${error instanceof Error ? error.message : 'bad arguments'}\n${USAGE}`, { cause: error })
  }
}

function within(name: string, text: string, from: number, to: number, whole = true): number {
  const value = Number(text)
  if (text !== '' && value >= from && value <= to && (!whole || Number.isInteger(value))) return value
  throw new ArgumentError(`--${name} takes a number from ${from} to ${to}`)
}
