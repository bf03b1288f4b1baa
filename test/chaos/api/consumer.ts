/**
 * A reader that is killed at any moment: `node consumer.ts HOME FILE WAY`. Its work is a line in FILE for each event, under the
 * event's number and synced; then it acknowledges. What is there already is not done again: that is the contract of a
 * named consumer, and all that it takes.
 *
 * It writes down what breaks a promise of the daemon: `again` for an event that it had acknowledged, `hole` for a number that was
 * passed over, `gap` where the daemon says that events are gone.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { connect } from '../../../src/api/client.ts'
import type { ApiClient } from '../../../src/api/client.ts'
import type { EventView } from '../../../src/api/application/events.ts'
import { readAddress, readToken } from '../../../src/api/files.ts'
import { DaemonError, LockedError, TimeoutError } from '../../../src/lib/errors.ts'

const NAME = 'chaos'
type Way = 'websocket' | 'sse' | 'poll'
const PAGE = 50
const AGAIN_MS = 50

/** Lines that are on the disk when `add` comes back. A last one that was cut off by a kill never was. */
class Ledger {
  readonly #file: number
  last = 0

  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    for (const line of whole.split('\n')) if (/^\d/.test(line)) this.last = Number(line.split(' ', 1)[0])
    this.#file = openSync(path, 'a')
    ftruncateSync(this.#file, Buffer.byteLength(whole))
  }

  add(line: string): void {
    writeSync(this.#file, `${line}\n`)
    fsyncSync(this.#file)
  }

  close(): void {
    closeSync(this.#file)
  }
}

const [home = '', path = '', way = 'poll'] = process.argv.slice(2)
const ledger = new Ledger(path)
/** The highest number whose acknowledgement was answered: in a file of its own, since it comes after the work. */
const acknowledged = new Ledger(`${path}.acknowledged`)

function work(event: EventView): void {
  if (event.number <= acknowledged.last) ledger.add(`again ${event.number}`)
  if (event.number <= ledger.last) return
  if (event.number !== ledger.last + 1 && ledger.last > 0) ledger.add(`hole ${ledger.last} ${event.number}`)
  ledger.add(`${event.number} ${event.type} ${JSON.stringify(event.data)}`)
  ledger.last = event.number
}

async function acknowledge(client: Pick<ApiClient, 'acknowledge'>, number: number): Promise<void> {
  await client.acknowledge(NAME, number)
  if (number <= acknowledged.last) return
  acknowledged.add(String(number))
  acknowledged.last = number
}

/** The helper that bots use. Its acknowledgements go through ours, to be written down. */
async function overWebSocket(client: ApiClient): Promise<void> {
  const noting = {
    follow: (...asked: Parameters<ApiClient['follow']>) => client.follow(...asked),
    consumer: async (...asked: Parameters<ApiClient['consumer']>) => client.consumer(...asked),
    async acknowledge(name: string, number: number) {
      await acknowledge(client, number)
      return { name, acknowledged: number, createdAt: '', seenAt: '' }
    },
  }
  const { consume } = await import('../../../src/api/client/consume.ts')
  await consume(noting, { name: NAME, onGap: ({ from, to }) => ledger.add(`gap ${from} ${to}`) }, work)
}

async function overPoll(client: ApiClient): Promise<void> {
  for (;;) {
    const page = await client.eventsFor(NAME, PAGE, 5)
    if (page.gap !== null) ledger.add(`gap ${page.gap.from} ${page.gap.to}`)
    for (const event of page.events) work(event)
    const last = page.events.at(-1)
    if (last !== undefined) await acknowledge(client, last.number)
  }
}

/** By hand, as a program without our client would. */
async function overSse(client: ApiClient): Promise<void> {
  const [address, token] = await Promise.all([readAddress(home), readToken(home)])
  if (address === undefined || token === undefined) throw new DaemonError('away')
  const response = await fetch(`http://${address.host}:${address.port}/api/v1/events/stream?consumer=${NAME}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  if (response.status === 423) throw new LockedError('sealed')
  let text = ''
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop() ?? ''
    const frames = blocks
      .flatMap((block) => /^data: (.*)$/m.exec(block)?.[1] ?? [])
      .map((data) => JSON.parse(data) as Frame)
    let last = 0
    for (const frame of frames) {
      if (frame.type === 'gap') ledger.add(`gap ${frame.from} ${frame.to}`)
      if (frame.type !== 'event') continue
      work(frame.event)
      last = frame.event.number
    }
    // Not what was done in an earlier life: that is still on its way here, and would come after its acknowledgement.
    if (last > 0) await acknowledge(client, last)
  }
}
type Frame = { type: 'event'; event: EventView } | { type: 'gap'; from: number; to: number } | { type: 'hello' }

const READ: Readonly<Record<Way, (client: ApiClient) => Promise<void>>> = {
  websocket: overWebSocket,
  sse: overSse,
  poll: overPoll,
}

for (;;) {
  try {
    const client = await connect(home)
    await client.consumer(NAME, { from: 0 })
    await READ[way as Way](client)
  } catch (error) {
    // The daemon was killed, too; `fetch` says so with a TypeError.
    const away = [DaemonError, LockedError, TimeoutError, TypeError].some((kind) => error instanceof kind)
    if (!away) throw error
  }
  await new Promise((resolve) => {
    setTimeout(resolve, AGAIN_MS)
  })
}
