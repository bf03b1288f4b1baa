/** `session`: PQXDH and R1h beside libsignal's PQXDH and triple ratchet, in CPU time of this process. */
import { randomBytes } from 'node:crypto'
import { compared, cpuMs, interleave } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample, Turn } from './harness.ts'
import { libsignal } from './session-libsignal.ts'
import type { Keeping, Meeting, Sessions } from './session-sides.ts'
import { sotto } from './session-sotto.ts'

const NAME = 'session'
const PEER = 'libsignal-client 0.103'
/** Turns are short and many: what else the machine does then meets both sides alike. */
const TURNS_A_RUN = 3
/** The optimising compiler works beside us for the first few thousand messages, and its CPU time would count. */
const WARM_UPS = { first: 12, later: 3 }
const SET_UPS = 15
const BURST = 300
const PING_PONGS = 100
const MESSAGE_BYTES = 1_024

const message = (): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(MESSAGE_BYTES))

/** A pair that has exchanged three messages. */
async function introduced(side: Sessions, keeping: Keeping): Promise<Meeting> {
  const pair = await side.meeting(keeping)
  await pair.accept(await pair.begin(message()))
  await pair.a.open(await pair.b.seal(message()))
  await pair.b.open(await pair.a.seal(message()))
  return pair
}

/** Fresh keys for each set-up, made before the clock starts. */
async function setUps(side: Sessions): Promise<Sample> {
  const pairs = await Promise.all(Array.from({ length: SET_UPS }, async () => side.meeting('written')))
  const firsts: Uint8Array[] = []
  const begun = await cpuMs(async () => {
    for (const pair of pairs) firsts.push(await pair.begin(message()))
  })
  const accepted = await cpuMs(async () => {
    for (const [i, pair] of pairs.entries()) await pair.accept(firsts[i] ?? new Uint8Array())
  })
  return {
    begin: begun / SET_UPS,
    accept: accepted / SET_UPS,
    both: (begun + accepted) / SET_UPS,
    first: firsts[0]?.length ?? 0,
  }
}

/** Many messages one way. Sotto's sender has had one acknowledgement, as it has after the first round trip. */
async function burst(side: Sessions, keeping: Keeping): Promise<Sample> {
  const { a, b } = await introduced(side, keeping)
  await b.open(await a.seal(message()))
  if ('acknowledged' in a && typeof a.acknowledged === 'function') a.acknowledged()
  const plain = Array.from({ length: BURST }, message)
  const sealed: Uint8Array[] = []
  const sealing = await cpuMs(async () => {
    for (const text of plain) sealed.push(await a.seal(text))
  })
  const opening = await cpuMs(async () => {
    for (const envelope of sealed) await b.open(envelope)
  })
  return { encrypt: perSecond(BURST, sealing), decrypt: perSecond(BURST, opening), wire: sealed[0]?.length ?? 0 }
}

/** Every message answers the last one: for Sotto a full turn, an ML-KEM secret in every second. */
async function pingPong(side: Sessions, keeping: Keeping): Promise<Sample> {
  const { a, b } = await introduced(side, keeping)
  let stateBytes = 0
  const took = await cpuMs(async () => {
    for (let i = 0; i < PING_PONGS; i++) {
      await a.open(await b.seal(message()))
      await b.open(await a.seal(message()))
      stateBytes = Math.max(stateBytes, a.stateBytes, b.stateBytes)
    }
  })
  return { messages: perSecond(2 * PING_PONGS, took), stateBytes }
}

function perSecond(count: number, tookMs: number): number {
  return (count * 1_000) / tookMs
}

type Job = (side: Sessions) => Promise<Sample>

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  const both = async (text: string, job: Job, warmUps = WARM_UPS.later) => {
    note(text)
    const turnOf =
      (side: Sessions): Turn =>
      async () =>
        job(side)
    return interleave(runs * TURNS_A_RUN, turnOf(sotto), turnOf(libsignal), warmUps)
  }
  const started = await both('set-up', setUps)
  const kept = await both('burst', async (side) => burst(side, 'written'), WARM_UPS.first)
  const reread = await both('burst, session read anew', async (side) => burst(side, 'reread'))
  const held = await both('burst, session in memory', async (side) => burst(side, 'memory'))
  const talked = await both('ping-pong', async (side) => pingPong(side, 'written'))
  const talkedReread = await both('ping-pong, session read anew', async (side) => pingPong(side, 'reread'))
  const talkedHeld = await both('ping-pong, session in memory', async (side) => pingPong(side, 'memory'))
  const figure = (turns: typeof started, metric: string, key: string, unit: string, goal?: Goal): Figure =>
    compared(turns, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
  const atLeastPeer: Goal = { of: 'ratio', at: 'least', bound: 1 }
  return [
    figure(started, 'set-up, both sides', 'both', 'CPU ms', { of: 'ratio', at: 'most', bound: 1.5 }),
    figure(started, 'set-up, initiator', 'begin', 'CPU ms'),
    figure(started, 'set-up, responder', 'accept', 'CPU ms'),
    figure(kept, 'burst encrypt 1 KiB', 'encrypt', '/CPU s', atLeastPeer),
    figure(kept, 'burst decrypt 1 KiB', 'decrypt', '/CPU s', atLeastPeer),
    figure(reread, 'burst encrypt 1 KiB, session read anew', 'encrypt', '/CPU s'),
    figure(reread, 'burst decrypt 1 KiB, session read anew', 'decrypt', '/CPU s'),
    figure(held, 'burst encrypt 1 KiB, session in memory', 'encrypt', '/CPU s'),
    figure(held, 'burst decrypt 1 KiB, session in memory', 'decrypt', '/CPU s'),
    figure(talked, 'ping-pong 1 KiB, full turn each way', 'messages', 'msg/CPU s', atLeastPeer),
    figure(talkedReread, 'ping-pong 1 KiB, session read anew', 'messages', 'msg/CPU s'),
    figure(talkedHeld, 'ping-pong 1 KiB, session in memory', 'messages', 'msg/CPU s'),
    figure(talked, 'session state', 'stateBytes', 'B', { of: 'value', at: 'most', bound: 2_048 }),
    figure(started, 'first message, 1 KiB of text', 'first', 'B'),
    figure(kept, 'message of a burst, 1 KiB of text', 'wire', 'B'),
  ]
}

export const session: Bench = { name: NAME, run }
