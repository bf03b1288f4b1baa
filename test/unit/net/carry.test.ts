import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream, StreamHandler, Topology } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { carry } from '../../../src/net/reach/carry.ts'
import { Gate } from '../../../src/net/reach/gate.ts'
import { until } from './hosts.ts'

const KIB = 1_024

/** Two ends, and a relay between them. */
async function circuit(options: { bytesMax?: number; pace?: (bytes: number) => Promise<void> } = {}) {
  const [[left, a], [right, b]] = await Promise.all([streamPair(), streamPair()])
  const clock = new VirtualClock()
  let ends = 0
  const cut = carry(a, b, {
    clock,
    bytesMax: options.bytesMax ?? 64 * KIB * KIB,
    forMs: 60_000,
    pace: options.pace ?? (async () => {}),
    onEnd: () => void ends++,
  })
  return { left, right, a, b, clock, cut, ends: () => ends }
}

/** What a stream hands out, counted. */
function received(stream: Stream): { bytes: () => number; all: number[] } {
  const all: number[] = []
  stream.addEventListener('message', ({ data }) => {
    for (const byte of data.subarray()) all.push(byte)
  })
  return { bytes: () => all.length, all }
}

test('OP-16 bytes pass both ways in order, and the end of one side is the end of the other', async () => {
  const { left, right, ends } = await circuit()
  const [onRight, onLeft] = [received(right), received(left)]
  for (let at = 0; at < 50; at++) left.send(new Uint8Array(1_000).fill(at))
  right.send(Uint8Array.of(9, 8, 7))
  await until(() => onRight.bytes() === 50_000 && onLeft.bytes() === 3)
  assert.deepEqual(onLeft.all, [9, 8, 7])
  for (let at = 0; at < 50; at++) assert.equal(onRight.all[at * 1_000 + 999], at)
  await left.close()
  await until(() => right.remoteWriteStatus === 'closed')
  assert.equal(right.status, 'open', 'it may still answer')
  await right.close()
  await until(() => ends() === 1)
})

test('OP-16 a circuit is cut after its bytes, after its time, and with the relay', async () => {
  const small = await circuit({ bytesMax: 10 * KIB })
  const got = received(small.right)
  for (let at = 0; at < 20; at++) small.left.send(new Uint8Array(KIB))
  await until(() => small.left.status !== 'open' && small.right.status !== 'open')
  assert.ok(got.bytes() <= 10 * KIB)
  assert.equal(small.ends(), 1)
  const old = await circuit()
  await old.clock.advance(59_000)
  assert.equal(old.left.status, 'open')
  await old.clock.advance(1_001)
  await until(() => old.left.status !== 'open' && old.right.status !== 'open')
  const stopped = await circuit()
  stopped.cut()
  await until(() => stopped.left.status !== 'open' && stopped.right.status !== 'open')
  assert.deepEqual([old.ends(), stopped.ends()], [1, 1])
})

test('OP-16 a reset at one end resets the other', async () => {
  const { left, right, ends } = await circuit()
  left.abort(new Error('gone'))
  await until(() => right.status !== 'open' && ends() === 1)
})

test('OP-16 who is not let through is not read: memory does not follow what is sent', async () => {
  const passes: (() => void)[] = []
  const { left, right, a } = await circuit({ pace: async () => new Promise((resolve) => passes.push(resolve)) })
  const got = received(right)
  for (let at = 0; at < 8; at++) left.send(new Uint8Array(32 * KIB).fill(at))
  await until(() => a.readStatus === 'paused')
  assert.equal(passes.length, 1, 'one piece at a time')
  assert.equal(got.bytes(), 0)
  for (let at = 0; got.bytes() < 8 * 32 * KIB && at < 1_000; at++) {
    passes.shift()?.()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.equal(got.bytes(), 8 * 32 * KIB)
})

test('OP-05 a service behind a closed gate is not told of, and what a peer asks it all the same is refused', async () => {
  const spoken = new Map<string, StreamHandler>()
  const topologies: Topology[] = []
  const registrar = {
    handle: async (protocol: string, handler: StreamHandler) => void spoken.set(protocol, handler),
    unhandle: async (protocols: string | string[]) => [protocols].flat().forEach((name) => spoken.delete(name)),
    register: async (_protocol: string, topology: Topology) => {
      topologies.push(topology)
      return 'id'
    },
  }
  let allowed = true
  const gate = new Gate(
    (protocol) => protocol === 'service',
    () => allowed,
  )
  const wrapped = gate.wrap(registrar)
  let served = 0
  const met: string[] = []
  await wrapped.handle('service', async () => void served++)
  await wrapped.handle('other', async () => {})
  await wrapped.register('service', { onConnect: (peer) => void met.push(String(peer)) })
  assert.deepEqual([...spoken.keys()], ['other'])
  await gate.set(true)
  await gate.set(true)
  assert.deepEqual([...spoken.keys()], ['other', 'service'])
  const [one] = await streamPair()
  const handler = spoken.get('service') ?? assert.fail()
  await handler(one, {} as never)
  assert.equal(served, 1)
  allowed = false
  await handler(one, {} as never)
  assert.deepEqual([served, one.status], [1, 'aborted'])
  assert.equal(gate.meet(['service', 'unheard of'], 'a peer' as never, {} as never), true)
  assert.equal(gate.meet(['other'], 'a peer' as never, {} as never), false)
  assert.deepEqual(met, ['a peer'])
  allowed = true
  await gate.set(false)
  assert.deepEqual([...spoken.keys()], ['other'])
  const [late] = await streamPair()
  await handler(late, {} as never)
  assert.deepEqual([served, late.status], [1, 'aborted'], 'a stream that came while it closed')
})
