/** The examples, as a reader would run them: with real daemons, and killed where it hurts. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { befriend, pause, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

const EXAMPLES = join(import.meta.dirname, '..', '..', 'src', 'examples')
const MESSAGES = 12
const KILLS = 2
const TWO_PEERS_MS = 60_000

const bed = new Testbed()
const children = new Set<ChildProcess>()
let [alice, bob]: Daemon[] = []
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await bed.close()
})
before(async () => {
  ;[alice, bob] = await startNetwork(bed, 3, ['alice', 'bob'])
  await befriend(people().alice, people().bob)
})

function people(): { alice: Daemon; bob: Daemon } {
  assert.ok(alice !== undefined && bob !== undefined)
  return { alice, bob }
}

interface Run {
  readonly child: ChildProcess
  readonly text: () => string
  readonly ended: Promise<number | null>
}

function start(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Run {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      children.delete(child)
      resolve(code)
    })
  })
  return { child, text: () => text, ended }
}

const BOTS = {
  'CL-01 the bot in TypeScript': [process.execPath, join(EXAMPLES, 'echo-bot.ts')],
  'CL-01 CL-02 the bot in Python': ['python3', join(EXAMPLES, 'echo_bot.py')],
} as const

for (const [name, [command, program]] of Object.entries(BOTS)) {
  test(`${name} answers each of ${MESSAGES} messages exactly once, killed ${KILLS} times, its daemon killed once`, async () => {
    const { alice: asker, bob: owner } = people()
    const [from, to] = [await asker.accountId(), await owner.accountId()]
    const before = (await asker.messages(to)).length
    const launch = (): Run => start(command, [program], { SOTTO_HOME: owner.home })
    let bot = launch()
    await until('the bot is ready', async () => bot.text().includes('ready'))
    const texts = Array.from({ length: MESSAGES }, (_, i) => `${name} ${i}`)
    for (const [i, text] of texts.entries()) {
      await asker.send(to, text)
      if (i % Math.floor(MESSAGES / KILLS) === 3) {
        // A little later each time: before the answer, between answer and acknowledgement, after it.
        await pause(i * 12)
        bot.child.kill('SIGKILL')
        await bot.ended
        if (i > MESSAGES / 2 && i <= (MESSAGES / 4) * 3) {
          await owner.kill()
          await owner.start()
        }
        bot = launch()
      }
    }
    const answers = async (): Promise<readonly string[]> => {
      const all = await asker.messages(to)
      return all.slice(before).flatMap((message) => (message.outgoing ? [] : [message.text]))
    }
    await until('all are answered', async () => (await answers()).length >= MESSAGES, 60_000)
    // What would come twice has had time to come.
    await until('the bot has acknowledged all', async () => settled(owner, from, texts.length), 60_000)
    await pause(500)
    assert.deepEqual([...(await answers())].sort(), [...texts].sort(), 'each once')
    bot.child.kill('SIGTERM')
    await bot.ended
    assert.doesNotMatch(bot.text(), /Traceback|Error/)
  })
}

/** Whether every consumer has acknowledged the newest message that came. */
async function settled(owner: Daemon, from: string, count: number): Promise<boolean> {
  const received = (await owner.messages(from)).filter(({ outgoing }) => !outgoing)
  if (received.length < count) return false
  const page = await owner.api<{ events: { number: number }[]; next: number }>(
    'GET',
    '/events?since=0&limit=1000&types=message:received',
  )
  const newest = page.events.at(-1)?.number ?? 0
  const { items } = await owner.api<{ items: { acknowledged: number; seenAt: string }[] }>('GET', '/events/consumers')
  const latest = items.toSorted((a, b) => (a.seenAt < b.seenAt ? 1 : -1))[0]
  return latest !== undefined && latest.acknowledged >= newest
}

test('PR-14 hooks.onMessage of config.json: a program is run for a message, with it on its input', async () => {
  const { alice: asker, bob: owner } = people()
  const [config, seen] = [join(owner.home, 'config.json'), join(owner.home, 'seen')]
  const onMessage = ['/bin/sh', '-c', 'cat > "$0.new"; env | grep ^SOTTO_ >> "$0.new"; mv "$0.new" "$0"', seen]
  writeFileSync(config, JSON.stringify({ version: 1, hooks: { onMessage } }), { mode: 0o600 })
  await owner.stop()
  await owner.start()
  await until('the hook has its consumer', async () => {
    const { items } = await owner.api<{ items: { name: string }[] }>('GET', '/events/consumers')
    return items.some(({ name }) => name === 'hook')
  })
  const { id } = await asker.send(await owner.accountId(), 'for the hook')
  await until('the program has run', async () => existsSync(seen))
  const [line = '', ...environment] = readFileSync(seen, 'utf8').trimEnd().split('\n')
  assert.equal((JSON.parse(line) as { message: { text: string } }).message.text, 'for the hook')
  assert.deepEqual(environment.sort(), [`SOTTO_CONTACT=${await asker.accountId()}`, `SOTTO_MESSAGE_ID=${id}`])
})

test('AP-28 every curl example of the README works as it stands', async () => {
  const { bob: owner } = people()
  const text = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
  assert.ok(blocks.length >= 5)
  const script = ['set -euo pipefail', ...blocks.map((block, i) => `${block}\necho; echo "block ${i} done"`)].join('\n')
  const run = start('bash', ['-c', script], { SOTTO_HOME: owner.home })
  assert.equal(await run.ended, 0, run.text())
  assert.match(run.text(), new RegExp(`block ${blocks.length - 1} done`))
  assert.match(run.text(), /"openapi":"3\.1\.0"/)
  assert.match(run.text(), /event: hello/)
  const contact = (await owner.api<{ items: { accountId: string }[] }>('GET', '/contacts')).items[0]?.accountId ?? ''
  const sent = (await owner.messages(contact)).filter((message) => message.text === 'hello from curl')
  assert.equal(sent.length, 1, 'the same key twice is one message')
})

test('CL-10 two-peers.sh: a handshake, a message and its answer', async (t) => {
  const beganMs = performance.now()
  const run = start('bash', [join(EXAMPLES, 'two-peers.sh')], {
    PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
  })
  assert.equal(await run.ended, 0, run.text())
  const ms = performance.now() - beganMs
  t.diagnostic(`${(ms / 1_000).toFixed(1)} s`)
  assert.match(run.text(), /hello from the other terminal/)
  assert.match(run.text(), /and hello to you/)
  assert.ok(ms < TWO_PEERS_MS, `${ms} ms`)
})
