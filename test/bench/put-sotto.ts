/**
 * A client that puts: `put-sotto HOLDERS [ADDRESSES [KNOWN]]`, with so many holders of its own process, and KNOWN in all. Orders: `put`,
 * warm, to mailboxes in turn; `put-read`, each to another mailbox, and read back until it is there.
 */
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import { Collector } from '../../src/services/mailbox/collect.ts'
import { OwnKeys } from '../../src/services/mailbox/own-keys.ts'
import { OwnerSessions } from '../../src/services/mailbox/sessions.ts'
import { cpuMs, inFlight, percentile } from './harness.ts'
import type { Sample } from './harness.ts'
import { SottoNetwork } from './network-sotto.ts'
import type { Client, Correspondent } from './network-sotto.ts'
import { KEYS, LANES } from './side-types.ts'
import type { BenchSide } from './side-types.ts'

interface PutTimes {
  readonly storedMs: number
  readonly wholeMs: number
}

async function put(client: Client, to: Correspondent): Promise<PutTimes> {
  const startMs = performance.now()
  const { letter, proof } = to.letter()
  let storedMs = Number.NaN
  let receipts = 0
  const onReceipt = (): void => {
    if (++receipts === WRITE_QUORUM) storedMs = performance.now() - startMs
  }
  const options = { exclude: [], onReceipt, signal: AbortSignal.timeout(60_000) }
  let deposit = await client.depositor.put(letter, proof, options)
  if (deposit.refused === 'lane') {
    // All who held the policy are gone: as the outbox does, with a stamp instead of a lane.
    const stamped = await client.depositor.stamp(letter, options.signal)
    deposit = await client.depositor.put(stamped, { kind: 2, body: { reserved: 0 } }, options)
  }
  if (deposit.receipts.length < WRITE_QUORUM)
    throw new Error(`${deposit.receipts.length} receipts, ${JSON.stringify(deposit.refusals)}`)
  return { storedMs, wholeMs: performance.now() - startMs }
}

async function warmPuts(client: Client, to: readonly Correspondent[], count: number): Promise<Sample> {
  const times: PutTimes[] = []
  const spent = await cpuMs(async () => {
    for (let i = 0; i < count; i++) times.push(await put(client, to[i % to.length] as Correspondent))
  })
  const stored = times.map(({ storedMs }) => storedMs)
  return {
    p50: percentile(stored, 50),
    p95: percentile(stored, 95),
    whole: percentile(
      times.map(({ wholeMs }) => wholeMs),
      50,
    ),
    cpu: spent / count,
  }
}

/** Stored, and then read by its owner, who knows nothing yet: until the first letter is in its hands. */
async function putAndRead(client: Client, to: Correspondent): Promise<readonly [putMs: number, readMs: number]> {
  const startMs = performance.now()
  await put(client, to)
  const putMs = performance.now() - startMs
  await new Promise<void>((resolve, reject) => {
    const { deps, zones } = client
    const keys = new OwnKeys(deps.crypto, deps.profile, [to.mailboxSeed], deps.clock.now())
    const tombstones = { bury: async () => {}, again: () => false }
    const rooms = { zones, sessions: new OwnerSessions(deps), tombstones, keys }
    const collector = new Collector(deps, rooms, async () => {
      resolve()
      return { kind: 'keep' }
    })
    collector
      .sweepMailbox(to.key, AbortSignal.timeout(60_000))
      .then(() => reject(new Error('the letter was not found')), reject)
  })
  return [putMs, performance.now() - startMs - putMs]
}

async function coldPutsAndReads(client: Client, to: readonly Correspondent[], count: number): Promise<Sample> {
  const puts: number[] = []
  const reads: number[] = []
  await inFlight(count, LANES, async (i) => {
    const [putMs, readMs] = await putAndRead(client, to[i % to.length] as Correspondent)
    puts.push(putMs)
    reads.push(readMs)
  })
  return {
    put50: percentile(puts, 50),
    put95: percentile(puts, 95),
    read50: percentile(reads, 50),
    read95: percentile(reads, 95),
  }
}

export async function open([holders = '', join = '', known = holders]: readonly string[]): Promise<BenchSide> {
  const network = await SottoNetwork.open(Number(holders), join)
  const client = await network.client(Math.min(20, Number(known)))
  const to = await client.correspondents(KEYS)
  return {
    info: network.info,
    turn: async (order, count) => (order === 'put' ? warmPuts : coldPutsAndReads)(client, to, count),
    close: async () => network.close(),
  }
}
