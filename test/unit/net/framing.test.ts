import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { streamPair } from '@libp2p/utils'
import { concat, u32be } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { FrameSplitter } from '../../../src/net/frames/frame-splitter.ts'
import { FrameReader, FrameWriter } from '../../../src/net/frames/framing.ts'
import { WRITE_STALL_MS, protocolsOf } from '../../../src/net/protocols.ts'
import { until } from './hosts.ts'

const limits = { ...protocolsOf('local').direct, frameBytesMax: 1_000, writeBytesMax: 4_000 }
const frame = (body: Uint8Array): Uint8Array => concat(u32be(body.length), body)

test('frames come out as they went in, however the bytes are cut', () => {
  const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = concat(...frames.map(frame))
      const splitter = new FrameSplitter(300)
      const out: Uint8Array[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = cuts[i % cuts.length] ?? 1
        out.push(...splitter.push(bytes.subarray(at, at + length)))
        at += length
      }
      assert.deepEqual(out, frames)
      assert.equal(splitter.partial, false)
    }),
    { numRuns: 100 },
  )
})

test('a large frame grows with the bytes that came', () => {
  const body = new Uint8Array(200_000).map((_, i) => i % 251)
  const bytes = frame(body)
  const splitter = new FrameSplitter(body.length)
  assert.deepEqual(splitter.push(bytes.subarray(0, 150_000)), [])
  assert.equal(splitter.partial, true)
  assert.deepEqual(splitter.push(bytes.subarray(150_000)), [body])
})

test('AS-08 a length of 0 or above the cap is refused before any of it is kept', () => {
  for (const length of [0, 1_001, 2 ** 32 - 1]) {
    assert.throws(() => new FrameSplitter(1_000).push(u32be(length)), { name: 'LimitError' })
  }
})

test('AS-08 slow-loris: a frame that does not end within its deadline resets the stream', async () => {
  const clock = new VirtualClock()
  const [local, remote] = await streamPair()
  const reader = new FrameReader(remote, limits, clock, false)
  const late = assert.rejects(reader.next(), { name: 'TimeoutError' })
  local.send(frame(new Uint8Array(500)).subarray(0, 100))
  await new Promise((resolve) => setTimeout(resolve, 20))
  await clock.advance(limits.frameDeadlineMs - 1)
  assert.equal(remote.status, 'open')
  await clock.advance(2)
  await late
  assert.equal(remote.status, 'aborted')
})

test('AS-08 a stream whose first frame does not come is reset; an idle one later on is not', async () => {
  const clock = new VirtualClock()
  const [silent, silentRemote] = await streamPair()
  const reader = new FrameReader(silentRemote, limits, clock, true)
  const [talking, talkingRemote] = await streamPair()
  const patient = new FrameReader(talkingRemote, limits, clock, true)
  talking.send(frame(new Uint8Array(3)))
  assert.equal((await patient.next())?.length, 3)
  await clock.advance(limits.frameDeadlineMs + 1)
  await assert.rejects(reader.next(), { name: 'TimeoutError' })
  await clock.advance(24 * 3_600_000)
  assert.equal(talkingRemote.status, 'open')
  silent.abort(new Error('done'))
  talking.abort(new Error('done'))
})

test('a reader that takes nothing holds the sender back, and gets everything in the end', async () => {
  const clock = new VirtualClock()
  const [local, remote] = await streamPair()
  const reader = new FrameReader(remote, limits, clock, false)
  for (let i = 1; i <= 6; i++) local.send(frame(new Uint8Array(600).fill(i)))
  await until(() => remote.readStatus === 'paused')
  await clock.advance(limits.frameDeadlineMs * 3) // not read by us: nobody is late
  for (let i = 1; i <= 6; i++) assert.deepEqual(await reader.next(), new Uint8Array(600).fill(i))
  assert.equal(remote.readStatus, 'readable')
  local.abort(new Error('done'))
})

test('the end of the stream is the end of the frames, half a frame is lost', async () => {
  const [local, remote] = await streamPair()
  const reader = new FrameReader(remote, limits, new VirtualClock(), false)
  local.send(concat(frame(Uint8Array.of(1)), Uint8Array.of(0, 0)))
  await local.close()
  assert.deepEqual(await reader.next(), Uint8Array.of(1))
  assert.equal(await reader.next(), undefined)
})

test('a writer keeps the order of waiting frames and gives up on a peer that does not read', async () => {
  const clock = new VirtualClock()
  const [local, remote] = await streamPair({ capacity: 1, delay: 1 })
  const writer = new FrameWriter(local, limits, clock)
  const reader = new FrameReader(remote, limits, clock, false)
  const writes = Array.from({ length: 12 }, async (_, i) => writer.write(new Uint8Array(i % 2 === 0 ? 900 : 2).fill(i)))
  for (let i = 0; i < 12; i++) assert.equal((await reader.next())?.[0], i)
  await Promise.all(writes)
  local.abort(new Error('done'))

  const [stuck] = await streamPair()
  const sender = new FrameWriter(stuck, limits, clock)
  stuck.send = () => false // a window that never opens again
  const waiting = Array.from({ length: 10 }, async () => sender.write(new Uint8Array(900)))
  const failed = Promise.allSettled(waiting)
  await clock.advance(1)
  await clock.advance(WRITE_STALL_MS + 1)
  assert.ok((await failed).some((outcome) => outcome.status === 'rejected'))
  assert.equal(stuck.status, 'aborted')
  await assert.rejects(sender.write(Uint8Array.of(1)), { name: 'NetworkError' })
  assert.equal(sender.tryWrite(Uint8Array.of(1)), false)
})

test('what waits to be written is bounded, and a caller may give up waiting', async () => {
  const [local] = await streamPair()
  const writer = new FrameWriter(local, limits, new VirtualClock())
  local.send = () => false
  writer.tryWrite(Uint8Array.of(1))
  await Promise.resolve()
  let accepted = 0
  while (writer.tryWrite(new Uint8Array(1_000))) accepted++
  assert.equal(accepted, 4)
  const aborter = new AbortController()
  const waiting = writer.write(new Uint8Array(1_000), aborter.signal)
  aborter.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
  await assert.rejects(writer.write(new Uint8Array(1_001)), { name: 'LimitError' })
  local.abort(new Error('done'))
})
