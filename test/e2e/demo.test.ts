/** The demo is a test: the whole line on real daemons, and nothing left behind, whether it ends or is interrupted. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/daemons.ts'

const DEMO = join(import.meta.dirname, '..', 'demo', 'main.ts')
const SECONDS_MAX = 90

interface Line {
  readonly step?: number
  readonly name?: string
  readonly ok: boolean
  readonly seconds: number
  readonly steps?: number
  readonly holders?: readonly string[]
  readonly daemons?: number
}

/** Processes whose command line names the directory, and what lies in it. */
function leftovers(directory: string): readonly string[] {
  const processes = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  return [...processes.filter((line) => line.includes(directory)), ...readdirSync(directory)]
}

interface Run {
  readonly lines: readonly Line[]
  readonly code: number | null
  readonly stderr: string
}

/** Runs the demo in a temporary directory of its own; `onLine` may interrupt it. */
async function demo(directory: string, onLine: (line: Line, interrupt: () => void) => void): Promise<Run> {
  const env = { ...process.env, TMPDIR: directory }
  const child = spawn(process.execPath, [DEMO, '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: Line[] = []
  let rest = ''
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      const line = JSON.parse(part) as Line
      lines.push(line)
      onLine(line, () => child.kill('SIGINT'))
    }
  })
  await new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve()
    })
  })
  assert.equal(rest, '')
  return { lines, code: child.exitCode, stderr }
}

async function inTemporary(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sd-'))
  try {
    await work(directory)
    await until('nothing is left', async () => leftovers(directory).length === 0, 10_000)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('TE-01 MB-08 MB-09 MB-10 MB-13 MB-16 MB-26 E2-32 I6 the demo: every step holds, in under 90 s', async () => {
  await inTemporary(async (directory) => {
    const { lines, code, stderr } = await demo(directory, () => {})
    const last = lines.at(-1) ?? assert.fail(stderr)
    assert.deepEqual({ code, failed: lines.filter(({ ok }) => !ok) }, { code: 0, failed: [] }, stderr)
    assert.deepEqual(Object.keys(last), ['ok', 'seconds', 'steps'])
    assert.equal(last.steps, lines.length - 1)
    assert.ok(last.seconds < SECONDS_MAX, `${last.seconds} s`)
    assert.deepEqual(
      lines.slice(0, -1).map(({ step }) => step),
      Array.from({ length: lines.length - 1 }, (_, i) => i + 1),
    )
    assert.ok((lines[0]?.daemons ?? 0) >= 10)
    assert.equal(lines.find(({ holders }) => holders !== undefined)?.holders?.length, 5)
  })
})

test('the demo, interrupted: no process and no home stays behind', async () => {
  await inTemporary(async (directory) => {
    const { code } = await demo(directory, (line, interrupt) => {
      if (line.step === 1) interrupt()
    })
    assert.equal(code, 130)
  })
})
