import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERRORS, EXIT } from '../../../src/api/errors.ts'
import type { NodeModule } from '../../../src/cli/node-module.ts'
import { pick } from '../../../src/cli/resolve.ts'
import { ConflictError, NetworkError, PassphraseError } from '../../../src/lib/errors.ts'
import { ALICE, BOB, CAROL, accountOf, contactView, hexId, messageView } from '../api/fake-application.ts'
import { tempHome } from '../api/harness.ts'
import type { Result } from './world.ts'
import { sotto, start } from './world.ts'

test('the exit codes are those of the table, with one line on stderr that says what to do', async (t) => {
  const { home, application } = await start(t)
  const expected: Record<string, number> = {
    UsageError: 1,
    ConflictError: 1,
    CodecError: 1,
    LimitError: 1,
    PassphraseError: 1,
    LockedError: 1,
    IdentityChangedError: 4,
    VerificationError: 4,
    DecryptError: 2,
    RateError: 5,
    NotFoundError: 8,
    NetworkError: 3,
    StorageError: 3,
    TimeoutError: 7,
    DaemonError: 6,
  }
  assert.deepEqual(ERRORS.map(({ name }) => name).sort(), Object.keys(expected).sort())
  for (const row of ERRORS) {
    application.identity = async () => {
      throw row.make('it happened', 1_000)
    }
    const plain = await sotto(home, ['id', 'show'])
    assert.equal(plain.code, expected[row.name], row.name)
    assert.match(plain.err, /^sotto: [^\n]+\n$/)
    const json = await sotto(home, ['id', 'show', '--json'])
    assert.equal(json.out, '')
    const { error } = JSON.parse(json.err) as { error: Record<string, unknown> }
    assert.deepEqual([error['code'], error['exitCode']], [row.code, expected[row.name]])
  }
  application.identity = async () => {
    throw new TypeError('a bug')
  }
  assert.equal((await sotto(home, ['id', 'show'])).code, EXIT.unexpected)
  application.state = 'locked'
  assert.match((await sotto(home, ['contact', 'list'])).err, /sotto unlock/)
})

test('without a daemon every client verb exits with 6 and says how to start one', async (t) => {
  const home = await tempHome(t)
  const verbs = [
    'status',
    'peers',
    'net check',
    'id show',
    'id publish',
    'id rotate',
    'unlock',
    'lock',
    'invite',
    'contact list',
    `contact add ${BOB}`,
    'contact accept bob',
    'contact direct bob never',
    'contact block bob',
    'contact unblock bob',
    'contact remove bob',
    'contact rename bob b',
    'contact verify bob',
    'send bob hi',
    'read bob',
    'read',
    'tail',
    'tail --events',
    `msg why ${hexId(1)}`,
    `msg show ${hexId(1)}`,
    `msg take-back ${hexId(1)}`,
    `key get ${BOB}`,
    'prekey status',
    'token rotate',
    'wait --for=ready --timeout 0.2',
  ]
  for (const verb of verbs) {
    const { code, err } = await sotto(home, verb.split(' '))
    assert.equal(code, 6, verb)
    assert.match(err, /sotto daemon/)
  }
})

test('a wrong command line exits with 1 and one line; help and version with 0', async (t) => {
  const home = await tempHome(t)
  for (const args of [
    ['nonsense'],
    ['send'],
    ['status', '--nope'],
    ['read', 'bob', '-n', '0'],
    ['status', '--timeout', 'x'],
    [],
  ]) {
    const { code, err } = await sotto(home, args)
    assert.equal(code, 1, args.join(' '))
    assert.match(err, /^sotto: [^\n]+\n$/)
  }
  const json = await sotto(home, ['nonsense', '--json'])
  assert.equal((JSON.parse(json.err) as { error: { code: string } }).error.code, 'usage')
  const help = await sotto(home, ['--help'])
  assert.equal(help.code, 0)
  for (const verb of [
    'init',
    'daemon',
    'status',
    'id',
    'key',
    'invite',
    'contact',
    'send',
    'read',
    'tail',
    'msg',
    'peers',
    'wait',
    'version',
  ]) {
    assert.match(help.out, new RegExp(`\\n {2}${verb} `))
  }
  assert.match((await sotto(home, ['version'])).out, /^sotto \d+\.\d+\.\d+\n$/)
})

