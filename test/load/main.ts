/**
 * `npm run load -- [--streams N] [--readers N] [--messages N] [--json]`: runs into the API of real daemons. Exit code 1 where a
 * message was lost, a stream missed one, or a request failed.
 */
import { parseArgs } from 'node:util'
import { befriend, knowEnough, startAll, Testbed } from '../support/daemons.ts'
import { allowMuch, load } from './load.ts'
import type { LoadPlan, LoadReport } from './load.ts'

const HOLDERS = 5
const MOST = { streams: 60, readers: 200, messages: 100_000 } as const

function planOf(args: readonly string[]): LoadPlan & { readonly json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      streams: { type: 'string', default: '50' },
      readers: { type: 'string', default: '20' },
      messages: { type: 'string', default: '2000' },
      json: { type: 'boolean', default: false },
    },
  })
  const number = (name: keyof typeof MOST): number => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 1 || value > MOST[name]) {
      throw new TypeError(`--${name} takes a number from 1 to ${MOST[name]}`)
    }
    return value
  }
  return { streams: number('streams'), readers: number('readers'), messages: number('messages'), json: values.json }
}

async function run(plan: LoadPlan): Promise<LoadReport> {
  const bed = new Testbed()
  try {
    const holders = Array.from({ length: HOLDERS }, (_, i) => bed.daemon(`holder${i}`, { passphrase: null }))
    const people = ['alice', 'bob'].map((name) => bed.daemon(name))
    for (const person of people) allowMuch(person)
    await holders[0]?.start()
    await startAll([...holders.slice(1), ...people])
    await knowEnough(bed, HOLDERS)
    for (const person of people) await person.createIdentity()
    const [alice, bob] = people
    if (alice === undefined || bob === undefined) throw new TypeError('two people talk')
    await befriend(alice, bob)
    return await load(alice, bob, plan)
  } finally {
    await bed.close()
  }
}

const { json, ...plan } = planOf(process.argv.slice(2))
const report = await run(plan)
if (json) console.log(JSON.stringify(report))
else {
  const { sendMs, readMs } = report
  const ms = ({ p50, p95, max }: typeof sendMs): string =>
    `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, max ${max.toFixed(1)} ms`
  console.log(`${report.messages} messages, ${report.streams} event streams, ${report.readers} readers`)
  console.log(
    `delivered   ${report.delivered} in ${report.seconds.toFixed(1)} s, ${report.messagesPerSecond.toFixed(0)} a second`,
  )
  console.log(`received    ${report.received}; not heard on every stream: ${report.unheard}`)
  console.log(`accepted    ${ms(sendMs)}`)
  console.log(`read        ${ms(readMs)}, ${report.reads} times`)
  console.log(`failures    ${report.failures}`)
}
const { delivered, received, unheard, failures, messages } = report
process.exitCode = delivered === messages && received === messages && unheard === 0 && failures === 0 ? 0 : 1
