/** Conversations that go over from a relay to WebRTC: real streams, and real helpers, on 127.0.0.1. No TCP gets past the relay. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { soon, until } from '../unit/net/hosts.ts'
import { listen, newEnd, newRelay, numbered } from '../unit/net/relayed.ts'
import type { End } from '../unit/net/relayed.ts'

const DIRECT_FRAMES = 1_000
const FRAMES_MAX = 20_000
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Two ends between which TCP is of no use. */
async function udpOnly(t: TestContext, links?: readonly ('tls' | 'noise')[]): Promise<readonly [End, End]> {
  const relay = await newRelay(t)
  const options = { upgrades: true, reachable: false, ...(links === undefined ? {} : { links }) }
  return [await newEnd(t, relay, options), await newEnd(t, relay, options)]
}

/** Sends until the conversation has moved and as many frames again went directly; how many in all, and how many of them over the relay. */
async function sendAcross(from: End, to: End): Promise<{ sent: number; relayed: number }> {
  let [sent, relayed] = [0, 0]
  while (sent - relayed < DIRECT_FRAMES && sent < FRAMES_MAX) {
    await from.streams.send(to.record, numbered(sent, sent % 20 === 0 ? 60_000 : 200), soon(20_000))
    if (pathTo(from, to) === '' || from.streams.relayedTo(to.id) !== undefined) relayed++
    if (++sent % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return { sent, relayed }
}

const pathTo = (from: End, to: End): string => from.dialer.direct(to.id)?.remoteAddr.toString() ?? ''

for (const link of ['tls', 'noise'] as const) {
  test(`NA-02 DT-13 DT-20 a conversation goes over to WebRTC while frames are under way both ways (${link}): none lost, doubled or overtaken`, async (t) => {
    const [a, b] = await udpOnly(t, [link])
    const [atA, atB] = [listen(a), listen(b)]
    const [byA, byB] = await Promise.all([sendAcross(a, b), sendAcross(b, a)])
    await until(() => atA.length >= byB.sent && atB.length >= byA.sent, 20_000)
    assert.deepEqual([atA, atB], [upTo(byB.sent), upTo(byA.sent)])
    for (const { sent, relayed } of [byA, byB])
      assert.ok(relayed > 20 && sent - relayed === DIRECT_FRAMES, `${relayed} of ${sent} relayed`)
    assert.match(pathTo(a, b), /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/webrtc\/p2p\//)
    assert.match(pathTo(b, a), /\/webrtc\/p2p\//)
    const [one, other] = [a.dialer.direct(b.id), b.dialer.direct(a.id)]
    assert.deepEqual(new Set([one?.direction, other?.direction]), new Set(['inbound', 'outbound']))
    assert.equal(
      one?.encryption,
      link === 'tls' ? '/tls/1.0.0' : '/sotto/noise-mlkem768/1',
      'our own link, on top of DTLS',
    )
    assert.ok(one.limits === undefined && one.remotePeer.toString() === b.id)
  })
}

test('NA-02 DT-20 AS-08 the helper is killed under a conversation: the daemon lives, the next frames go over the relay', async (t) => {
  const [a, b] = await udpOnly(t)
  const [atA, atB] = [listen(a), listen(b)]
  const send = async (from: End, to: End, number: number): Promise<void> =>
    from.streams.send(to.record, numbered(number), soon())
  await send(a, b, 0)
  await send(b, a, 0)
  await until(
    () => pathTo(a, b) !== '' && a.streams.relayedTo(b.id) === undefined && b.streams.relayedTo(a.id) === undefined,
  )
  process.kill(a.webRtc.pid ?? assert.fail(), 'SIGKILL')
  await until(() => pathTo(a, b) === '')
  await send(a, b, 1)
  await until(() => pathTo(b, a) === '') // asked whether it is alive, since the peer is back on the relay
  await send(b, a, 1)
  await until(() => atA.length === 2 && atB.length === 2)
  assert.deepEqual(
    [atA, atB],
    [
      [0, 1],
      [0, 1],
    ],
  )
  assert.ok(a.streams.relayedTo(b.id) !== undefined)
})

test('AS-08 a daemon that is killed takes its helper with it', async (t) => {
  const helper = new URL('../../src/net/upgrade/webrtc/helper.ts', import.meta.url).href
  const main = `
    import { Helper } from ${JSON.stringify(helper)}
    const helper = new Helper({ clock: { now: () => 0, after: () => () => {} }, log: { warn() {} } })
    const events = { described: () => console.log(helper.pid), closed() {} }
    helper.meet({ answers: undefined, stun: undefined, bind: '127.0.0.1' }, events)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', main], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  assert.ok(pid > 1)
  parent.kill('SIGKILL')
  await until(() => {
    try {
      process.kill(pid, 0)
      return false
    } catch {
      return true
    }
  })
})
