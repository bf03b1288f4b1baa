/**
 * The two sides of a NAT's examination (RFC 4787 in spirit), as processes inside the lab:
 *
 *     node probe.ts reflect                      in public hosts; says `ready`
 *     node probe.ts examine KNOWN OTHER STRANGER in a site's host; prints a Behaviour as JSON
 *
 * A reflector tells over UDP and TCP which address and port it sees, writes to a UDP port from a port that nobody ever wrote to, and
 * tries to open TCP connections; either also on behalf of another reflector. It stays until it is killed.
 */
import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, isIPv6 } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type { Behaviour } from './kinds.ts'

const PORT = 7_001
/** How long a packet may take that is not dropped; the lab has no distances. */
const ANSWER_MS = 600
const UDP_TRIES = 3

interface Endpoint {
  readonly ip: string
  readonly port: number
}

/** `who` asks what is seen; `poke` for a packet, `dial` for a connection; `via` lets another reflector do it. */
interface Request {
  readonly ask: 'who' | 'poke' | 'dial'
  readonly to?: Endpoint
  readonly via?: string
}

const unmapped = (ip = ''): string => ip.replace(/^::ffff:/, '')

function udp(ip: string, port: number): UdpSocket {
  const socket = createSocket({ type: isIPv6(ip) ? 'udp6' : 'udp4', ipv6Only: isIPv6(ip) })
  socket.on('error', () => {})
  socket.bind(port)
  return socket
}

function send(socket: UdpSocket, value: unknown, { ip, port }: Endpoint): void {
  socket.send(JSON.stringify(value), port, ip)
}

async function dial(to: Endpoint, localPort?: number): Promise<Socket | undefined> {
  const socket = connect({ host: to.ip, port: to.port, ...(localPort === undefined ? {} : { localPort }) })
  return new Promise((resolve) => {
    const end = (result: Socket | undefined): void => {
      clearTimeout(timer)
      if (result === undefined) socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(end, ANSWER_MS)
    socket.on('error', () => {
      end(undefined)
    })
    socket.once('connect', () => {
      end(socket)
    })
  })
}

/** One question over TCP; its answer, or undefined. */
async function ask<T>(ip: string, request: Request, localPort?: number): Promise<T | undefined> {
  const socket = await dial({ ip, port: PORT }, localPort)
  if (socket === undefined) return undefined
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    const [line] = (await once(createInterface({ input: socket }), 'line')) as [string]
    return JSON.parse(line) as T
  } finally {
    socket.destroy()
  }
}

async function answer(request: Request, from: Endpoint): Promise<unknown> {
  if (request.ask === 'who') return from
  const { to = from, via } = request
  if (via !== undefined) return ask(via, { ask: request.ask, to })
  if (request.ask === 'dial') {
    const socket = await dial({ ip: to.ip, port: to.port })
    socket?.destroy()
    return socket !== undefined
  }
  const socket = udp(to.ip, 0)
  await once(socket, 'listening')
  send(socket, 'poked', to)
  setTimeout(() => socket.close(), ANSWER_MS)
  return true
}

async function reflect(): Promise<void> {
  for (const family of ['0.0.0.0', '::']) {
    const socket = udp(family, PORT)
    socket.on('message', (_, { address, port }) => {
      send(socket, { ip: address, port }, { ip: address, port })
    })
    await once(socket, 'listening')
  }
  const server = createServer((socket) => {
    const from = { ip: unmapped(socket.remoteAddress), port: socket.remotePort ?? 0 }
    socket.on('error', () => {})
    createInterface({ input: socket }).on('line', (line) => {
      void answer(JSON.parse(line) as Request, from).then((value) =>
        socket.write(`${JSON.stringify(value ?? false)}\n`),
      )
    })
  })
  server.listen(PORT, '::')
  await once(server, 'listening')
  console.log('ready')
}

/** What comes to the socket within the time, if it passes the test. */
async function hears<T>(socket: UdpSocket, test: (value: unknown) => value is T): Promise<T | undefined> {
  return new Promise((resolve) => {
    const end = (value?: T): void => {
      clearTimeout(timer)
      socket.off('message', listen)
      resolve(value)
    }
    const listen = (data: Buffer): void => {
      const value: unknown = JSON.parse(data.toString('utf8'))
      if (test(value)) end(value)
    }
    const timer = setTimeout(end, ANSWER_MS)
    socket.on('message', listen)
  })
}

const isEndpoint = (value: unknown): value is Endpoint => typeof value === 'object'
const isPoke = (value: unknown): value is 'poked' => value === 'poked'

/** Where a reflector sees our UDP socket. */
async function seenBy(socket: UdpSocket, ip: string): Promise<Endpoint | undefined> {
  for (let i = 0; i < UDP_TRIES; i++) {
    const heard = hears(socket, isEndpoint)
    send(socket, { ask: 'who' }, { ip, port: PORT })
    const seen = await heard
    if (seen !== undefined) return seen
  }
  return undefined
}

type Reflectors = readonly [known: string, other: string, stranger: string]

async function examineUdp([known, other, stranger]: Reflectors): Promise<Pick<Behaviour, 'udpMapping' | 'udpFilter'>> {
  const socket = udp(known, 0)
  await once(socket, 'listening')
  try {
    const [first, second] = [await seenBy(socket, known), await seenBy(socket, other)]
    if (first === undefined || second === undefined) return { udpMapping: undefined, udpFilter: undefined }
    const poked = async (via?: string): Promise<boolean> => {
      const heard = hears(socket, isPoke)
      await ask(known, { ask: 'poke', to: first, ...(via === undefined ? {} : { via }) })
      return (await heard) !== undefined
    }
    const udpFilter = (await poked(stranger)) ? 'anyone' : (await poked()) ? 'address' : 'port'
    return { udpMapping: first.port === second.port ? 'same' : 'per-destination', udpFilter }
  } finally {
    socket.close()
  }
}

async function examineTcp([known, other, stranger]: Reflectors): Promise<Pick<Behaviour, 'tcpMapping' | 'tcpDialIn'>> {
  const server = createServer((socket) => socket.destroy()).listen(0, isIPv6(known) ? '::' : '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // A port that was free a moment ago and that nobody listens on.
  const free = createServer().listen(0)
  await once(free, 'listening')
  const localPort = (free.address() as AddressInfo).port
  free.close()
  await once(free, 'close')
  try {
    const seen = [
      await ask<Endpoint>(known, { ask: 'who' }, localPort),
      await ask<Endpoint>(other, { ask: 'who' }, localPort),
    ]
    const [first, second] = seen
    if (first === undefined || second === undefined) return { tcpMapping: undefined, tcpDialIn: 'nobody' }
    const to = { ip: first.ip, port }
    const byStranger = await ask<boolean>(known, { ask: 'dial', to, via: stranger })
    const tcpDialIn =
      byStranger === true ? 'anyone' : (await ask<boolean>(known, { ask: 'dial', to })) === true ? 'address' : 'nobody'
    return { tcpMapping: first.port === second.port ? 'same' : 'per-destination', tcpDialIn }
  } finally {
    server.close()
  }
}

/** What the NAT in front of this process does. The stranger must not have been written to. */
async function examine(reflectors: Reflectors): Promise<Behaviour> {
  return { ...(await examineUdp(reflectors)), ...(await examineTcp(reflectors)) }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [verb, known = '', other = '', stranger = ''] = process.argv.slice(2)
  if (verb === 'reflect') await reflect()
  else console.log(JSON.stringify(await examine([known, other, stranger])))
}