test('--json prints one object with a schema version, before or after the verb', async (t) => {
  const { home, application } = await start(t)
  application.receive(BOB, 'hi')
  for (const args of [
    ['status', '--json'],
    ['--json', 'status'],
  ]) {
    const { code, json, err } = await sotto(home, args)
    assert.equal(code, 0)
    assert.deepEqual(json, { schemaVersion: 1, ...(await application.status()) })
    assert.equal(err, '')
  }
  const shapes: [string, string[]][] = [
    ['id show', ['accountId', 'deviceId', 'cardNumber', 'devices']],
    ['id publish', ['receipts']],
    ['invite', ['link']],
    ['contact list', ['items']],
    ['contact verify bob', ['accountId', 'digits', 'qr', 'verified']],
    ['read', ['items']],
    ['read bob', ['items', 'next']],
    ['peers', ['items']],
    [
      'net check',
      [
        'role',
        'reachability',
        'summary',
        'addresses',
        'listening',
        'verified',
        'unproved',
        'mapping',
        'observed',
        'relays',
        'serves',
        'peers',
        'hints',
      ],
    ],
    [`key get ${BOB}`, ['accountId', 'suite', 'number', 'expiresAt', 'devices', 'sizes', 'successor']],
    ['prekey status', ['number', 'total', 'target', 'slices', 'createdAt', 'lastRotatedAt', 'used', 'lastResortUses']],
    ['wait --for=ready', ['for', 'accountId', 'peers']],
    ['version', ['version', 'node']],
    ['lock', ['locked']],
  ]
  for (const [line, keys] of shapes) {
    const { json, code, err } = await sotto(home, [...line.split(' '), '--json'])
    assert.equal(code, 0, `${line}: ${err}`)
    assert.deepEqual(Object.keys(json), ['schemaVersion', ...keys], line)
  }
})

test('PK-01 PK-16 prekey status says how many are left, in how many slices, and since when', async (t) => {
  const { home } = await start(t)
  const { out, code } = await sotto(home, ['prekey', 'status'])
  assert.equal(code, 0)
  assert.match(out, /100 of 100 left/)
  assert.equal(out.match(/12D3KooWHolder/g)?.length, 5)
  assert.match(out, /3, and 1 without one/)
})

test('MB-05 mailbox status says what waits, where, and whether the last look was complete', async (t) => {
  const { home, application } = await start(t)
  const { out, code } = await sotto(home, ['mailbox', 'status'])
  assert.equal(code, 0)
  assert.match(out, /waiting: +2 at holders/)
  assert.match(out, /unread: +3/)
  assert.match(out, /15 answers/)
  assert.match(out, /2 +12D3KooWHolder/)
  const view = await application.mailbox()
  application.mailbox = async () => ({ ...view, lastSweepAt: null, complete: false, answers: 0, holders: [] })
  assert.match((await sotto(home, ['mailbox', 'status'])).out, /never, 0 answers/)
})

test('a contact is named by account id, petname or a unique beginning of either', () => {
  const contacts = [
    contactView(accountOf('q'), 'Bob'),
    contactView(accountOf('p'), 'Bobby'),
    contactView(accountOf('z'), 'Carol'),
    contactView(accountOf('r'), 'carla'),
  ]
  assert.equal(pick(contacts, 'Bob').name, 'Bob')
  assert.equal(pick(contacts, 'bob').name, 'Bob')
  assert.equal(pick(contacts, 'bobb').name, 'Bobby')
  assert.equal(pick(contacts, 'sotto1zz').name, 'Carol')
  assert.equal(pick(contacts, accountOf('r')).name, 'carla')
  for (const several of ['car', 'sotto1', 'b']) assert.throws(() => pick(contacts, several), { name: 'UsageError' })
  assert.throws(() => pick(contacts, 'dave'), { name: 'NotFoundError' })
})

