/** The two sides of the direct bench: two Sotto daemons with a few holders, and the composed reference. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { befriend, knowEnough, startAll, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import type { NodeOrder, NodeReport } from './direct-process.ts'
import { selfSigned } from './self-signed.ts'
import { libsignal } from './session-libsignal.ts'

/** Enough for three receipts of a card without its owner. */
const HOLDERS = 4
const ONE_MILLION = 1_000_000
const CALL_MS = 10_000

export interface DirectSide {
  /** Sends a text from one end to the other; the message's id. */
  send(text: string): Promise<string>
  /** Calls back with the id of each message that the other end's client is told of. */
  onReceived(listener: (id: string) => void): void
  /** With the id of each message that the sender knows to be on the other end's disk; never where there are no receipts. */
  onDelivered(listener: (id: string) => void): void
  readonly receipts: boolean
  readonly senderPid: number
  readonly receiverPid: number
  close(): Promise<void>
}

/** A client of a local API: one connection pool, JSON in and out. */
class Caller {
  readonly #agent = new Agent({ keepAlive: true })
  readonly #port: number
  readonly #headers: Readonly<Record<string, string>>

  constructor(port: number, headers: Readonly<Record<string, string>>) {
    this.#port = port
    this.#headers = { ...headers, 'content-type': 'application/json' }
  }

  async post(path: string, body: object): Promise<string> {
    const options = { agent: this.#agent, port: this.#port, host: '127.0.0.1', method: 'POST', path }
    const call = request({ ...options, headers: this.#headers, signal: AbortSignal.timeout(CALL_MS) })
    call.end(JSON.stringify(body))
    const [response] = await once(call, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const answer = Buffer.concat(chunks).toString('utf8')
    if (response.statusCode !== 202) throw new Error(`the API answered ${String(response.statusCode)}: ${answer}`)
    return (JSON.parse(answer) as { id: string }).id
  }

  close(): void {
    this.#agent.destroy()
  }
}

interface StreamFrame {
  readonly type: string
  readonly event?: { readonly type: string; readonly data: { readonly id?: string } }
}

/** The ids in events of one type, as they come. */
class Watcher {
  readonly #socket: WebSocket
  readonly #listeners: ((id: string) => void)[] = []

  private constructor(socket: WebSocket, type: string) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as StreamFrame
      const id = frame.event?.type === type ? frame.event.data.id : undefined
      if (id !== undefined) for (const listener of this.#listeners) listener(id)
    })
  }

  static async open(url: string, headers: Readonly<Record<string, string>>, type: string): Promise<Watcher> {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false })
    await once(socket, 'open')
    return new Watcher(socket, type)
  }

  onId(listener: (id: string) => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#socket.terminate()
  }
}

// --- Sotto

function authorization(daemon: Daemon): Record<string, string> {
  return { authorization: `Bearer ${readFileSync(join(daemon.home, 'api-token'), 'utf8').trim()}` }
}

async function watch(daemon: Daemon, type: string): Promise<Watcher> {
  const { last } = await daemon.api<{ last: number }>('GET', '/events?since=0&limit=1')
  const url = `ws://127.0.0.1:${daemon.apiPort}/api/v1/events?since=${last}`
  return Watcher.open(url, authorization(daemon), type)
}

/** The limits of the API guard against a runaway script, which a bench is. */
function liftLimits(daemon: Daemon): void {
  const limits = { readsPerMinute: ONE_MILLION, writesPerMinute: ONE_MILLION, messagesPerMinute: ONE_MILLION }
  writeFileSync(join(daemon.home, 'config.json'), JSON.stringify({ version: 1, api: { limits } }), { mode: 0o600 })
}

/** Two people who are contacts, each with a daemon, among holders. */
export async function openSotto(): Promise<DirectSide> {
  const bed = new Testbed()
  try {
    const first = bed.daemon('bootstrap', { passphrase: null })
    await first.start()
    const holders = Array.from({ length: HOLDERS - 1 }, (_, i) => bed.daemon(`holder${i}`, { passphrase: null }))
    const [alice, bob] = [bed.daemon('alice'), bed.daemon('bob')]
    for (const person of [alice, bob]) liftLimits(person)
    await startAll([...holders, alice, bob])
    await knowEnough(bed, HOLDERS)
    await Promise.all([alice.createIdentity(), bob.createIdentity()])
    await befriend(alice, bob)
    return await talk(bed, alice, bob)
  } catch (error) {
    await bed.close()
    throw error
  }
}

async function talk(bed: Testbed, alice: Daemon, bob: Daemon): Promise<DirectSide> {
  const to = await bob.accountId()
  const caller = new Caller(alice.apiPort, authorization(alice))
  const [received, delivered] = [await watch(bob, 'message:received'), await watch(alice, 'message:delivered')]
  return {
    send: async (text) => caller.post('/api/v1/messages', { to, text }),
    onReceived: (listener) => {
      received.onId(listener)
    },
    onDelivered: (listener) => {
      delivered.onId(listener)
    },
    receipts: true,
    senderPid: alice.pid ?? 0,
    receiverPid: bob.pid ?? 0,
    close: async () => {
      for (const part of [received, delivered, caller]) part.close()
      await bed.stopAll()
      await bed.close()
    },
  }
}

// --- the reference

class ReferenceNode {
  readonly child: ChildProcess = fork(new URL('./direct-process.ts', import.meta.url), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })

  async start(order: NodeOrder): Promise<NodeReport> {
    this.child.send(order)
    const gone = new Promise<never>((_, reject) => {
      this.child.once('exit', (code) => {
        reject(new Error(`a node of the reference ended with ${String(code)}`))
      })
    })
    gone.catch(() => {}) // it ends in good order later
    const [report] = await Promise.race([once(this.child, 'message'), gone])
    return report as NodeReport
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.disconnect()
    await exited
  }
}

/** Two devices with a session that has had a turn each way. */
async function lines() {
  const pair = await libsignal.meeting('written')
  const { a, b } = pair
  const text = new Uint8Array(8)
  await pair.accept(await pair.begin(text))
  await a.open(await b.seal(text))
  await b.open(await a.seal(text))
  return { alice: a.handOver(), bob: b.handOver() }
}

/** HTTP → libsignal → TLS 1.3 → libsignal → SQLite → WebSocket, in two processes. */
export async function openReference(): Promise<DirectSide> {
  const dir = await mkdtemp(join(tmpdir(), 'sotto-bench-direct-'))
  const [alice, bob] = [new ReferenceNode(), new ReferenceNode()]
  const close = async (): Promise<void> => {
    await Promise.all([alice.close(), bob.close()])
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const [tls, line] = [selfSigned(), await lines()]
    const far = await bob.start({ line: line.bob, database: join(dir, 'bob'), tls, peerPort: undefined })
    const near = await alice.start({ line: line.alice, database: join(dir, 'alice'), tls, peerPort: far.tlsPort })
    const caller = new Caller(near.port, {})
    const received = await Watcher.open(`ws://127.0.0.1:${far.port}/`, {}, 'message:received')
    return {
      send: async (text) => caller.post('/messages', { to: 'bob', text }),
      onReceived: (listener) => {
        received.onId(listener)
      },
      onDelivered: () => {},
      receipts: false,
      senderPid: alice.child.pid ?? 0,
      receiverPid: bob.child.pid ?? 0,
      close: async () => {
        for (const part of [received, caller]) part.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
