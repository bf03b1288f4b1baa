/**
 * `npm run demo`: a network of real daemons on loopback, and the one thing that Sotto is for. `--json` prints one object
 * per step and a last line; `--daemons N` (10 to 40) makes it larger; `--keep` leaves homes and logs behind.
 * Exit code 0 where every step held, 1 where one did not, 130 after Ctrl-C; no process stays behind.
 */
import { parseArgs } from 'node:util'
import { Testbed } from '../support/daemons.ts'
import { Reporter } from './reporter.ts'
import { Story } from './story.ts'

const DAEMONS = 11
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

interface Arguments {
  readonly json: boolean
  readonly keep: boolean
  readonly daemons: number
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      daemons: { type: 'string', default: String(DAEMONS) },
    },
  })
  const daemons = Number(values.daemons)
  if (!Number.isInteger(daemons) || daemons < 10 || daemons > 40)
    throw new Error('--daemons takes a number from 10 to 40')
  return { json: values.json, keep: values.keep, daemons }
}

async function main({ json, keep, daemons }: Arguments): Promise<number> {
  const noColor = (process.env['NO_COLOR'] ?? '') !== ''
  const reporter = new Reporter({ json, out: process.stdout, noColor, now: () => performance.now() })
  const bed = new Testbed(keep)
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      reporter.abandon()
      void bed.close().finally(() => process.exit(code))
    })
  }
  reporter.title(`Sotto: ${daemons} daemons on this machine, and nobody in between`)
  try {
    await new Story(bed, reporter, daemons).tell()
    await bed.close()
    reporter.end(true)
    return 0
  } catch (error) {
    await bed.close()
    reporter.end(false)
    if (!json && error instanceof Error && error.cause !== undefined) console.error(error.cause)
    return 1
  } finally {
    if (keep) console.error(`homes and logs: ${bed.root}`)
  }
}

try {
  process.exitCode = await main(readArguments())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
