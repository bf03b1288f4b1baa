/**
 * What the API is measured against: the least that could answer the same requests. `node:http` and `ws`, no token, no schema; a
 * change is a line in a file, synced, and a frame to everybody. `node api-plain.ts FILE` prints its port.
 */
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const log: { readonly number: number; readonly at: string; readonly type: string; readonly data: unknown }[] = []
const file = await open(process.argv[2] ?? '', 'a')
const STATUS = { version: '0', state: 'ready', peers: 0, addresses: [], outbox: { waiting: 0 }, uptimeSeconds: 1 }

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

async function answer(request: IncomingMessage): Promise<unknown> {
  if (request.method === 'GET')
    return request.url?.includes('/events') === true ? { events: log.slice(0, 100) } : STATUS
  const data = await bodyOf(request)
  const event = { number: log.length + 1, at: new Date().toISOString(), type: 'profile:changed', data }
  await file.write(`${JSON.stringify(event)}\n`)
  await file.datasync()
  log.push(event)
  for (const client of sockets.clients) client.send(JSON.stringify({ type: 'event', event }))
  return data
}

const server = createServer((request, response) => {
  void answer(request).then((value) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(value))
  })
})
const sockets = new WebSocketServer({ server })
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