test('AP-03 send takes its text from the argument or from standard input', async (t) => {
  const { home, application } = await start(t)
  const sent = await sotto(home, ['send', 'bob', 'hello there'])
  assert.equal(sent.code, 0)
  assert.match(sent.out, /^queued [0-9a-f]{32}\n$/)
  assert.equal((await sotto(home, ['send', 'carol'], { input: 'two\nlines\n' })).code, 0)
  assert.equal((await sotto(home, ['send', 'carol', '-'], { input: 'dash' })).code, 0)
  assert.equal((await sotto(home, ['send', 'bob', '--', '--json'])).code, 0)
  assert.deepEqual(
    application.messageList.map(({ contact, text }) => [contact, text]),
    [
      [BOB, 'hello there'],
      [CAROL, 'two\nlines'],
      [CAROL, 'dash'],
      [BOB, '--json'],
    ],
  )
  assert.equal((await sotto(home, ['send', 'bob'], { input: '' })).code, 1)
  assert.equal((await sotto(home, ['send', 'bob'], { input: Uint8Array.of(0xff, 0xfe) })).code, 1)
  assert.equal((await sotto(home, ['send', 'bob'], { terminal: { stdin: true } })).code, 1)
  assert.equal((await sotto(home, ['send', 'nobody', 'x'])).code, 8)
  const twice = ['send', 'bob', 'same', '--idempotency-key', 'k', '--json']
  assert.equal((await sotto(home, twice)).json['id'], (await sotto(home, twice)).json['id'])
})

test('DT-17 send takes 1 MiB and refuses one byte more', async (t) => {
  const { home } = await start(t)
  assert.equal((await sotto(home, ['send', 'bob'], { input: 'x'.repeat(1_048_576) })).code, 0)
  assert.equal((await sotto(home, ['send', 'bob'], { input: 'x'.repeat(1_048_577) })).code, 1)
})

test('read shows the oldest first and marks as read; --peek does not', async (t) => {
  const { home, application } = await start(t)
  application.receive(BOB, 'first')
  application.receive(BOB, 'second')
  const peeked = await sotto(home, ['read', 'bob', '--peek'])
  assert.match(peeked.out, /Bob: first.*\n.*Bob: second/)
  assert.ok(!application.calls.some((call) => call.startsWith('markRead')))
  const { json } = await sotto(home, ['read', 'bob', '--json'])
  const items = json['items'] as { id: string; text: string }[]
  assert.deepEqual(
    items.map(({ text }) => text),
    ['first', 'second'],
  )
  assert.deepEqual(
    application.calls.filter((call) => call.startsWith('markRead')),
    [`markRead ${items[1]?.id}`],
  )
  const page = await sotto(home, ['read', 'bob', '-n', '1', '--json'])
  assert.equal((page.json['items'] as unknown[]).length, 1)
  const older = await sotto(home, ['read', 'bob', '-n', '1', '--cursor', String(page.json['next']), '--json'])
  assert.equal((older.json['items'] as { text: string }[])[0]?.text, 'first')
})

test('what peers wrote cannot drive the terminal', async (t) => {
  const { home, application } = await start(t)
  application.contactList.push(contactView(accountOf('e'), 'eve\u001b[2J\u202e'))
  application.receive(accountOf('e'), 'a\u001b]0;owned\u0007\r\nfake line\u009b31m\u202eb')
  for (const args of [['read', accountOf('e')], ['read'], ['contact', 'list'], ['tail']]) {
    const { out } = await sotto(home, args)
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    assert.ok(!out.split('\n').some((line) => line.startsWith('fake line')))
  }
  const { out, json } = await sotto(home, ['read', accountOf('e'), '--json'])
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  assert.match((json['items'] as { text: string }[])[0]?.text ?? '', /\u009b31m\u202eb$/)
})

