/** STUN between real sockets on 127.0.0.1: who answers, how much, and what is concluded. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock, VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { ROLES } from '../../../src/lib/roles.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { reachParts } from '../../../src/net/reach/parts.ts'
import { StunServer } from '../../../src/net/reach/stun-server.ts'
import { UdpRouter } from '../../../src/net/upgrade/webrtc/udp-router.ts'
import { stunAnswerIn, stunRequest } from '../../../src/wire/stun.ts'
import { UDP } from '../../../src/wire/upgrade.ts'
import { newHost, until } from './hosts.ts'
import { stunServer } from './stun-server.ts'

const LOOPBACK = '127.0.0.1'
/** Of another network. */
const ELSEWHERE = '127.0.0.2'

async function client(t: TestContext) {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, LOOPBACK)
  await once(socket, 'listening')
  return socket
}

const at = (last: number, port: number) => ({ ip: Uint8Array.of(21, 0, 0, last), port })

test('NA-02 a bootstrap peer answers STUN on UDP at the port that it listens on by TCP; an ordinary peer does not', async (t) => {
  const [bootstrap, peer] = [await newHost(t, { role: 'bootstrap' }), await newHost(t)]
  const socket = await client(t)
  const { bytes, transaction } = stunRequest(systemRng)
  const answers: Uint8Array[] = []
  socket.on('message', (answer) => answers.push(answer))
  for (const host of [peer, bootstrap]) {
    const port = Number(/\/tcp\/(\d+)/.exec(host.listening()[0] ?? '')?.[1])
    socket.send(bytes, port, LOOPBACK)
  }
  await until(() => answers.length > 0)
  assert.deepEqual(stunAnswerIn(answers[0] ?? assert.fail(), transaction), {
    ip: Uint8Array.of(127, 0, 0, 1),
    port: socket.address().port,
  })
  assert.equal(answers.length, 1)
  const init = {
    listen: [],
    announced: [],
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
  }
  for (const [name, role] of Object.entries(ROLES))
    assert.equal(reachParts({ ...init, role }).stun !== undefined, name === 'bootstrap' || name === 'relay')
})

test('SE-19 AS-08 STUN: thirty answers at once to one source and then a few a second; nothing to what is no request', async (t) => {
  const clock = new VirtualClock()
  const stun = new StunServer({ listen: ['/ip4/127.0.0.1/tcp/0', '/dns4/x.example/tcp/1'], clock, log: silentLogger })
  const free = createSocket('udp4').bind(0, LOOPBACK)
  await once(free, 'listening')
  const { port } = free.address()
  free.close()
  await once(free, 'close')
  stun.start([`/ip4/127.0.0.1/tcp/${port}`])
  t.after(() => stun.stop())
  const socket = await client(t)
  let answers = 0
  socket.on('message', (answer) => {
    assert.equal(answer.length, 32)
    answers++
  })
  const ask = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) socket.send(stunRequest(systemRng).bytes, port, LOOPBACK)
    socket.send(Buffer.from('rubbish'), port, LOOPBACK)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await ask(50)
  assert.equal(answers, 30)
  await clock.advance(1_000)
  await ask(10)
  assert.equal(answers, 35)
})

type Asked = readonly { readonly at: { readonly ip: string; readonly port: number } }[]

function newRouter(servers: Asked): UdpRouter {
  const parts = { clock: systemClock, rng: systemRng, bind: LOOPBACK }
  return new UdpRouter({ ...parts, servers: () => servers.map((each) => each.at) })
}

test('NA-02 what the router does with UDP: the same for all, another for each, or nothing gets through', async (t) => {
  const same = await stunServer(t, at(2, 4_000))
  const again = await stunServer(t, at(2, 4_000), ELSEWHERE)
  const other = await stunServer(t, at(2, 4_001), ELSEWHERE)
  const silent = await stunServer(t)
  const look = async (...servers: Asked) => {
    const router = newRouter(servers)
    await Promise.all([router.look(), router.look()])
    return router
  }
  const all = await look(same, again)
  assert.deepEqual([all.mapping(), all.ip()], [UDP.endpointIndependent, '21.0.0.2'])
  const each = await look(same, other)
  assert.deepEqual([each.mapping(), each.ip()], [UDP.perDestination, '21.0.0.2'], 'the IP is the same')
  const one = await look(same, silent)
  assert.deepEqual([one.mapping(), one.ip()], [UDP.unknown, undefined], 'one alone says nothing')
  assert.deepEqual(one.server(), same.at, 'but can be asked again')
  const near = await look(same, await stunServer(t, at(2, 4_000)))
  assert.deepEqual([near.mapping(), near.ip()], [UDP.unknown, undefined], 'and no more with two addresses')
  const none = await look(silent)
  assert.deepEqual([none.mapping(), none.server()], [UDP.none, undefined])
  assert.equal((await look()).mapping(), UDP.unknown)
})

test('SE-19 NA-02 a STUN server that lies against two that do not changes nothing', async (t) => {
  const honest = [await stunServer(t, at(2, 4_000)), await stunServer(t, at(2, 4_000), ELSEWHERE)]
  const liar = await stunServer(t, at(9, 1), '127.0.0.3')
  for (const servers of [
    [...honest, liar],
    [liar, ...honest],
  ]) {
    const router = newRouter(servers)
    await router.look()
    assert.deepEqual([router.mapping(), router.ip()], [UDP.endpointIndependent, '21.0.0.2'])
    assert.ok(honest.some((each) => each.at.port === router.server()?.port))
  }
})

test('NA-02 forgotten while it is asked: what comes of it is not kept, and it is asked again', async (t) => {
  const servers = [await stunServer(t, at(2, 4_000)), await stunServer(t, at(2, 4_000), ELSEWHERE)]
  const router = newRouter(servers)
  const looking = router.look()
  router.forget()
  await looking
  assert.equal(router.mapping(), UDP.unknown)
  await router.look()
  assert.equal(router.mapping(), UDP.endpointIndependent)
})

test('AS-08 what no packet can be sent to: no answer, no error', async (t) => {
  const good = await stunServer(t, at(2, 4_000))
  const bad = [0, 65_536, 1.5].map((port) => ({ at: { ip: LOOPBACK, port } }))
  const router = newRouter([...bad, good])
  await router.look()
  assert.deepEqual(router.server(), good.at)
})

test('OP-03 STUN servers are asked once in five minutes at most, four of them, and not without a reason', async (t) => {
  const servers = await Promise.all(Array.from({ length: 5 }, async () => stunServer(t, at(2, 4_000))))
  let nowMs = 0
  const clock = { ...systemClock, now: () => nowMs }
  const router = new UdpRouter({ clock, rng: systemRng, bind: LOOPBACK, servers: () => servers.map((each) => each.at) })
  const asked = (): number => servers.reduce((sum, each) => sum + each.asked(), 0)
  await router.look()
  nowMs = 4 * 60_000
  await router.look()
  assert.equal(asked(), 4)
  router.forget()
  await router.look()
  assert.equal(asked(), 8)
})
