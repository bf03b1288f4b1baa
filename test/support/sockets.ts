/** Whom a process is connected to, as the kernel sees it (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Connection {
  readonly local: string
  readonly remote: string
}

/** Open TCP connections of the process (not those that listen), over IPv4 and IPv6: `127.0.0.1:4001`. */
export function connectionsOf(pid: number): readonly Connection[] {
  const own = socketsOf(pid)
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === ESTABLISHED && own.has(columns[9] ?? ''))
      .map((columns) => ({ local: endpoint(columns[1] ?? ''), remote: endpoint(columns[2] ?? '') })),
  )
}

/** UDP sockets that the process has open. */
export function udpSocketsOf(pid: number): number {
  const own = socketsOf(pid)
  return ['udp', 'udp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .filter((line) => own.has(line.trim().split(/\s+/)[9] ?? '')).length
}

const ESTABLISHED = '01'

/** Inodes of the process's sockets. */
function socketsOf(pid: number): ReadonlySet<string> {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? ''
    } catch {
      return ''
    }
  })
  return new Set(inodes.filter((inode) => inode !== ''))
}

/** `0100007F:0FA1` (host byte order per 32 bits, little-endian machines) as text; an IPv6 address keeps its hex form. */
function endpoint(hex: string): string {
  const [address = '', port = ''] = hex.split(':')
  const words = address.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse())
  const mapped = bytes.slice(0, -4).join('') === '00000000000000000000FFFF'
  const shown =
    bytes.length === 4 || mapped
      ? bytes
          .slice(-4)
          .map((byte) => Number.parseInt(byte, 16))
          .join('.')
      : bytes.join('')
  return `${shown}:${Number.parseInt(port, 16)}`
}
