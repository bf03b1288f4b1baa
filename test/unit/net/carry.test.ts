import assert from 'node:assert/strict'
import { test } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Stream, StreamHandler, Topology } from '@libp2p/interface'
import { multiaddrConnectionPair, streamPair } from '@libp2p/utils'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { carry } from '../../../src/net/reach/carry.ts'
import { Gate } from '../../../src/net/reach/gate.ts'
import { until } from './hosts.ts'

const KIB = 1_024

/** Two ends of a stream over yamux, set up as in `libp2p-node.ts`. */
async function yamuxPair(): Promise<[Stream, Stream]> {
  const streamOptions = { maxReadBufferLength: KIB * KIB, maxStreamWindowSize: 512 * KIB }
  const [near, far] = multiaddrConnectionPair({ capacity: 100_000 }).map((end) =>
    yamux({ streamOptions, enableKeepAlive: false })().createStreamMuxer(end),
  )
  const incoming = new Promise<Stream>((resolve) => {
    far?.addEventListener('stream', ({ detail }) => {
      resolve(detail)
    })
  })
  const opened = await near?.createStream()
  return [opened ?? assert.fail(), await incoming]
}

interface CircuitOptions {
  readonly pair?: () => Promise<[Stream, Stream]>
  readonly bytesMax?: number
  readonly forMs?: number
  readonly pace?: (bytes: number) => Promise<void>
}

