/**
 * A node of the composed reference, the best ready parts in a row: HTTP → libsignal → TLS 1.3 → libsignal → SQLite (WAL,
 * every commit synced) → WebSocket. `node direct-process.ts`; told by its first IPC message which end it is. It stores
 * before it sends and before it reports, as Sotto does, but gives no receipt.
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { connect, createServer as createTlsServer } from 'node:tls'
import { WebSocketServer } from 'ws'
import { Line } from './session-libsignal.ts'
import type { HandedOver } from './session-libsignal.ts'

export interface NodeOrder {
  readonly line: HandedOver
  /** A file that is not there yet. */
  readonly database: string
  readonly tls: { readonly key: string; readonly cert: string }
  /** Where the other end listens, for the one that sends. */
  readonly peerPort: number | undefined
}

/** Where the node answers: HTTP for the sender's client, WebSocket and TLS for the receiver's. */
export interface NodeReport {
  readonly port: number
  readonly tlsPort: number
}

interface Content {
  readonly id: string
  readonly text: string
}

/** A message and the session that it moved, in one synced transaction. */
class Disk {
  readonly #database: DatabaseSync
  readonly #message: ReturnType<DatabaseSync['prepare']>
  readonly #session: ReturnType<DatabaseSync['prepare']>

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE messages (id TEXT PRIMARY KEY, at INTEGER, text TEXT);
      CREATE TABLE sessions (id INTEGER PRIMARY KEY, state BLOB)`)
    this.#message = this.#database.prepare('INSERT INTO messages VALUES (?, ?, ?)')
    this.#session = this.#database.prepare('INSERT OR REPLACE INTO sessions VALUES (1, ?)')
  }

  commit({ id, text }: Content, session: Uint8Array): void {
    this.#database.exec('BEGIN')
    this.#message.run(id, Date.now(), text)
    this.#session.run(session)
    this.#database.exec('COMMIT')
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Frames of four bytes of length and what they say, one after another. */
function readFrames(socket: Socket, take: (frame: Uint8Array) => Promise<void>): void {
  let rest: Buffer = Buffer.alloc(0)
  let last = Promise.resolve()
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = frameEnd(rest); end !== undefined; end = frameEnd(rest)) {
      const frame = rest.subarray(4, end)
      rest = rest.subarray(end)
      last = last.then(async () => take(frame))
    }
  })
}

function frameEnd(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined
  const end = 4 + bytes.readUInt32BE(0)
  return bytes.length < end ? undefined : end
}

async function bodyOf(request: IncomingMessage): Promise<Omit<Content, 'id'>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Omit<Content, 'id'>
}

async function sender(line: Line, disk: Disk, peerPort: number): Promise<NodeReport> {
  const socket = connect({ host: '127.0.0.1', port: peerPort, minVersion: 'TLSv1.3', rejectUnauthorized: false })
  await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
  socket.setNoDelay(true)
  let last = Promise.resolve()
  const send = async (content: Content): Promise<void> => {
    const sealed = await line.seal(Buffer.from(JSON.stringify(content)))
    disk.commit(content, line.session)
    const head = Buffer.alloc(4)
    head.writeUInt32BE(sealed.length)
    socket.write(Buffer.concat([head, sealed]))
  }
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const content = { id: randomUUID(), ...(await bodyOf(request)) }
    last = last.then(async () => send(content)) // a session seals one message after another
    await last
    const body = JSON.stringify({ id: content.id })
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  }
  const port = await listen(createServer((request, response) => void take(request, response)))
  return { port, tlsPort: 0 }
}

async function receiver(line: Line, disk: Disk, tls: NodeOrder['tls']): Promise<NodeReport> {
  const http = createServer()
  const watchers = new WebSocketServer({ server: http, perMessageDeflate: false })
  const take = async (frame: Uint8Array): Promise<void> => {
    const content = JSON.parse(Buffer.from(await line.open(frame)).toString('utf8')) as Content
    disk.commit(content, line.session)
    const event = { type: 'event', event: { type: 'message:received', data: { id: content.id } } }
    for (const watcher of watchers.clients) watcher.send(JSON.stringify(event))
  }
  const server = createTlsServer({ ...tls, minVersion: 'TLSv1.3' }, (socket) => {
    socket.setNoDelay(true)
    readFrames(socket, take)
  })
  return { port: await listen(http), tlsPort: await listen(server) }
}

process.once('message', ({ line, database, tls, peerPort }: NodeOrder) => {
  const [end, disk] = [new Line(line), new Disk(database)]
  const started = peerPort === undefined ? receiver(end, disk, tls) : sender(end, disk, peerPort)
  started.then(
    (report) => process.send?.(report),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.once('disconnect', () => process.exit())
