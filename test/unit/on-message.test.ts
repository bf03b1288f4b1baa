/** The program that is run for every message: a real process, and what others on the machine can see of it. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/lib/clock.ts'
import { LockedError } from '../../src/lib/errors.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { HOOK_LIMITS, MessageHook } from '../../src/on-message.ts'
import type { HookLimits } from '../../src/on-message.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { BOB, fakeApplication } from './api/fake-application.ts'

const SECRET = 'a text that only two people know'
const FAST: HookLimits = { ...HOOK_LIMITS, retry: { firstMs: 1, maxMs: 2, factor: 2 } }

/** A program of a few lines of JavaScript that leaves its results in files of its directory. */
function hook(t: TestContext, program: string, limits = FAST, application = fakeApplication()) {
  const home = mkdtempSync(join(tmpdir(), 'sotto-hook-'))
  t.after(() => {
    rmSync(home, { recursive: true, force: true })
  })
  const file = join(home, 'program.mjs')
  const head = `import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
const input = JSON.parse(readFileSync(0, 'utf8'))
`
  writeFileSync(file, head + program)
  const { log, lines } = recordingLogger()
  const system = { clock: systemClock, rng: systemRng, log }
  const make = () => new MessageHook({ application, command: [process.execPath, file, 'x'], home, limits, ...system })
  const path = (name: string): string => join(home, name)
  return { application, make, path, lines, read: (name: string) => readFileSync(path(name), 'utf8') }
}

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let steps = 0; !(await done()); steps++) {
    assert.ok(steps < 3_000, what)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('PR-14 the program gets the message on its input; its arguments and environment have ids only', async (t) => {
  process.env['SOTTO_PASSPHRASE'] = 'not for programs'
  t.after(() => delete process.env['SOTTO_PASSPHRASE'])
  const h = hook(
    t,
    `writeFileSync('input', JSON.stringify(input))
    writeFileSync('cmdline', readFileSync('/proc/self/cmdline'))
    writeFileSync('environ', readFileSync('/proc/self/environ'))
    writeFileSync('pid', String(process.pid))
    // It stays until the test has looked from outside.
    while (!existsSync('seen')) await new Promise((resolve) => setTimeout(resolve, 5))`,
  )
  await h.application.consumer('hook')
  const one = h.make()
  one.start()
  const message = h.application.receive(BOB, SECRET)
  await until('the program runs', () => existsSync(h.path('pid')) && h.read('pid') !== '')
  const outside = readFileSync(`/proc/${h.read('pid')}/cmdline`, 'utf8')
  writeFileSync(h.path('seen'), '')
  await until('it is acknowledged', async () => (await h.application.consumer('hook')).acknowledged === 1)
  await one.stop()
  const input = JSON.parse(h.read('input')) as { number: number; type: string; message: { text: string; id: string } }
  assert.deepEqual([input.number, input.type], [1, 'message:received'])
  assert.deepEqual([input.message.text, input.message.id], [SECRET, message.id])
  for (const text of [outside, h.read('cmdline'), h.read('environ')]) {
    assert.ok(!text.includes('only two people'), 'no plaintext where others can read')
    assert.ok(!text.includes('not for programs'))
  }
  const environment = h.read('environ').split('\0')
  assert.ok(environment.includes(`SOTTO_MESSAGE_ID=${message.id}`))
  assert.ok(environment.includes(`SOTTO_CONTACT=${BOB}`))
  assert.deepEqual(environment.filter((line) => line.startsWith('SOTTO_')).length, 2)
  assert.ok(h.lines.every((line) => !JSON.stringify(line).includes(SECRET)))
})

test('PR-14 each message once and in order, one program at a time, also those that came while nobody ran', async (t) => {
  const h = hook(
    t,
    `if (existsSync('running')) appendFileSync('log', 'two at once ')
    writeFileSync('running', '')
    appendFileSync('log', input.message.text + ' ')
    await new Promise((resolve) => setTimeout(resolve, 20))
    ;(await import('node:fs')).rmSync('running')`,
  )
  await h.application.consumer('hook')
  for (const text of ['a', 'b']) h.application.receive(BOB, text)
  const first = h.make()
  first.start()
  h.application.receive(BOB, 'c')
  await until('three are done', async () => (await h.application.consumer('hook')).acknowledged === 3)
  await first.stop()
  h.application.emit('contact:pinned', {})
  h.application.receive(BOB, 'd')
  const second = h.make()
  second.start()
  await until('the fourth is done', async () => (await h.application.consumer('hook')).acknowledged === 5)
  await second.stop()
  assert.equal(h.read('log'), 'a b c d ')
})

test('PR-14 a program that fails is tried again, and passed over in the end', async (t) => {
  const h = hook(
    t,
    `appendFileSync('log', input.message.text)
    const tries = readFileSync('log', 'utf8').length
    process.exit(input.message.text === 'x' || tries < 3 ? 7 : 0)`,
    { ...FAST, attemptsMax: 4 },
  )
  await h.application.consumer('hook')
  const one = h.make()
  one.start()
  h.application.receive(BOB, 'a')
  h.application.receive(BOB, 'x')
  h.application.receive(BOB, 'b')
  await until('all are done', async () => (await h.application.consumer('hook')).acknowledged === 3)
  await one.stop()
  assert.equal(h.read('log'), 'aaaxxxxb')
  assert.equal(h.lines.filter(({ level }) => level === 'warn').length, 1)
})

test('PR-14 a program that hangs is killed with what it started, and a stop waits for neither', async (t) => {
  const h = hook(
    t,
    `const { spawn } = await import('node:child_process')
    const child = spawn('sleep', ['1000'], { stdio: 'inherit' })
    writeFileSync('child', String(child.pid))
    await new Promise(() => setInterval(() => {}, 1000))`,
    { ...FAST, timeoutMs: 600, attemptsMax: 1 },
  )
  await h.application.consumer('hook')
  const one = h.make()
  one.start()
  h.application.receive(BOB, 'a')
  await until('it is given up', async () => (await h.application.consumer('hook')).acknowledged === 1)
  const pid = Number(h.read('child'))
  await until('its child is gone', () => isGone(pid))
  rmSync(h.path('child'))
  h.application.receive(BOB, 'b')
  await until('it hangs again', () => existsSync(h.path('child')) && h.read('child') !== '')
  await one.stop()
  assert.ok((await h.application.consumer('hook')).acknowledged >= 1)
})

test('PR-14 what a program leaves behind holds nothing up, and what it prints is in no log', async (t) => {
  const h = hook(
    t,
    `const { spawn } = await import('node:child_process')
    const left = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { detached: true, stdio: 'inherit' })
    process.stdout.write(input.message.text)
    left.once('spawn', () => {
      appendFileSync('left', left.pid + ' ')
      process.exit(0)
    })`,
  )
  await h.application.consumer('hook')
  const one = h.make()
  one.start()
  h.application.receive(BOB, SECRET)
  await until('the message is done', async () => (await h.application.consumer('hook')).acknowledged === 1)
  await one.stop()
  endLeft(h)
  assert.ok(h.lines.some((line) => JSON.stringify(line).includes('printed')))
  assert.ok(h.lines.every((line) => !JSON.stringify(line).includes('only two people')))
})

test('PR-14 a program that is killed is waited for no longer, whoever holds its output', async (t) => {
  const h = hook(
    t,
    `const { spawn } = await import('node:child_process')
    const left = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { detached: true, stdio: 'inherit' })
    left.once('spawn', () => appendFileSync('left', left.pid + ' '))
    setTimeout(() => {}, 60_000)`,
    { ...FAST, timeoutMs: 700, attemptsMax: 1 },
  )
  await h.application.consumer('hook')
  const one = h.make()
  one.start()
  h.application.receive(BOB, 'x')
  await until('it is passed over', async () => (await h.application.consumer('hook')).acknowledged === 1)
  await one.stop()
  endLeft(h)
})

/** What the programs have left running. */
function endLeft({ read }: { read: (name: string) => string }): void {
  for (const pid of read('left').trim().split(' ')) process.kill(Number(pid), 'SIGKILL')
}

test('PR-14 without keys or without a program it waits and does not fail', async (t) => {
  const application = fakeApplication()
  const h = hook(t, `writeFileSync('ran', '')`, FAST, application)
  await application.consumer('hook')
  const eventsSince = application.eventsSince.bind(application)
  application.eventsSince = async () => Promise.reject(new LockedError('sealed'))
  const one = h.make()
  one.start()
  application.receive(BOB, 'a')
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.deepEqual(
    h.lines.filter(({ level }) => level === 'warn'),
    [],
  )
  application.eventsSince = eventsSince
  application.emit('account:published', {})
  await until('the first is done', async () => (await application.consumer('hook')).acknowledged >= 1)
  await one.stop()
  assert.ok(existsSync(h.path('ran')))
  const { log, lines } = recordingLogger()
  const system = { clock: systemClock, rng: systemRng, log, home: tmpdir() }
  const missing = new MessageHook({ application, command: ['/no/such/program'], limits: FAST, ...system })
  application.receive(BOB, 'b')
  missing.start()
  await until('it is passed over', async () => (await application.consumer('hook')).acknowledged >= 3)
  await missing.stop()
  assert.match(JSON.stringify(lines), /ENOENT/)
})

/** Gone, or a zombie that only its parent still counts. */
function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
