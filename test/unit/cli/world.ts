/** A command line in this process, against a fake application behind a real server. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { run } from '../../../src/cli/run.ts'
import type { World } from '../../../src/cli/world.ts'
import type { Fake } from '../api/fake-application.ts'
import type { Harness } from '../api/harness.ts'
import { serve } from '../api/harness.ts'

export interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
  /** The one object on standard output. */
  readonly json: Record<string, unknown>
}
export interface Options extends Partial<Omit<World, 'terminal'>> {
  readonly input?: string | Uint8Array
  readonly terminal?: Partial<World['terminal']>
  readonly typed?: string[]
}

/** Runs a command line in this process. */
export async function sotto(home: string, args: readonly string[], options: Options = {}): Promise<Result> {
  let out = ''
  let err = ''
  const { input = '', typed = [], terminal = {}, ...world } = options
  const code = await run(['--home', home, ...args], {
    env: {},
    stdout: (text) => (out += text),
    stderr: (text) => (err += text),
    readStdin: async () => Buffer.from(input),
    askHidden: async () => typed.shift() ?? '',
    untilSignal: () => new Promise(() => {}),
    untilCrash: () => new Promise(() => {}),
    openUrl: async () => false,
    loadNode: () => assert.fail('this verb needs no node'),
    ...world,
    terminal: { stdin: false, stdout: false, stderr: false, columns: 80, ...terminal },
  })
  const json = out.startsWith('{') && !out.trim().includes('\n') ? (JSON.parse(out) as Record<string, unknown>) : {}
  return { code, out, err, json }
}

export async function start(t: TestContext): Promise<Harness & { application: Fake }> {
  return serve(t)
}

/** The objects of a result with one a line. */
export function linesOf({ out }: Result): readonly Record<string, unknown>[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