test('contacts: add by link or id, accept, rename, verify, accept a change, block, remove', async (t) => {
  const { home, application } = await start(t)
  const dave = accountOf('d')
  assert.equal((await sotto(home, ['contact', 'add', dave, 'Dave', '--note', 'it is me'])).code, 0)
  const added = application.contactList.at(-1)
  assert.deepEqual([added?.name, added?.note, added?.pinSource], ['Dave', 'it is me', 'network'])
  assert.equal((await sotto(home, ['contact', 'add', 'sotto:link'])).code, 0)
  assert.equal(application.contactList.at(-1)?.pinSource, 'invite')
  assert.equal((await sotto(home, ['contact', 'add', 'http://x'])).code, 1)
  assert.equal((await sotto(home, ['contact', 'accept', 'dave'])).code, 0)
  assert.match((await sotto(home, ['contact', 'rename', 'dave', 'David'])).out, /renamed David/)
  assert.match((await sotto(home, ['contact', 'verify', 'david'])).out, /^12345 /)
  assert.match((await sotto(home, ['contact', 'verify', 'david', '--confirm'])).out, /^verified David/)
  assert.match((await sotto(home, ['contact', 'verify', 'david', '--undo'])).out, /^not verified/)
  assert.match((await sotto(home, ['contact', 'verify', 'david', '--accept-change'])).out, /new key/)
  assert.equal((await sotto(home, ['contact', 'verify', 'david', '--confirm', '--undo'])).code, 1)
  assert.match((await sotto(home, ['contact', 'direct', 'david', 'never'])).out, /^never direct: David/)
  assert.equal(application.contactList.find(({ name }) => name === 'David')?.direct, 'never')
  assert.equal((await sotto(home, ['contact', 'direct', 'david', 'sometimes'])).code, 1)
  assert.match((await sotto(home, ['contact', 'block', 'david'])).out, /blocked/)
  assert.match(
    (await sotto(home, ['contact', 'list'])).out,
    /^NAME +STATE +TRUST +ACCOUNT\nBob +accepted +network +sotto1q/,
  )
  assert.equal((await sotto(home, ['contact', 'remove', 'david'])).code, 0)
  assert.equal((await sotto(home, ['contact', 'block', 'david'])).code, 8)
  assert.match((await sotto(home, ['invite', '--qr'])).out, /^sotto:sotto1a+\n[\s█▀▄]+$/)
})

test('ID-21 init over a running daemon: shows the phrase once, then exits with 1', async (t) => {
  const { home, application } = await start(t)
  application.state = 'empty'
  const file = join(home, 'pass')
  await writeFile(file, 'a long passphrase\n')
  const made = await sotto(home, ['init', '--passphrase-file', file])
  assert.equal(made.code, 0)
  assert.match(made.out, / 1 abandon .*\n/)
  assert.equal(application.passphrase, 'a long passphrase')
  const again = await sotto(home, ['init', '--passphrase-file', file])
  assert.deepEqual([again.code, application.passphrase], [1, 'a long passphrase'])
})

test('ID-22 the passphrase comes from file, environment or hidden prompt; a wrong one exits with 1', async (t) => {
  const { home, application } = await start(t)
  application.state = 'locked'
  assert.equal((await sotto(home, ['unlock'])).code, 1, 'nobody to ask')
  const wrong = await sotto(home, ['unlock'], { env: { SOTTO_PASSPHRASE: 'wrong' } })
  assert.deepEqual([wrong.code, wrong.out], [1, ''])
  const typed = await sotto(home, ['unlock'], { terminal: { stdin: true }, typed: ['correct horse'] })
  assert.equal(typed.code, 0)
  assert.ok(!(typed.out + typed.err).includes('correct horse'))
  const file = join(home, 'pass')
  await writeFile(file, 'correct horse\n')
  assert.equal((await sotto(home, ['unlock'], { env: { SOTTO_PASSPHRASE_FILE: file } })).code, 0)
  assert.equal((await sotto(home, ['unlock', '--passphrase-file', `${file}x`])).code, 1)
})

test('ID-21 init without a daemon makes the identity offline; the phrase restores it', async (t) => {
  const home = await tempHome(t)
  const asked: unknown[] = []
  const identity = { accountId: ALICE, deviceId: hexId(1), cardNumber: 1, devices: [] }
  const loadNode = async (): Promise<NodeModule> => ({
    runDaemon: () => assert.fail('no daemon'),
    async offlineInit(settings, passphrase, phrase) {
      asked.push([settings.home, passphrase, phrase])
      return { identity, phrase: phrase ?? 'word '.repeat(24).trim() }
    },
  })
  const env = { SOTTO_PASSPHRASE: 'long enough' }
  const made = await sotto(home, ['init', '--json'], { env, loadNode })
  assert.deepEqual(Object.keys(made.json), ['schemaVersion', 'accountId', 'deviceId', 'phrase', 'recovered'])
  const restored = await sotto(home, ['id', 'new', '--phrase-file', '-'], { env, loadNode, input: 'zoo vote\n' })
  assert.equal(restored.code, 0)
  assert.ok(!restored.out.includes('zoo'))
  assert.deepEqual(asked, [
    [home, 'long enough', undefined],
    [home, 'long enough', 'zoo vote'],
  ])
  const twice = { terminal: { stdin: true }, loadNode }
  assert.equal((await sotto(home, ['init'], { ...twice, typed: ['one two three', 'one two four'] })).code, 1)
  assert.equal((await sotto(home, ['init'], { ...twice, typed: ['short', 'short'] })).code, 1)
  assert.equal((await sotto(home, ['init'], { ...twice, typed: ['one two three', 'one two three'] })).code, 0)
})

