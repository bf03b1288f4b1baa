import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { Dialer } from '../../../src/net/dialer.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'

const PEER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'

/** A direct connection on which a ping goes as told. */
function world(newStream: () => Promise<never>) {
  let cut = 0
  let asked = 0
  const connection = {
    status: 'open',
    remoteAddr: multiaddr('/ip4/198.51.100.7/tcp/4001'),
    newStream: async () => {
      asked++
      return newStream()
    },
    abort: () => cut++,
  } as unknown as Connection
  const dialer = new Dialer({ getConnections: () => [connection] } as unknown as Node)
  return { dialer, clock: new VirtualClock(), stopped: new AbortController(), cut: () => cut, asked: () => asked }
}

test('DT-15 a direct connection that is silent for three seconds is cut, and asked once at a time', async () => {
  const { dialer, clock, stopped, cut, asked } = world(async () => new Promise<never>(() => {}))
  const probes = Array.from({ length: 100 }, async () => dialer.probeDirect(PEER, clock, stopped.signal))
  await clock.advance(2_900)
  assert.deepEqual([cut(), asked()], [0, 1])
  await clock.advance(200)
  await Promise.all(probes)
  assert.equal(cut(), 1)
})

test('DT-15 a direct connection whose end refuses to answer is alive, and so is one that we asked when we stopped', async () => {
  const refuses = world(async () => Promise.reject(new Error('too many streams')))
  await refuses.dialer.probeDirect(PEER, refuses.clock, refuses.stopped.signal)
  assert.equal(refuses.cut(), 0)
  const silent = world(async () => new Promise<never>(() => {}))
  const probe = silent.dialer.probeDirect(PEER, silent.clock, silent.stopped.signal)
  silent.stopped.abort(new Error('we stop'))
  await probe
  await silent.clock.advance(10_000)
  assert.equal(silent.cut(), 0)
})
