/** The harness itself: whatever happens to a test, no process and no home stays behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/daemons.ts'

const REAPER = join(import.meta.dirname, '..', 'support', 'reaper.ts')

/** A parent with two children under a reaper, which then does `ending`. */
const parent = (ending: string): string => `
  import { spawn } from 'node:child_process'
  import { mkdtempSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  import { join } from 'node:path'
  import { Reaper } from ${JSON.stringify(REAPER)}
  const directory = mkdtempSync(join(tmpdir(), 'sotto-reaper-'))
  const reaper = new Reaper(directory)
  const children = [1, 2].map(() => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']))
  for (const child of children) reaper.watch(child)
  console.log(JSON.stringify({ directory, pids: children.map((child) => child.pid) }))
  setTimeout(() => { ${ending} }, 50)
`

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

for (const [how, ending] of [
  ['is killed', "process.kill(process.pid, 'SIGKILL')"],
  ['throws', "throw new Error('a bug')"],
  ['exits', 'process.exit(0)'],
] as const) {
  test(`a parent that ${how} leaves no child and no directory`, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', parent(ending)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { directory, pids } = JSON.parse(line.toString()) as { directory: string; pids: number[] }
    assert.ok(pids.every(alive) && existsSync(directory))
    await until('nothing is left', async () => !pids.some(alive) && !existsSync(directory), 10_000)
  })
}