test('wait: conditions that hold return, others time out with 7', async (t) => {
  const { home, application } = await start(t)
  assert.equal((await sotto(home, ['wait', '--for=ready'])).code, 0)
  application.state = 'locked'
  assert.equal((await sotto(home, ['wait', '--for=up', '--json'])).json['state'], 'locked')
  assert.equal((await sotto(home, ['wait', '--for=ready', '--timeout', '0.2'])).code, 7)
  application.state = 'ready'
  assert.equal((await sotto(home, ['wait', '--for', 'peers=3'])).code, 0)
  assert.equal((await sotto(home, ['wait', '--for=peers=4', '--timeout', '0.2'])).code, 7)
  assert.equal((await sotto(home, ['wait', '--for=message', '--timeout', '0.2'])).code, 7)
  setTimeout(() => application.receive(BOB, 'hi'), 50)
  const message = await sotto(home, ['wait', '--for=message=bob', '--json'])
  assert.deepEqual(message.json, { schemaVersion: 1, for: 'message=bob', contact: BOB, unread: 1 })
  application.messageList.push(
    messageView(hexId(7), BOB, { status: 'delivered' }),
    messageView(hexId(8), BOB, { status: 'expired' }),
  )
  assert.equal((await sotto(home, ['wait', `--for=stored=${hexId(7)}`])).code, 0)
  assert.equal((await sotto(home, ['wait', `--for=read=${hexId(7)}`, '--timeout', '0.2'])).code, 7)
  assert.equal((await sotto(home, ['wait', `--for=stored=${hexId(8)}`])).code, 3)
  for (const bad of ['ready=1', 'peers', 'peers=x', 'stored', 'moon']) {
    assert.equal((await sotto(home, ['wait', `--for=${bad}`])).code, 1, bad)
  }
})

test('AP-06 tail --follow prints what comes once, as messages or as events, until it is stopped', async (t) => {
  const { home, application } = await start(t)
  application.receive(BOB, 'before')
  for (const args of [
    ['tail', 'bob', '--follow', '--json'],
    ['tail', '--events', '--follow', '--since', '0', '--json'],
  ]) {
    let stop = (_signal: string): void => {}
    let out = ''
    const following = sotto(home, args, {
      stdout: (text) => (out += text),
      untilSignal: () => new Promise((resolve) => (stop = resolve)),
    })
    while (!out.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 5))
    application.receive(BOB, 'bob says')
    application.receive(CAROL, 'carol says')
    const enough = args.includes('--events') ? application.eventList.length : 2
    while (out.split('\n').length <= enough) await new Promise((resolve) => setTimeout(resolve, 5))
    stop('SIGINT')
    assert.equal((await following).code, 0)
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { text?: string; number?: number })
    if (args.includes('--events'))
      assert.deepEqual(
        lines.map(({ number }) => number),
        application.eventList.map(({ number }) => number),
      )
    else
      assert.deepEqual(
        lines.map(({ text }) => text),
        ['before', 'bob says'],
      )
  }
  assert.match((await sotto(home, ['tail', '--events', '-n', '1'])).out, /^5 .* message:received .*\n$/)
})

