import { readFile, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import type { Command } from 'commander'
import { EXIT, fromSystemError } from '../../api/errors.ts'
import type { ApiClient } from '../../api/client.ts'
import { SottoError, nameOf } from '../../lib/errors.ts'
import { paint } from '../colour.ts'
import type { Style } from '../colour.ts'
import type { Context, Register } from '../context.ts'
import type { Check } from '../doctor/check.ts'
import { metricsOf } from '../metrics.ts'
import { ownVersion } from '../own-version.ts'
import { safeLine } from '../render.ts'

const LOG_MAX_BYTES = 64 * 1_048_576
const LOG_LINES = 200

interface ReportOptions {
  readonly log?: string
}

/** What is wrong here, and what to send to whoever is asked for help. */
export const registerDoctor: Register = (program, open) => {
  program
    .command('doctor')
    .description('look for what is wrong with this machine, the home and the daemon, and say what to do')
    .action(async (_options: object, self: Command) => doctor(open(self)))
  program
    .command('bugreport [file]')
    .description('versions, settings, state and figures for a bug report; nobody’s names, addresses or messages')
    .option('--log <file>', 'with the security lines of this daemon log (- reads standard input)')
    .action(async (file: string | undefined, options: ReportOptions, self: Command) =>
      bugreport(open(self), file, options),
    )
}

async function doctor(context: Context): Promise<void> {
  const { examine } = await import('../doctor/look.ts')
  const items = await context.patiently('looking', examine(context))
  context.print({ items, ...tally(items) }, () => items.map((check) => checkText(check, context.colour)).join('\n'))
  const failed = items.filter(({ result }) => result === 'fail')
  if (failed.length > 0) context.exitCode = failed.every(({ name }) => name === 'daemon') ? EXIT.daemon : EXIT.user
}

function tally(items: readonly Check[]): { readonly ok: number; readonly warn: number; readonly fail: number } {
  const count = (wanted: Check['result']): number => items.filter(({ result }) => result === wanted).length
  return { ok: count('ok'), warn: count('warn'), fail: count('fail') }
}

const STYLE: Readonly<Record<Check['result'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }

function checkText({ name, result, detail, advice }: Check, colour: boolean): string {
  const mark = paint(STYLE[result], result.padEnd(4), colour)
  const head = `${mark}  ${name.padEnd(8)}  ${safeLine(detail)}`
  return advice === '' ? head : `${head}\n${' '.repeat(16)}→ ${safeLine(advice)}`
}

async function bugreport(context: Context, file: string | undefined, { log }: ReportOptions): Promise<void> {
  const [{ examine }, { Redactor }] = await Promise.all([import('../doctor/look.ts'), import('../redact.ts')])
  const redactor = new Redactor()
  const checks = await context.patiently('looking', examine(context))
  const found = {
    versions: {
      sotto: await ownVersion(),
      node: process.versions.node,
      platform: process.platform,
      arch: process.arch,
      release: release(),
    },
    // What is wrong may be said with a name in it: the finding is enough.
    doctor: checks.map(({ name, result }) => ({ check: name, result })),
    config: await configOf(context),
    daemon: await daemonFacts(context),
    security: log === undefined ? [] : securityLines(await logText(context, log)),
  }
  const report = `${JSON.stringify({ schemaVersion: 1, ...(redactor.value(found) as object) }, undefined, 2)}\n`
  if (file === undefined) {
    context.write(report)
    return
  }
  await writeFile(file, report, { mode: 0o600 }).catch((error: unknown) => {
    throw fromSystemError(error, 'cannot write the report')
  })
  context.done({ file }, () => `${file} is written; look through it before you send it`)
}

async function configOf(context: Context): Promise<object> {
  const { loadSettings } = await import('../../config.ts')
  try {
    const {
      home: _home,
      socketPath: _socket,
      warnings,
      ...config
    } = await loadSettings({
      home: context.homeFlag,
      env: context.world.env,
    })
    return { ...config, warnings: warnings.length }
  } catch (error) {
    return { fault: nameOf(error) }
  }
}

/** What the daemon says, as far as it does: a report is wanted most when not everything works. */
async function daemonFacts(context: Context): Promise<object> {
  const views: Readonly<Record<string, (client: ApiClient) => Promise<unknown>>> = {
    status: (client) => client.status(),
    net: async (client) => {
      const { summary: _summary, hints, ...net } = await client.net()
      return { ...net, hints: hints.length }
    },
    mailbox: (client) => client.mailbox(),
    prekeys: (client) => client.prekeys(),
    zone: (client) => client.zone(),
    peers: (client) => client.peers(),
    metrics: () => metricsOf(context.home),
  }
  const found = await Promise.all(
    Object.entries(views).map(async ([name, view]) => {
      try {
        return [name, await view(await context.client())] as const
      } catch (error) {
        if (!(error instanceof SottoError)) throw error
        return [name, { error: error.name }] as const
      }
    }),
  )
  return Object.fromEntries(found)
}

async function logText(context: Context, file: string): Promise<string> {
  if (file === '-') return Buffer.from(await context.world.readStdin(LOG_MAX_BYTES)).toString('utf8')
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fromSystemError(error, 'cannot read the log')
  })
}

/** The last lines that tell of somebody who tried what they may not; they never name anybody. */
function securityLines(log: string): readonly object[] {
  const lines = log.split('\n').filter((line) => line.includes('"security":true'))
  return lines.slice(-LOG_LINES).flatMap((line) => {
    try {
      const { time, level, component, msg, times } = JSON.parse(line) as Record<string, unknown>
      return [{ at: time, level, component, event: msg, times }]
    } catch {
      return [] // cut off, or not a line of ours
    }
  })
}
