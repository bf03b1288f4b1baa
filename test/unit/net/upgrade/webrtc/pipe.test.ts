/** The pipe over a channel: what it takes, what it sends, and what a peer may not do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ComponentLogger } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { concat, u32be } from '../../../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../../../src/lib/clock.ts'
import { Pipe, WINDOW_BYTES } from '../../../../../src/net/upgrade/webrtc/pipe.ts'

const ADDRESS = multiaddr('/ip4/21.0.0.2/udp/4000/webrtc')
const log = Object.assign(() => {}, { error() {}, trace() {}, enabled: false, newScope: () => log })
const logger = { forComponent: () => log } as unknown as ComponentLogger
const [DATA, CREDIT, END] = [0, 1, 2]

/** A pipe, and what it said to the channel. */
class End {
  readonly clock = new VirtualClock()
  readonly said: Uint8Array[] = []
  readonly pipe: Pipe
  got = 0
  closes = 0
  /** Where it is said to. */
  other: End | undefined

  constructor() {
    const meeting = {
      send: (data: Uint8Array) => {
        this.said.push(data)
        queueMicrotask(() => this.other?.pipe.received(data))
      },
      close: () => {
        if (this.closes++ > 0) return
        this.pipe.lost()
        queueMicrotask(() => this.other?.pipe.lost())
      },
    }
    this.pipe = new Pipe({ meeting, clock: this.clock, logger, remoteAddr: ADDRESS, direction: 'outbound' })
    this.pipe.addEventListener('message', ({ data }) => (this.got += data.byteLength))
  }

  saidOf(kind: number): readonly Uint8Array[] {
    return this.said.filter(([first]) => first === kind)
  }

  bytesSaid(): number {
    return this.saidOf(DATA).reduce((sum, data) => sum + data.length - 1, 0)
  }
}

const settled = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const data = (length: number): Uint8Array => new Uint8Array(1 + length)
const credit = (bytes: number): Uint8Array => concat(Uint8Array.of(CREDIT), u32be(bytes))

function pair(): readonly [End, End] {
  const [a, b] = [new End(), new End()]
  a.other = b
  b.other = a
  return [a, b]
}

test('NA-02 the pipe: messages of 16 KiB and less, and everything arrives', async () => {
  const [a, b] = pair()
  a.pipe.send(new Uint8Array(5 * WINDOW_BYTES))
  for (let rounds = 0; rounds < 200 && b.got < 5 * WINDOW_BYTES; rounds++) await settled()
  assert.equal(b.got, 5 * WINDOW_BYTES)
  assert.ok(a.said.every(({ length }) => length <= 16_384))
})

test('AS-08 the pipe: no more than the window goes out before the other end has taken something', async () => {
  const a = new End()
  assert.equal(a.pipe.send(new Uint8Array(3 * WINDOW_BYTES)), false)
  assert.equal(a.bytesSaid(), WINDOW_BYTES)
  a.pipe.received(credit(1_000))
  await settled()
  assert.equal(a.bytesSaid(), WINDOW_BYTES + 1_000)
})

test('AS-08 the pipe: who is paused takes nothing, so the sender stops at the window, and goes on afterwards', async () => {
  const [a, b] = pair()
  b.pipe.pause()
  a.pipe.send(new Uint8Array(2 * WINDOW_BYTES))
  for (let rounds = 0; rounds < 20; rounds++) await settled()
  assert.deepEqual([a.bytesSaid(), b.got, b.pipe.readBufferLength], [WINDOW_BYTES, 0, WINDOW_BYTES])
  b.pipe.resume()
  for (let rounds = 0; rounds < 100 && b.got < 2 * WINDOW_BYTES; rounds++) await settled()
  assert.equal(b.got, 2 * WINDOW_BYTES)
})

test('AS-08 the pipe: a window of single bytes, held while paused, is few pieces', () => {
  const { pipe } = new End()
  pipe.pause()
  for (let sent = 0; sent < 100_000; sent++) pipe.received(data(1))
  const { readBuffer } = pipe as unknown as { readonly readBuffer: Iterable<Uint8Array> }
  assert.equal(pipe.readBufferLength, 100_000)
  assert.ok([...readBuffer].length <= 512)
})

test('AS-08 SE-19 the pipe: more than the window, credit for what was not sent, empty or unknown messages: the peer is cut', () => {
  const over = (end: End): void => {
    end.pipe.pause()
    for (let sent = 0; sent <= WINDOW_BYTES; sent += 16_383) end.pipe.received(data(16_383))
  }
  const lies: readonly ((end: End) => void)[] = [
    over,
    (end) => end.pipe.received(credit(1)),
    (end) => end.pipe.received(credit(0)),
    (end) => end.pipe.received(data(0)),
    (end) => end.pipe.received(new Uint8Array(0)),
    (end) => end.pipe.received(Uint8Array.of(3)),
    (end) => end.pipe.received(Uint8Array.of(END, 0)),
    (end) => end.pipe.received(Uint8Array.of(CREDIT, 0, 0)),
  ]
  for (const lie of lies) {
    const end = new End()
    lie(end)
    assert.deepEqual([end.pipe.status, end.closes], ['aborted', 1], lie.toString())
  }
})

test('NA-02 the pipe: closed, it ends when the other end has everything; a silent peer is waited for two seconds', async () => {
  const [a, b] = pair()
  a.pipe.send(new Uint8Array(100_000))
  await a.pipe.close()
  await settled()
  assert.deepEqual([b.got, a.pipe.status, b.pipe.status, a.closes], [100_000, 'closed', 'closed', 1])
  const alone = new End()
  const closing = alone.pipe.close()
  await alone.clock.advance(2_000)
  await closing
  assert.deepEqual([alone.pipe.status, alone.closes, alone.saidOf(END).length], ['closed', 1, 1])
})

test('NA-02 the pipe: the channel is gone, and so is the connection', () => {
  const end = new End()
  end.pipe.lost()
  assert.equal(end.pipe.status, 'aborted')
})