test('daemon: starts, says where it listens, stops in order on a signal with 0', async (t) => {
  const home = await tempHome(t)
  const steps: string[] = []
  let stop = (_signal: string): void => {}
  const running = {
    api: { pid: 1, host: '127.0.0.1', port: 4_711, socketPath: '/x/api.sock' },
    state: 'locked' as const,
    async stop() {
      steps.push('stop')
    },
  }
  const daemon = sotto(
    home,
    [
      'daemon',
      '--bootstrap',
      'nonsense',
      '--bootstrap',
      '/ip4/127.0.0.1/tcp/1',
      '--no-holder',
      '--log-level',
      'silent',
    ],
    {
      untilSignal: () => new Promise((resolve) => (stop = resolve)),
      env: { SOTTO_PASSPHRASE: 'secret word' },
      loadNode: async () => ({
        offlineInit: () => assert.fail('no init'),
        async runDaemon(settings, _log, hooks) {
          steps.push(`start ${settings.bootstrap.join()} ${settings.holder.enabled} ${hooks.passphrase}`)
          setTimeout(() => stop('SIGTERM'), 20)
          return running
        },
      }),
    },
  )
  const { code, err } = await daemon
  assert.equal(code, 0, err)
  assert.deepEqual(steps, ['start /ip4/127.0.0.1/tcp/1 false secret word', 'stop'])
  assert.match(err, /warning: bootstrap address 1 of 2[^\n]*\nsotto runs \(locked\); API at http:\/\/127.0.0.1:4711/)
  assert.match(err, /sotto unlock/)
  assert.ok(!err.includes('secret word'))
})

test('daemon: each way not to start has its line and its code', async (t) => {
  const home = await tempHome(t)
  const failing = async (error: unknown): Promise<Result> =>
    sotto(home, ['daemon', '--log-level', 'silent'], {
      loadNode: async () => ({
        offlineInit: () => assert.fail('no init'),
        runDaemon: async () => {
          throw error
        },
      }),
    })
  const system = (code: string): Error => Object.assign(new Error('system text'), { code })
  const cases: [unknown, number, RegExp][] = [
    [system('EADDRINUSE'), 3, /port is busy/],
    [system('ENOSPC'), 3, /disk is full/],
    [system('EACCES'), 3, /refused by the system/],
    [new PassphraseError('the passphrase does not open the keys'), 1, /passphrase/],
    [new ConflictError('another daemon has this home'), 1, /another daemon/],
    [new NetworkError('port 1 is busy'), 3, /busy/],
    [new TypeError('bug'), 2, /unexpected error/],
  ]
  for (const [error, code, line] of cases) {
    const result = await failing(error)
    assert.equal(result.code, code, result.err)
    assert.match(result.err, line)
    assert.match(result.err, /^[^\n]+\n$/)
  }
  const { home: taken } = await start(t)
  const second = await sotto(taken, ['daemon'])
  assert.equal(second.code, 1)
  assert.match(second.err, /already runs on this home/)
  const misconfigured = await sotto(home, ['daemon', '--api-port', '99999', '--log-level', 'loud'])
  assert.equal(misconfigured.code, 1)
  assert.match(misconfigured.err, /2 fault\(s\).*api.port.*log.level/)
})

test('daemon: a crash stops it in order and exits with 2, whatever was thrown', async (t) => {
  const home = await tempHome(t)
  let stops = 0
  const result = await sotto(home, ['daemon', '--log-level', 'silent'], {
    untilCrash: async () => new NetworkError('nobody caught this'),
    loadNode: async () => ({
      offlineInit: () => assert.fail('no init'),
      runDaemon: async () => ({
        api: { pid: 1, host: '127.0.0.1', port: 1, socketPath: '/x' },
        state: 'ready' as const,
        async stop() {
          stops++
        },
      }),
    }),
  })
  assert.deepEqual([result.code, stops], [2, 1])
  assert.match(result.err, /crashed \(NetworkError\)/)
})

test('the executable: a client verb starts in under 300 ms, or eight bare starts of Node on a busy machine', async (t) => {
  const { home } = await start(t)
  const env = { ...process.env, XDG_CACHE_HOME: join(home, 'cache') }
  const timed = async (args: string[]): Promise<{ ms: number; out: string }> => {
    const started = performance.now()
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0)
    return { ms: performance.now() - started, out }
  }
  const verb: number[] = []
  const bare: number[] = []
  // The first fills the compile cache.
  for (let i = 0; i < 3; i++) {
    const { ms, out } = await timed(['src/cli/main.ts', 'status', '--home', home, '--json'])
    assert.equal((JSON.parse(out) as { state: string }).state, 'ready')
    verb.push(ms)
    bare.push((await timed(['-e', '0'])).ms)
  }
  const text = (times: number[]): string => times.map((ms) => ms.toFixed(0)).join(', ')
  t.diagnostic(`status: ${text(verb)} ms; bare node: ${text(bare)} ms`)
  assert.ok(Math.min(...verb) < Math.max(300, 8 * Math.min(...bare)))
})
