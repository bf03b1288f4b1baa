import { createServer, connect } from 'node:net'
import type { Socket, AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { newEnd, newRelay, numbered, listen } from '../unit/net/relayed.ts'
import { soon, until } from '../unit/net/hosts.ts'
const DELAY = Number(process.env.DELAY ?? 80), JIT = Number(process.env.JIT ?? 60)
function slow(from: Socket, to: Socket) {
  const q: { at: number; d?: Buffer }[] = []; let due = 0
  const pump = () => { while (q[0] && q[0].at <= Date.now()) { const { d } = q.shift()!; if (d) { if (!to.destroyed) to.write(d) } else to.destroy() } if (q[0]) setTimeout(pump, Math.max(1, q[0].at - Date.now())) }
  const add = (d?: Buffer) => { due = Math.max(due, Date.now() + DELAY + Math.random() * JIT); q.push({ at: due, d }); if (q.length === 1) setTimeout(pump, DELAY) }
  from.on('data', add); from.on('close', () => add()); from.on('error', () => {})
}
async function proxy(t: any, port: number): Promise<number> {
  const s = createServer((a) => { const b = connect(port, '127.0.0.1'); a.setNoDelay(); b.setNoDelay(); slow(a, b); slow(b, a) })
  s.listen(0, '127.0.0.1'); await once(s, 'listening'); t.after(() => s.close())
  return (s.address() as AddressInfo).port
}
const re = /tcp\/(\d+)/
const via = async (t: any, a: string) => a.replace(re, `tcp/${await proxy(t, Number(re.exec(a)![1]))}`)
for (let round = 0; round < Number(process.env.N ?? 12); round++) test(`round ${round}`, async (t) => {
  const relay = await newRelay(t)
  const a = await newEnd(t, await via(t, relay)), b = await newEnd(t, await via(t, relay))
  const atA = listen(a)
  let n = 0, errors = 0
  const rec = { id: a.id, addresses: [] }
  const atB = listen(b, async () => { void b.streams.send(rec, numbered(n++, 200), soon()).catch(() => errors++) })
  let stop = false
  const sending = (async () => { for (let i = 0; !stop; i++) { await a.streams.send(b.record, numbered(i, 200), soon()); await new Promise((r) => setTimeout(r, 20)) } })()
  await until(() => atA.length > 20)
  const direct = await via(t, b.node.getMultiaddrs().map(String).find((x) => !x.includes('circuit'))!)
  await a.dialer.dialDirect([multiaddr(direct)], soon())
  await until(() => a.streams.relayedTo(b.id) === undefined && b.streams.relayedTo(a.id) === undefined)
  await new Promise((r) => setTimeout(r, 1500)); stop = true; await sending
  await new Promise((r) => setTimeout(r, 1500))
  const bad = (l: number[]) => l.flatMap((x, i) => (x !== (l[i - 1] ?? -1) + 1 ? [`${l[i - 1]}->${x}`] : []))
  console.log(round, 'A', atA.length, n, bad(atA), 'B', bad(atB), 'errors', errors)
})
