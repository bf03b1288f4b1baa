/** `npm run churn -- [--records N] [--model M …] [--seed S] [--json] [--write]`: what churn costs letters. README.md one folder up. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { modelOf } from './models.ts'
import { study } from './experiments.ts'
import type { Order, Study } from './experiments.ts'
import { plot } from './plot.ts'
import { section, withSection } from './section.ts'
import { tables } from './table.ts'

const USAGE = 'npm run churn -- [--records N] [--model M …] [--seed S] [--json] [--write]'
const README = join(import.meta.dirname, '..', 'README.md')
const PLOT = join(import.meta.dirname, 'loss.svg')
const RECORDS = '1000'
const SEED = '1'

interface Wish extends Order {
  readonly json: boolean
  readonly write: boolean
}

function wishOf(args: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...args],
    options: {
      records: { type: 'string', default: RECORDS },
      model: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string', default: SEED },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  for (const name of values.model) modelOf(name)
  if (values.write && values.model.length > 0) throw new TypeError('only the whole study is written down')
  const [records, seed] = [natural('--records', values.records, 1), natural('--seed', values.seed, 0)]
  return { records, seed, models: values.model, note, json: values.json, write: values.write }
}

function natural(flag: string, text: string, least: number): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < least)
    throw new TypeError(`${flag} takes a whole number from ${least} on`)
  return number
}

/** In place on a terminal, a line each elsewhere. */
function note(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${text}` : `${text}\n`)
}

function main({ json, write, ...order }: Wish): void {
  const began = performance.now()
  const found = study(order)
  const seconds = Math.round((performance.now() - began) / 1_000)
  if (process.stderr.isTTY) note('')
  console.log(json ? jsonOf(found, seconds) : tables(found))
  if (!json) console.error(`\nseed ${order.seed}, ${seconds} s`)
  if (!write) return
  writeFileSync(PLOT, plot(found))
  writeFileSync(README, withSection(readme(), section(found, order.records)))
}

/** One line: every tally as it stands. */
const jsonOf = (found: Study, seconds: number): string => JSON.stringify({ ...found, seconds })

function readme(): string {
  try {
    return readFileSync(README, 'utf8')
  } catch {
    return ''
  }
}

try {
  main(wishOf(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n${USAGE}` : error)
  process.exitCode = 1
}
