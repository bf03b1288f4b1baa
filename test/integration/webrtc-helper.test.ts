/** The process beside the daemon: real ones, on 127.0.0.1. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { NetworkError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { Helper } from '../../src/net/upgrade/webrtc/helper.ts'
import type { HelperInit, Meeting, MeetingEvents } from '../../src/net/upgrade/webrtc/helper.ts'
import type { IcePeer, MeetingOrder } from '../../src/net/upgrade/webrtc/messages.ts'
import { tempDir, until } from '../unit/net/hosts.ts'

const BIND = '127.0.0.1'

function newHelper(t: TestContext, init: Partial<HelperInit> = {}): Helper {
  const helper = new Helper({ clock: systemClock, log: silentLogger, ...init })
  t.after(async () => helper.stop())
  return helper
}

/** A program that stands in for the helper. */
async function program(t: TestContext, source: string): Promise<string> {
  const path = join(await tempDir(t), 'main.mjs')
  await writeFile(path, source)
  return path
}

class Side implements MeetingEvents {
  readonly got: Uint8Array[] = []
  own: IcePeer | undefined
  isOpen = false
  isClosed = false
  readonly meeting: Meeting

  constructor(helper: Helper, answers?: IcePeer) {
    const order: MeetingOrder = { answers, stun: undefined, bind: BIND }
    this.meeting = helper.meet(order, this)
  }

  described(own: IcePeer): void {
    this.own = own
  }
  open(): void {
    this.isOpen = true
  }
  data(data: Uint8Array): void {
    this.got.push(data)
  }
  closed(): void {
    this.isClosed = true
  }
}

async function met(one: Helper, other: Helper): Promise<readonly [Side, Side]> {
  const a = new Side(one)
  await until(() => a.own !== undefined)
  const b = new Side(other, a.own)
  await until(() => b.own !== undefined)
  a.meeting.answered(b.own ?? assert.fail())
  await until(() => a.isOpen && b.isOpen)
  return [a, b]
}

const gone = (pid: number | undefined): boolean => {
  try {
    process.kill(pid ?? assert.fail(), 0)
    return false
  } catch {
    return true
  }
}

test('NA-02 two helpers meet: what goes in at one end comes out at the other, in order; the end of one is the end of the other', async (t) => {
  const [one, other] = [newHelper(t), newHelper(t)]
  assert.equal(one.pid, undefined, 'there is none before it is needed')
  const [a, b] = await met(one, other)
  assert.deepEqual(
    a.own?.candidates.map(({ ip }) => ip),
    [BIND],
  )
  process.kill(one.pid ?? assert.fail(), 'SIGTERM') // as a service manager does with a whole group: the daemon decides
  const sent = Array.from({ length: 200 }, (_, i) => new Uint8Array(1 + ((i * 977) % 16_384)).fill(i))
  for (const data of sent) a.meeting.send(data)
  await until(() => b.got.length === sent.length)
  assert.deepEqual(
    b.got.map((data) => Buffer.from(data)),
    sent.map((data) => Buffer.from(data)),
  )
  a.meeting.close()
  await until(() => b.isClosed)
  assert.ok(a.isClosed)
})

test('AS-08 NA-02 a helper that is killed ends its meetings and nothing else; for some minutes there is none', async (t) => {
  const clock = new VirtualClock()
  const [one, other] = [newHelper(t, { clock }), newHelper(t)]
  const [a, b] = await met(one, other)
  process.kill(one.pid ?? assert.fail(), 'SIGKILL')
  await until(() => a.isClosed)
  assert.equal(one.pid, undefined)
  assert.equal(one.available, false)
  assert.throws(() => new Side(one), NetworkError)
  a.meeting.send(Uint8Array.of(1)) // nobody hears it
  b.meeting.close()
  await clock.advance(6 * 60_000)
  assert.ok(one.available)
  await met(one, other)
})

/** A fake that does this on its end of the pipe as soon as it is told something. */
const fake = (answer: string): string => `
  import { Socket } from 'node:net'
  const pipe = new Socket({ fd: 3, readable: true, writable: true })
  pipe.once('data', () => { ${answer} })
  pipe.on('error', () => {})
  setInterval(() => {}, 1000)`

test('AS-08 a helper that cannot start, ends at once or says what makes no sense: its meetings are closed', async (t) => {
  const sources = ['process.exit(3)', 'process.abort()', 'throw new Error()', 'import "nothing-of-that-name"']
  for (const source of [...sources, fake('pipe.end()'), fake('pipe.destroy()')]) {
    const side = new Side(newHelper(t, { main: await program(t, source) }))
    await until(() => side.isClosed)
    assert.equal(side.own, undefined)
  }
})

test('SE-19 AS-08 a helper that was taken over says what Node’s own channel would have obeyed, promises 2 GiB, or floods: it is ended, the daemon lives', async (t) => {
  const answers = [
    `pipe.write('{"cmd":"NODE_HANDLE_ACK"}\\n')`,
    `pipe.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1]))`,
    `pipe.write(Buffer.from([0, 0, 0, 3, 0xff, 0x0f, 0x6f]))`,
    `pipe.write(require('node:crypto').randomBytes(1e6))`,
    `const flood = () => pipe.write(Buffer.alloc(65536, 0xaa), flood); flood()`,
  ]
  for (const answer of answers) {
    const helper = newHelper(t, {
      main: await program(t, fake(answer.replace('require(', 'process.getBuiltinModule('))),
    })
    const side = new Side(helper)
    const { pid } = helper
    await until(() => side.isClosed && gone(pid))
    assert.deepEqual([side.own, side.isOpen, helper.pid, helper.available], [undefined, false, undefined, false])
    assert.throws(() => new Side(helper), NetworkError)
  }
})

test('AS-08 a helper that takes nothing any more is given up before much waits for it', async (t) => {
  const helper = newHelper(t, { main: await program(t, fake('pipe.pause()')) })
  const side = new Side(helper)
  for (let sent = 0; sent < 2_000 && !side.isClosed; sent++) {
    side.meeting.send(new Uint8Array(16_384))
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await until(() => side.isClosed)
})

test('AS-08 a helper that the system refuses to start: an error of ours, and no meeting is left behind', async (t) => {
  const clock = new VirtualClock()
  const helper = newHelper(t, { main: 'no\0path', clock })
  for (let tries = 0; tries < 70; tries++) {
    assert.throws(() => new Side(helper), NetworkError)
    await clock.advance(6 * 60_000)
  }
})

test('AS-08 an order that the library refuses ends its meeting; the helper goes on', async (t) => {
  const helper = newHelper(t)
  const peer = { ufrag: 'abcd', pwd: 'a'.repeat(22), fingerprint: new Uint8Array(32), candidates: [] }
  const side = new Side(helper, peer)
  side.meeting.answered(peer) // who answers is not answered
  await until(() => side.isClosed)
  const { pid } = helper
  await met(helper, helper)
  assert.ok(pid !== undefined && helper.pid === pid)
})

test('NA-02 no helper is left: some time after the last meeting it is ended, and by stop at once', async (t) => {
  const clock = new VirtualClock()
  const helper = newHelper(t, { clock })
  const side = new Side(helper)
  const { pid } = helper
  await until(() => side.own !== undefined)
  side.meeting.close()
  await clock.advance(10_000)
  assert.equal(helper.pid, pid, 'it may be needed again soon')
  await clock.advance(10_000)
  await until(() => gone(pid))
  const again = new Side(helper)
  const next = helper.pid
  await helper.stop()
  assert.ok(again.isClosed && gone(next))
  assert.throws(() => new Side(helper), NetworkError)
})
