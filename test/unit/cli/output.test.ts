/** What every verb’s output keeps to: one object, one line per object, colours, widths, nothing that steers a terminal. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { EXIT } from '../../../src/api/errors.ts'
import { wantsColour } from '../../../src/cli/colour.ts'
import { EXIT_CODES } from '../../../src/cli/man.ts'
import { table } from '../../../src/cli/render.ts'
import { program } from '../../../src/cli/run.ts'
import { everyVerb, leaves, verbTree } from '../../../src/cli/tree.ts'
import { cut, displayWidth } from '../../../src/cli/width.ts'
import { Interrupted } from '../../../src/cli/world.ts'
import { BOB, contactView, hexId, messageView } from '../api/fake-application.ts'
import { tempHome } from '../api/harness.ts'
import { linesOf, sotto, start } from './world.ts'

const README = readFileSync(join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'README.md'), 'utf8')

test('CL-14 the exit codes are told in one table each: README, manual, and the errors themselves', () => {
  const codes = new Map(EXIT_CODES)
  assert.deepEqual(
    [...codes.keys()],
    [...Object.values(EXIT), 130].sort((a, b) => a - b),
  )
  const section = README.slice(README.indexOf('| exit |'))
  for (const code of codes.keys()) assert.match(section, new RegExp(`\\| ${code} \\|`), String(code))
})

test('CL-14 every verb has its line in the README, and a description of its own', () => {
  const verbs = leaves(verbTree(program()))
  assert.ok(verbs.length > 60, `${verbs.length} verbs`)
  for (const { path, description } of verbs) {
    assert.ok(description.length > 5, path)
    const [head = '', rest] = path.split(' ')
    assert.match(README, new RegExp(`\\\`${head}\\b`), path)
    if (rest !== undefined) assert.match(README, new RegExp(`\\b${rest}\\b`), path)
  }
  for (const { options } of everyVerb(verbTree(program())))
    for (const { names, description } of options) assert.ok(description.length > 5, names.join())
})

test('CL-14 no secret can be given on the command line: secrets come from files, the environment or a prompt', () => {
  for (const { path, options } of everyVerb(verbTree(program()))) {
    const loose = options.filter(
      ({ flags }) => /passphrase|phrase|secret|password/.test(flags) && !/<file>|^--restore$/.test(flags),
    )
    assert.deepEqual(loose, [], path)
  }
})

test('CL-14 --json gives one object with its version, --jsonl one per line, of lists each item', async (t) => {
  const { home, application } = await start(t)
  application.receive(BOB, 'hi')
  for (const verb of [
    'status',
    'peers',
    'contact list',
    'read',
    'read bob --peek',
    'token list',
    'search hi',
    'net zone',
  ]) {
    const { json, err } = await sotto(home, [...verb.split(' '), '--json'])
    assert.deepEqual([json['schemaVersion'], err], [1, ''], verb)
  }
  for (const [verb, count] of [
    ['contact list', 2],
    ['read bob --peek', 1],
    ['status', 1],
    ['token list', 0],
  ] as const) {
    const lines = linesOf(await sotto(home, [...verb.split(' '), '--jsonl']))
    assert.equal(lines.length, count, verb)
    for (const line of lines) assert.equal(line['schemaVersion'], 1)
  }
  const wrong = await sotto(home, ['read', 'nobody', '--jsonl'])
  const { error } = JSON.parse(wrong.err) as { error: { exitCode: number } }
  assert.deepEqual([wrong.code, error.exitCode, wrong.out], [8, 8, ''])
})

test('CL-14 --quiet: what was only asked to happen says nothing, what was asked is answered, errors are told', async (t) => {
  const { home } = await start(t)
  assert.equal((await sotto(home, ['contact', 'rename', 'bob', 'Robert', '-q'])).out, '')
  assert.equal((await sotto(home, ['contact', 'rename', 'rob', 'Bob'])).out.startsWith('renamed Bob'), true)
  assert.match((await sotto(home, ['contact', 'list', '--quiet'])).out, /Bob/)
  const made = await sotto(home, ['token', 'create', 'x', '--quiet'])
  assert.deepEqual([made.out.length > 40, made.err], [true, ''])
  assert.match((await sotto(home, ['read', 'nobody', '--quiet'])).err, /no contact/)
})

test('CL-14 Ctrl-C at a prompt ends with 130 and says nothing', async (t) => {
  const { home } = await start(t)
  const askHidden = async (): Promise<string> => {
    throw new Interrupted('stopped')
  }
  const { code, out, err } = await sotto(home, ['passphrase', 'change'], { askHidden, terminal: { stdin: true } })
  assert.deepEqual([code, out, err], [130, '', ''])
})

test('CL-14 colour: the flag, then FORCE_COLOR, then NO_COLOR, then whether it is a terminal', async (t) => {
  const yes = { stdin: false, stdout: true, stderr: true, columns: 80 }
  const no = { ...yes, stdout: false }
  assert.equal(wantsColour({ env: {}, terminal: yes }), true)
  assert.equal(wantsColour({ env: {}, terminal: no }), false)
  assert.equal(wantsColour({ env: { TERM: 'dumb' }, terminal: yes }), false)
  assert.equal(wantsColour({ env: { NO_COLOR: '1' }, terminal: yes }), false)
  assert.equal(wantsColour({ env: { NO_COLOR: '' }, terminal: yes }), true)
  assert.equal(wantsColour({ env: { FORCE_COLOR: '1', NO_COLOR: '1' }, terminal: no }), true)
  assert.equal(wantsColour({ env: { FORCE_COLOR: '0' }, terminal: yes }), false)
  assert.equal(wantsColour({ env: { FORCE_COLOR: '1' }, terminal: yes }, false), false)
  const { home } = await start(t)
  const escape = '\u001b['
  const list = async (args: string[], env = {}): Promise<boolean> =>
    (await sotto(home, ['contact', 'list', ...args], { env, terminal: { stdout: true } })).out.includes(escape)
  assert.deepEqual(
    [await list([]), await list(['--no-color']), await list([], { NO_COLOR: '1' }), await list(['--json'])],
    [true, false, false, false],
  )
})

test('CL-14 a table on a terminal is as wide as the terminal; elsewhere nothing is cut', async (t) => {
  const { home, application } = await start(t)
  application.contactList.push(contactView(`sotto1${'w'.repeat(58)}`, '很长的名字'.repeat(20)))
  for (const columns of [40, 80, 200]) {
    const { out } = await sotto(home, ['contact', 'list'], {
      env: { NO_COLOR: '1' },
      terminal: { stdout: true, columns },
    })
    for (const line of out.trimEnd().split('\n')) assert.ok(displayWidth(line) <= columns, `${columns}: ${line}`)
  }
  assert.ok((await sotto(home, ['contact', 'list'])).out.includes('很长的名字'.repeat(20)))
})

test('widths: columns line up whatever is in them, and a cut text is never wider than asked for', () => {
  assert.deepEqual(['abc', '日本', '👍🏽', 'é', '👨‍👩‍👧', ''].map(displayWidth), [3, 4, 2, 1, 2, 0])
  const text = fc.string({ unit: 'grapheme', maxLength: 30 })
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 30 }), (value, columns) => {
      const short = cut(value, columns)
      assert.ok(displayWidth(short) <= Math.max(columns, 1))
      if (displayWidth(value) <= columns) assert.equal(short, value)
    }),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, text, text), { maxLength: 6 }),
      fc.integer({ min: 30, max: 60 }),
      (rows, columns) => {
        for (const line of table(['A', 'B', 'C'], rows, { columns }).split('\n'))
          assert.ok(displayWidth(line) <= columns)
      },
    ),
  )
})

test('CL-14 nothing that a peer wrote steers the terminal, in any verb that shows it', async (t) => {
  const { home, application } = await start(t)
  const evil = 'x\u001b]0;owned\u0007\u001b[2J\u202egnp\r\u009b31m'
  // oxlint-disable-next-line no-control-regex
  const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/
  application.contactList.splice(0, Infinity, contactView(BOB, evil, { note: evil, profileName: evil }))
  application.contactProfile = async () => ({ name: evil, bio: evil, avatar: null, number: 1 })
  application.messageList.push(
    messageView(hexId(1), BOB, {
      outgoing: false,
      text: evil,
      starred: true,
      reactions: [{ own: false, emoji: evil, at: '2026-11-21T13:20:00.000Z' }],
    }),
  )
  application.emit('test', { evil })
  const verbs = ['contact list', 'read', `read ${BOB} --peek`, 'search x', 'starred', `msg show ${hexId(1)}`]
  for (const verb of [...verbs, `profile show ${BOB}`, `conversation show ${BOB}`, 'export', 'tail', 'tail --events']) {
    for (const more of [[], ['--json'], ['--jsonl']]) {
      const { code, out, err } = await sotto(home, [...verb.split(' '), ...more])
      assert.equal(code, 0, `${verb}: ${err}`)
      assert.ok(!raw.test(out), `${verb} ${more.join()}: ${JSON.stringify(out)}`)
    }
  }
})

test('work of more than a second says on a terminal how long it lasts, and leaves nothing behind', async (t) => {
  const { home, application } = await start(t)
  application.publishIdentity = () =>
    new Promise((resolve) => {
      setTimeout(() => {
        resolve({ receipts: 5 })
      }, 1_300)
    })
  const [shown, plain, quiet] = await Promise.all([
    sotto(home, ['id', 'publish'], { terminal: { stderr: true } }),
    sotto(home, ['id', 'publish']),
    sotto(home, ['id', 'publish', '--quiet'], { terminal: { stderr: true } }),
  ])
  assert.match(shown.err, /publishing … 1 s/)
  assert.ok(shown.err.endsWith('\r\u001b[K'))
  assert.deepEqual([plain.err, quiet.err], ['', ''])
})

test('--version is the verb', async (t) => {
  const home = await tempHome(t)
  const out = (await sotto(home, ['version'])).out
  assert.match(out, /^sotto \d+\.\d+\.\d+\n$/)
  const { run } = await import('../../../src/cli/run.ts')
  let printed = ''
  const world = { env: {}, terminal: { stdin: false, stdout: false, stderr: false, columns: 80 } }
  const none = (): never => assert.fail('not needed')
  await run(['--version'], {
    ...world,
    stdout: (text) => (printed += text),
    stderr: none,
    readStdin: none,
    askHidden: none,
    untilSignal: none,
    untilCrash: none,
    openUrl: none,
    loadNode: none,
  })
  assert.equal(printed, out)
})
