/** What the verbs ask of the daemon, and what they print: a real server with a fake application behind it. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { BOB, CAROL, hexId, messageView } from '../api/fake-application.ts'
import { tempHome } from '../api/harness.ts'
import { linesOf, sotto, start } from './world.ts'

const NO_DAEMON = [
  'token list',
  'token create bot',
  'token revoke bot',
  'open --print',
  'search x',
  'starred',
  'export',
  `msg edit ${hexId(1)} x`,
  `msg delete ${hexId(1)}`,
  `msg react ${hexId(1)} 👍`,
  `msg star ${hexId(1)}`,
  `msg pin ${hexId(1)}`,
  'conversation show bob',
  'conversation mute bob on',
  'conversation clear bob --yes',
  'profile show',
  'profile set --name A',
  'settings get',
  'settings set typing off',
  'net zone',
  'tail --consumer bot',
  'backup create /nonexistent/x',
]

test('CL-14 the new verbs exit with 6 too where no daemon runs', async (t) => {
  const home = await tempHome(t)
  for (const verb of NO_DAEMON) {
    const { code, err } = await sotto(home, verb.split(' '))
    assert.equal(code, 6, verb)
    assert.match(err, /sotto daemon/)
  }
})

test('CL-14 msg: edit, react, star, pin and delete; what happened shows where the message is shown', async (t) => {
  const { home, application } = await start(t)
  const id = hexId(1)
  application.messageList.push(messageView(id, BOB, { text: 'frist' }))
  assert.equal((await sotto(home, ['msg', 'edit', id, 'first'])).out, `edited ${id}\n`)
  await sotto(home, ['msg', 'react', id, '👍'])
  await sotto(home, ['msg', 'star', id])
  await sotto(home, ['msg', 'pin', id])
  const shown = await sotto(home, ['msg', 'show', id])
  for (const part of ['first', '(edited)', '👍 (mine)', '★', '(pinned)']) assert.ok(shown.out.includes(part), part)
  assert.deepEqual((await sotto(home, ['starred', '--json'])).json['next'], null)
  assert.equal(linesOf(await sotto(home, ['starred', '--jsonl']))[0]?.['id'], id)
  await sotto(home, ['msg', 'react', id])
  await sotto(home, ['msg', 'star', id, '--off'])
  await sotto(home, ['msg', 'pin', id, '--off'])
  const plain = (await sotto(home, ['msg', 'show', id])).out
  for (const part of ['👍', '★', '(pinned)']) assert.ok(!plain.includes(part), part)
  assert.equal((await sotto(home, ['starred'])).out, 'nothing is starred\n')
  assert.equal((await sotto(home, ['msg', 'edit', id, ''])).code, 1)
  const gone = await sotto(home, ['msg', 'delete', id, '--for-both', '--json'])
  assert.deepEqual(gone.json, { schemaVersion: 1, deleted: id, for: 'both' })
  assert.match((await sotto(home, ['msg', 'show', id])).out, /\(deleted\)/)
  assert.equal((await sotto(home, ['msg', 'edit', hexId(9), 'x'])).code, 8)
})

test('CL-14 conversation: mute, pin, timer and clear', async (t) => {
  const { home, application } = await start(t)
  assert.match((await sotto(home, ['conversation', 'mute', 'bob', 'on'])).out, /Bob: muted/)
  assert.equal((await sotto(home, ['conversation', 'pin', 'bob', 'on', '--json'])).json['pinned'], true)
  const seconds = { '30s': 30, '5m': 300, '8h': 28_800, '7d': 604_800, '4w': 2_419_200, off: null }
  for (const [text, expected] of Object.entries(seconds)) {
    const { json } = await sotto(home, ['conversation', 'timer', 'bob', text, '--json'])
    assert.equal(json['timerSeconds'], expected, text)
  }
  assert.match((await sotto(home, ['conversation', 'show', 'bob'])).out, /muted, pinned, messages stay/)
  application.receive(BOB, 'one')
  application.receive(CAROL, 'two')
  assert.equal((await sotto(home, ['conversation', 'clear', 'bob'])).code, 1)
  assert.equal(application.messageList.length, 2)
  assert.equal((await sotto(home, ['conversation', 'clear', 'bob', '--yes'])).code, 0)
  assert.deepEqual(
    application.messageList.map(({ contact }) => contact),
    [CAROL],
  )
  for (const bad of [
    ['mute', 'bob', 'perhaps'],
    ['timer', 'bob', '5 minutes'],
    ['timer', 'bob', '0s'],
  ])
    assert.equal((await sotto(home, ['conversation', ...bad])).code, 1, bad.join(' '))
})

test('CL-14 profile and settings: shown, changed, and refused where they mean nothing', async (t) => {
  const { home } = await start(t)
  const picture = join(home, 'me.png')
  await writeFile(picture, Buffer.from('89504e470d0a1a0a0000000049454e44ae426082', 'hex'))
  const set = await sotto(home, ['profile', 'set', '--name', 'Alice', '--bio', 'hello', '--avatar', picture])
  assert.match(set.out, /Alice[^]*image\/png, \d+ bytes/)
  assert.equal((await sotto(home, ['profile', '--json'])).json['name'], 'Alice')
  assert.match((await sotto(home, ['profile', 'show', 'bob'])).out, /Bob/)
  await sotto(home, ['profile', 'set', '--avatar', 'none'])
  assert.equal((await sotto(home, ['profile', 'show', '--json'])).json['avatar'], null)
  await writeFile(picture, 'GIF89a')
  assert.equal((await sotto(home, ['profile', 'set', '--avatar', picture])).code, 1)
  await writeFile(picture, Buffer.alloc(24 * 1_024 + 1))
  assert.equal((await sotto(home, ['profile', 'set', '--avatar', picture])).code, 1)
  assert.equal((await sotto(home, ['profile', 'set'])).code, 1)
  assert.equal((await sotto(home, ['settings', 'set', 'typing', 'off'])).out, 'typing is off now\n')
  assert.equal((await sotto(home, ['settings', 'get', 'typing'])).out, 'off\n')
  assert.equal((await sotto(home, ['settings', 'set', 'retentionDays', '90', '--json'])).json['value'], 90)
  assert.equal((await sotto(home, ['settings', 'set', 'retentionDays', 'none', '--json'])).json['value'], null)
  assert.match((await sotto(home, ['settings'])).out, /readReceipts: +on/)
  for (const bad of [
    ['get', 'moon'],
    ['set', 'typing', 'maybe'],
    ['set', 'autoLockMinutes', 'soon'],
    ['get', '__proto__'],
  ])
    assert.equal((await sotto(home, ['settings', ...bad])).code, 1, bad.join(' '))
})

test('CL-14 AP-12 token: made with a scope and an end, listed, revoked by name', async (t) => {
  const { home } = await start(t)
  const made = await sotto(home, ['token', 'create', 'bot', '--scope', 'send', '--days', '30'])
  assert.match(made.out, /^[A-Za-z0-9_-]{40,}\n$/)
  assert.match(made.err, /shown once/)
  const [row] = linesOf(await sotto(home, ['token', 'list', '--jsonl']))
  assert.deepEqual([row?.['name'], row?.['scope'], row?.['usedAt']], ['bot', 'send', null])
  assert.ok(!JSON.stringify(row).includes(made.out.trim()))
  assert.equal((await sotto(home, ['token', 'revoke', 'bot'])).code, 0)
  assert.equal((await sotto(home, ['token', 'revoke', 'bot'])).code, 8)
  assert.equal((await sotto(home, ['token', 'create', 'x', '--scope', 'root'])).code, 1)
  assert.equal((await sotto(home, ['token', 'rotate'])).code, 0)
  assert.equal((await sotto(home, ['status'])).code, 0)
})

test('AP-35 AP-12 open: the browser on a terminal, else the address; its code is behind the #', async (t) => {
  const { home } = await start(t)
  const opened: string[] = []
  const openUrl = async (url: string): Promise<boolean> => opened.push(url) > 0
  const printed = await sotto(home, ['open', '--print'], { openUrl, terminal: { stdout: true } })
  assert.match(printed.out, /^http:\/\/127\.0\.0\.1:\d+\/#code=[A-Za-z0-9_-]+\n$/)
  assert.deepEqual(opened, [])
  assert.equal((await sotto(home, ['open'], { openUrl })).out.startsWith('http'), true)
  const shown = await sotto(home, ['open'], { openUrl, terminal: { stdout: true } })
  assert.equal(shown.out, 'the page opens in your browser\n')
  const file = new URL(opened[0] ?? '')
  assert.equal(file.href, pathToFileURL(join(home, 'page-open.html')).href, 'no code on a command line')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.match(await readFile(file, 'utf8'), /content="0; url=http:\/\/127\.0\.0\.1:\d+\/#code=[A-Za-z0-9_-]{43}"/)
  const failed = await sotto(home, ['open'], { terminal: { stdout: true } })
  assert.match(failed.out, /^http/)
})

test('LS-02 search: pages, one conversation, and JSON lines', async (t) => {
  const { home, application } = await start(t)
  for (let i = 0; i < 5; i++) application.receive(i % 2 === 0 ? BOB : CAROL, `tea number ${i}`)
  const first = await sotto(home, ['search', 'tea', '-n', '2'])
  const cursor = /--cursor (\S+)/.exec(first.out)?.[1] ?? assert.fail()
  assert.match(first.out, /number 4[^]*number 3/)
  const second = await sotto(home, ['search', 'tea', '-n', '2', '--cursor', cursor])
  assert.match(second.out, /number 2[^]*number 1/)
  const ofCarol = linesOf(await sotto(home, ['search', 'tea', '--contact', 'carol', '--jsonl']))
  assert.deepEqual(
    ofCarol.map(({ text }) => text),
    ['tea number 3', 'tea number 1'],
  )
  assert.equal((await sotto(home, ['search', 'coffee'])).out, 'nothing found\n')
})

test('LS-03 export has contacts, conversations, messages and groups, whole however many there are', async (t) => {
  const { home, application } = await start(t)
  for (let i = 0; i < 450; i++) application.receive(i % 3 === 0 ? CAROL : BOB, `text ${i}`)
  const { out } = await sotto(home, ['export', '--json'])
  const all = JSON.parse(out) as Record<string, { text: string; contact: string }[]>
  assert.deepEqual(Object.keys(all), ['schemaVersion', 'contacts', 'conversations', 'messages', 'groups'])
  assert.equal(all['messages']?.length, 450)
  const ofBob = all['messages'].filter(({ contact }) => contact === BOB).map(({ text }) => Number(text.slice(5)))
  assert.deepEqual(
    ofBob,
    [...ofBob].sort((a, b) => a - b),
  )
  const lines = linesOf(await sotto(home, ['export', '--jsonl']))
  const count = (type: string): number => lines.filter((line) => line['type'] === type).length
  assert.deepEqual([count('contact'), count('conversation'), count('message')], [2, 2, 450])
})

test('CL-14 backup: written whole or not at all, with a passphrase of its own that is typed twice', async (t) => {
  const { home, application } = await start(t)
  const file = join(home, 'my.backup')
  const terminal = { stdin: true }
  const typed = ['correct horse', 'battery staple', 'battery staple']
  const made = await sotto(home, ['backup', 'create', file], { terminal, typed })
  assert.equal(made.code, 0, made.err)
  assert.match(await readFile(file, 'utf8'), /^sotto backup\nbattery staple\nend\n$/)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const again = await sotto(home, ['backup', 'create', file], { terminal, typed: [] })
  assert.deepEqual([again.code, /--force/.test(again.err)], [1, true])
  const other = join(home, 'other.backup')
  const differ = { terminal, typed: ['correct horse', 'battery staple', 'battery stable'] }
  assert.match((await sotto(home, ['backup', 'create', other], differ)).err, /differ/)
  const wrong = { terminal, typed: ['wrong horse!', 'battery staple', 'battery staple'] }
  assert.match((await sotto(home, ['backup', 'create', other], wrong)).err, /passphrase/)
  assert.deepEqual(
    (await readdir(home)).filter((name) => /backup|part/.test(name)),
    ['my.backup'],
  )
  assert.match((await sotto(home, ['backup', 'restore', file], { terminal, typed: [] })).err, /another --home/)
  application.state = 'empty'
  const back = { terminal, typed: ['battery staple', 'a new passphrase', 'a new passphrase'] }
  const restored = await sotto(home, ['backup', 'restore', file], back)
  assert.match(restored.out, /is back with 2 contacts/)
  assert.equal(application.passphrase, 'a new passphrase')
  application.state = 'empty'
  await writeFile(file, 'sotto backup\n')
  assert.equal((await sotto(home, ['backup', 'restore', file], { ...back, typed: [...back.typed] })).code, 1)
  assert.equal((await sotto(home, ['backup', 'restore', join(home, 'nowhere')], back)).code, 8)
})

test('CL-14 a backup that Ctrl-C stops, or that cannot be written, leaves nothing behind', async (t) => {
  const { home, application } = await start(t)
  const stopped = Promise.withResolvers<string>()
  application.backup = async function* () {
    yield Buffer.from('the first chunk')
    stopped.resolve('SIGINT')
    await new Promise((resolve) => {
      t.after(resolve)
    })
  }
  const typed = ['correct horse', 'battery staple', 'battery staple']
  const options = { typed, terminal: { stdin: true }, untilSignal: () => stopped.promise }
  const { code, out, err } = await sotto(home, ['backup', 'create', join(home, 'b')], options)
  assert.deepEqual([code, out, err], [130, '', ''])
  const nowhere = { typed: ['correct horse', 'battery staple', 'battery staple'], terminal: { stdin: true } }
  assert.notEqual((await sotto(home, ['backup', 'create', join(home, 'not', 'there')], nowhere)).code, 0)
  assert.deepEqual(
    (await readdir(home)).filter((name) => /part|^b$/.test(name)),
    [],
  )
})

test('CL-14 passphrases of backups come from files too, and never from the command line', async (t) => {
  const { home } = await start(t)
  const secret = async (name: string, text: string): Promise<string> => {
    await writeFile(join(home, name), `${text}\n`)
    return join(home, name)
  }
  const [mine, its] = [await secret('mine', 'correct horse'), await secret('its', 'battery staple')]
  const file = join(home, 'b')
  const flags = ['--passphrase-file', mine, '--backup-passphrase-file', its]
  const { code, json } = await sotto(home, ['backup', 'create', file, ...flags, '--json'])
  assert.deepEqual([code, json['file'], json['bytes']], [0, file, (await stat(file)).size])
  const help = await sotto(home, ['backup', 'create', '--help'])
  assert.ok(!/--(backup-)?passphrase </.test(help.out))
})

test('CL-14 passphrase change: the one of now once, the new one twice', async (t) => {
  const { home, application } = await start(t)
  const terminal = { stdin: true }
  const typed = ['correct horse', 'new passphrase', 'new passphrase']
  assert.equal((await sotto(home, ['passphrase', 'change'], { terminal, typed })).code, 0)
  assert.equal(application.passphrase, 'new passphrase')
  const wrong = { terminal, typed: ['correct horse', 'another passphrase', 'another passphrase'] }
  assert.equal((await sotto(home, ['passphrase', 'change'], wrong)).code, 1)
  const short = { terminal, typed: ['new passphrase', 'short', 'short'] }
  assert.equal((await sotto(home, ['passphrase', 'change'], short)).code, 1)
  assert.equal(application.passphrase, 'new passphrase')
})

test('ID-21 init --restore asks for the 24 words without showing them', async (t) => {
  const { home, application } = await start(t)
  application.state = 'empty'
  const asked: string[] = []
  const words = `${'Zoo '.repeat(23)} vote `
  const answers = [words, 'long enough', 'long enough']
  const askHidden = async (question: string): Promise<string> => {
    asked.push(question)
    return answers.shift() ?? ''
  }
  const made = await sotto(home, ['init', '--restore'], { askHidden, terminal: { stdin: true } })
  assert.equal(made.code, 0, made.err)
  assert.match(asked[0] ?? '', /24 words/)
  assert.ok(!made.out.includes('zoo') && !made.err.includes('zoo'))
  application.state = 'empty'
  const few = await sotto(home, ['init', '--restore'], { typed: ['only three words'], terminal: { stdin: true } })
  assert.deepEqual([few.code, /24 words; these are 3/.test(few.err)], [1, true])
  const blind = await sotto(home, ['init', '--restore'])
  assert.match(blind.err, /--phrase-file/)
})

test('AP-06 tail --consumer goes on where this reader stopped, and tells the daemon how far it is', async (t) => {
  const { home, application } = await start(t)
  await sotto(home, ['tail', '--consumer', 'bot'])
  for (let i = 0; i < 3; i++) application.emit('test', { i })
  const first = linesOf(await sotto(home, ['tail', '--consumer', 'bot', '-n', '2', '--jsonl']))
  const second = linesOf(await sotto(home, ['tail', '--consumer', 'bot', '--jsonl']))
  const numbers = [...first, ...second].map(({ number }) => number)
  assert.deepEqual(numbers, [1, 2, 3])
  assert.equal((await application.consumers())[0]?.acknowledged, 3)
  application.emit('test', { i: 3 })
  let stop = (): void => {}
  const untilSignal = (): Promise<string> =>
    new Promise((resolve) => {
      stop = () => {
        resolve('SIGINT')
      }
    })
  const following = sotto(home, ['tail', '-f', '--consumer', 'bot', '--jsonl'], { untilSignal })
  application.emit('test', { i: 4 })
  while ((await application.consumers())[0]?.acknowledged !== 5) await new Promise(setImmediate)
  stop()
  assert.deepEqual(
    linesOf(await following).map(({ number }) => number),
    [4, 5],
  )
})

test('CL-14 readers are listed and forgotten; favourites, unread marks and prekeys are changed', async (t) => {
  const { home, application } = await start(t)
  assert.equal((await sotto(home, ['consumer'])).out, 'no readers yet\n')
  await sotto(home, ['tail', '--consumer', 'bot'])
  assert.equal(linesOf(await sotto(home, ['consumer', 'list', '--jsonl']))[0]?.['name'], 'bot')
  assert.equal((await sotto(home, ['consumer', 'remove', 'bot'])).code, 0)
  assert.equal((await sotto(home, ['consumer', 'remove', 'bot'])).code, 8)
  await sotto(home, ['contact', 'favourite', 'bob', 'on'])
  assert.equal((await application.contact(BOB)).favourite, true)
  assert.equal((await sotto(home, ['conversation', 'unread', 'bob', 'on', '--json'])).json['markedUnread'], true)
  assert.equal((await sotto(home, ['prekey', 'rotate'])).code, 0)
})

test('MB-05 net zone shows who is near, where our mail is put, and what lies here', async (t) => {
  const { home } = await start(t)
  const { json } = await sotto(home, ['net', 'zone', '--json'])
  assert.deepEqual(Object.keys(json), ['schemaVersion', 'self', 'holders', 'mailboxes', 'held'])
  assert.match((await sotto(home, ['net', 'zone'])).out, /this device: [^]*for others:/)
})

test('file is reserved: said in one line, exit code 1', async (t) => {
  const home = await tempHome(t)
  for (const args of [['file'], ['file', 'send', 'bob', 'x.pdf', '--fast']]) {
    const { code, err } = await sotto(home, args)
    assert.equal(code, 1)
    assert.match(err, /^sotto: sending files is not in this version[^\n]*\n$/)
  }
})

test('paths says where everything is, also where nothing is yet', async (t) => {
  const home = join(await tempHome(t), 'not', 'there')
  const { json } = await sotto(home, ['paths', '--json'])
  assert.deepEqual(json, {
    schemaVersion: 1,
    home,
    config: join(home, 'config.json'),
    token: join(home, 'api-token'),
    address: join(home, 'api.json'),
    socket: join(home, 'api.sock'),
  })
  await mkdir(home, { recursive: true })
  assert.deepEqual(await readdir(home), [])
})
