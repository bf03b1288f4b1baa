import { test } from 'node:test'
import assert from 'node:assert/strict'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { concat, u32be } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { AnswerBudget } from '../../../src/net/holders/answer-budget.ts'
import { HolderServer } from '../../../src/net/holders/holder-server.ts'
import { HOLDER_ANSWERS_BYTES_MAX, HOLDER_BACKLOG_BYTES_MAX, protocolsOf } from '../../../src/net/protocols.ts'
import { encode } from '../../../src/wire/codec.ts'
import {
  ANSWER_KIND,
  HOLDER_STATUS,
  HOLDER_VERB,
  holderClientFrameCodec,
  holderServerFrameCodec,
} from '../../../src/wire/holder.ts'
import type { HolderResponse } from '../../../src/wire/holder.ts'
import { until } from './hosts.ts'

const limits = protocolsOf('local').holder
const LETTER = {
  version: 1,
  kind: 2,
  address: new Uint8Array(32),
  lane: new Uint8Array(16),
  expiry: 1,
  sizeClass: 3,
  commitment: new Uint8Array(32),
  stamp: { bits: 4, nonce: new Uint8Array(16) },
  ciphertext: new Uint8Array(65_536),
} as const
const DEPOSIT = { letter: LETTER, proof: { kind: 2, body: { reserved: 0 } } } as const
const LARGE: HolderResponse = {
  status: HOLDER_STATUS.ok,
  answer: { kind: ANSWER_KIND.letters, body: { letters: [DEPOSIT, DEPOSIT, DEPOSIT] } },
  closer: [],
}
const ANSWER_BYTES = encode(holderServerFrameCodec, { kind: 2, body: { id: 1, response: LARGE } }).length

interface Line {
  readonly stream: Stream
  /** Requests from the other end. */
  ask(count: number): void
  /** The other end reads everything that waits. */
  read(): void
}

/** A stream whose other end takes nothing until it is told to. */
async function unreadLine(server: HolderServer): Promise<Line> {
  const [remote, stream] = await streamPair()
  let heldBytes = 0
  stream.send = (bytes) => {
    heldBytes += bytes.byteLength
    return false
  }
  Object.defineProperty(stream, 'writeBufferLength', { get: () => (stream.status === 'open' ? heldBytes : 0) })
  const key = await generateKeyPairFromSeed('Ed25519', seededRng(1).bytes(32))
  const connection = { remotePeer: peerIdFromPrivateKey(key), remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1') }
  void server.serve(stream, connection as unknown as Connection)
  let id = 0
  return {
    stream,
    ask(count) {
      for (let i = 0; i < count; i++) {
        const body = { address: new Uint8Array(32), ids: [new Uint8Array(32)] }
        const frame = encode(holderClientFrameCodec, { id: ++id, request: { kind: HOLDER_VERB.get, body } })
        remote.send(concat(u32be(frame.length), frame))
      }
    },
    read() {
      heldBytes = 0
      stream.dispatchEvent(new Event('drain'))
    },
  }
}

function newServer(answersBytesMax: number, onCall: () => void): HolderServer {
  return new HolderServer({
    limits,
    clock: new VirtualClock(),
    rng: seededRng(2),
    log: silentLogger,
    answersBytesMax,
    puzzle: new Uint8Array(16),
    handler: async () => {
      onCall()
      return LARGE
    },
  })
}

const settled = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60))

test('AS-08 whoever asks and does not read is asked no further until it reads', async () => {
  let calls = 0
  const server = newServer(HOLDER_ANSWERS_BYTES_MAX, () => calls++)
  const line = await unreadLine(server)
  line.read() // the greeting
  line.ask(100)
  await settled()
  assert.ok(calls > 0 && calls * ANSWER_BYTES <= HOLDER_BACKLOG_BYTES_MAX + ANSWER_BYTES, `${calls} answers wait`)
  const reading = setInterval(() => {
    line.read()
  }, 2)
  await until(() => calls === 100).finally(() => {
    clearInterval(reading)
  })
  server.stop()
})

test('AS-08 above the budget of waiting answers the slowest stream is closed, the others are served on', async () => {
  let calls = 0
  const server = newServer(3.5 * ANSWER_BYTES, () => calls++)
  const [slowest, slow, good] = [await unreadLine(server), await unreadLine(server), await unreadLine(server)]
  for (const line of [slowest, slow, good]) line.read()
  for (const line of [slowest, slow]) {
    line.ask(1)
    await settled()
  }
  for (let i = 1; i <= 4; i++) {
    good.ask(1)
    await until(() => calls === i + 2)
    await settled()
    good.read()
  }
  assert.deepEqual([slowest.stream.status, slow.stream.status, good.stream.status], ['open', 'open', 'open'])
  slow.ask(2)
  await until(() => calls === 8)
  await until(() => slowest.stream.status !== 'open')
  assert.deepEqual([slow.stream.status, good.stream.status], ['open', 'open'])
  server.stop()
})

test('the budget counts from when a backlog began: who emptied it meanwhile is not the slowest', () => {
  const closed: string[] = []
  const session = (name: string) => ({
    backlogBytes: 0,
    close(): void {
      closed.push(name)
    },
  })
  const [a, b, c] = [session('a'), session('b'), session('c')]
  const budget = new AnswerBudget(10)
  const write = (to: { backlogBytes: number }, bytes: number): void => {
    budget.run(to as typeof a, () => {
      to.backlogBytes += bytes
    })
  }
  write(a, 4)
  write(b, 4)
  a.backlogBytes = 0 // it read
  write(a, 4)
  assert.deepEqual(closed, [])
  write(c, 4)
  assert.deepEqual(closed, ['b'])
  budget.drop(b)
  write(c, 1)
  assert.deepEqual(closed, ['b'], 'who is gone does not count')
})