/** Two ends, and a relay between them. */
async function circuit(options: CircuitOptions = {}) {
  const { pair = async () => streamPair() } = options
  const [[left, a], [right, b]] = await Promise.all([pair(), pair()])
  const clock = new VirtualClock()
  let ends = 0
  let moves = 0
  const line = carry(a, b, {
    clock,
    bytesMax: options.bytesMax ?? 64 * KIB * KIB,
    forMs: options.forMs ?? HOUR_MS,
    pace: options.pace ?? (async () => {}),
    onMoved: () => void moves++,
    onEnd: () => void ends++,
  })
  return { left, right, a, b, clock, line, ends: () => ends, moves: () => moves }
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
  const old = await circuit({ forMs: 60_000 })
  await old.clock.advance(59_000)
  assert.equal(old.left.status, 'open')
  await old.clock.advance(1_001)
  await until(() => old.left.status !== 'open' && old.right.status !== 'open')
  const stopped = await circuit()
  stopped.line.cut()
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

/** What a stream that is not read holds, in the pieces that it came in. */
function held(stream: Stream): { bytes: number; pieces: number } {
  const { readBuffer } = stream as unknown as {
    readBuffer: { byteLength: number; [Symbol.iterator](): Iterator<object> }
  }
  return { bytes: readBuffer.byteLength, pieces: [...readBuffer].length }
}

const TINY_FRAMES = 10_000

const settled = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

/** Waits until nothing changes any more. */
async function quiet(state: () => unknown): Promise<void> {
  for (let last: string | undefined; last !== JSON.stringify(state());) {
    last = JSON.stringify(state())
    await settled()
  }
}

test('AS-08 single bytes to a destination that takes nothing fill two windows and few objects', async () => {
  const { left, right, a, b, line } = await circuit({ pair: yamuxPair })
  right.pause()
  left.send(new Uint8Array(256 * KIB))
  await quiet(() => [held(right).bytes, b.writeBufferLength, left.writeBufferLength])
  assert.equal(held(right).bytes, 256 * KIB, 'its window is full')
  for (let at = 0; at < TINY_FRAMES; at++) {
    left.send(Uint8Array.of(at))
    if (at % 100 === 0) await new Promise(setImmediate)
  }
  assert.equal(left.writeBufferLength, 0, 'every byte left in a frame of its own')
  await quiet(() => [held(a).bytes, b.writeBufferLength])
  assert.equal(a.readStatus, 'paused')
  assert.ok(held(a).bytes > TINY_FRAMES / 2 && held(a).pieces <= 1_024, JSON.stringify(held(a)))
  assert.ok(b.writeBufferLength <= 16 * KIB, `${b.writeBufferLength} bytes wait for the destination`)
  assert.ok(line.held() > held(a).bytes && line.held() <= held(a).bytes + 80 * KIB, `${line.held()} bytes are held`)
  const got = received(right)
  right.resume()
  await until(() => got.bytes() === 256 * KIB + TINY_FRAMES)
})

test('AS-08 who takes byte by byte is not sent more than it takes', async () => {
  const passed: number[] = []
  const { left, right, b } = await circuit({ pair: yamuxPair, pace: async (bytes) => void passed.push(bytes) })
  right.pause()
  const window = right as unknown as { recvWindowCapacity: number; sendFrame(header: object): void; streamId: number }
  left.send(new Uint8Array(2_048 * KIB))
  await quiet(() => passed.length)
  const before = passed.length
  for (let at = 0; at < 200; at++) {
    window.sendFrame({ type: 1, flag: 0, streamID: window.streamId, length: 1 })
    window.recvWindowCapacity++
    await new Promise(setImmediate)
  }
  await quiet(() => passed.length)
  assert.equal(passed.length, before, 'two hundred bytes of window are not two hundred pieces of 16 KiB')
  assert.ok(b.writeBufferLength <= 16 * KIB)
})

test('AS-08 pieces of a byte cost the circuit 256 of its bytes each', async () => {
  const { left, ends } = await circuit({ bytesMax: 100 * KIB })
  for (let at = 0; at < 401; at++) {
    if (left.status !== 'open') break
    left.send(Uint8Array.of(at))
    await new Promise(setImmediate)
  }
  await until(() => left.status !== 'open' && ends() === 1)
})

test('AS-08 a circuit is cut when nothing passes for two minutes, and 15 s after one side was gone', async () => {
  const idle = await circuit()
  const got = received(idle.right)
  await idle.clock.advance(50_000)
  idle.left.send(Uint8Array.of(1))
  await until(() => got.bytes() === 1 && idle.moves() === 1)
  await idle.clock.advance(119_000)
  assert.equal(idle.left.status, 'open')
  await idle.clock.advance(1_000)
  await until(() => idle.left.status !== 'open' && idle.right.status !== 'open' && idle.ends() === 1)
  const half = await circuit()
  await half.left.close()
  await until(() => half.right.remoteWriteStatus === 'closed')
  await half.clock.advance(60_000)
  assert.equal(half.right.status, 'open', 'it may still answer')
  await half.right.close()
  await until(() => half.ends() === 1)
})

test('OP-16 what waits for a slow share when its sender is gone still arrives', async () => {
  const passes: (() => void)[] = []
  const pace = async (): Promise<void> => new Promise((resolve) => passes.push(resolve))
  const { left, right, clock, ends, a } = await circuit({ pace })
  const got = received(right)
  left.send(new Uint8Array(60 * KIB))
  await until(() => passes.length === 1)
  await Promise.all([left.close(), right.close()])
  await until(() => a.status === 'closed')
  for (let at = 0; at < 4; at++) {
    await clock.advance(14_000)
    passes.shift()?.()
    await settled()
  }
  assert.equal(got.bytes(), 60 * KIB, 'longer than 15 s, but never silent for so long')
  await until(() => ends() === 1)
})

test('AS-08 who takes nothing for half a minute is cut', async () => {
  const { left, right, b, clock, ends } = await circuit({ pair: yamuxPair })
  right.pause()
  left.send(new Uint8Array(300 * KIB))
  await quiet(() => [held(right).bytes, b.writeBufferLength])
  assert.ok(b.writeBufferLength > 0)
  await clock.advance(29_000)
  assert.equal(ends(), 0)
  await clock.advance(1_000)
  await until(() => ends() === 1 && left.status !== 'open')
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
  assert.equal(gate.meet('service', 'a peer' as never, {} as never), true)
  assert.equal(gate.meet('other', 'a peer' as never, {} as never), false)
  assert.deepEqual([met, topologies], [['a peer'], []])
  allowed = true
  await gate.set(false)
  assert.deepEqual([...spoken.keys()], ['other'])
  const [late] = await streamPair()
  await handler(late, {} as never)
  assert.deepEqual([served, late.status], [1, 'aborted'], 'a stream that came while it closed')
})
