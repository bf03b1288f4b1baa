/** Sotto's side of the put bench: real hosts and holders on loopback, each with a LevelDB of its own. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nativeProvider as crypto } from '../../src/crypto/native.ts'
import { systemClock as clock } from '../../src/lib/clock.ts'
import { silentLogger as log } from '../../src/lib/log.ts'
import { LOCAL as profile } from '../../src/lib/network-profile.ts'
import { systemRng as rng } from '../../src/lib/rng.ts'
import { Host } from '../../src/net/host.ts'
import { positions, publicKeyOfPeerId } from '../../src/net/peer-id.ts'
import {
  commitmentOf,
  DAY_MS,
  epochKey,
  epochOf,
  expiryHour,
  laneOf,
  laneProof,
  letterId,
} from '../../src/protocol/mailbox-rules.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import { DEFAULT_QUOTAS } from '../../src/services/holder/quotas.ts'
import { HolderService } from '../../src/services/holder/serve.ts'
import { Cards } from '../../src/services/mailbox/cards.ts'
import { Depositor } from '../../src/services/mailbox/deposit.ts'
import type { MailDeps } from '../../src/services/mailbox/deps.ts'
import { Zones } from '../../src/services/mailbox/zones.ts'
import { LetterStamps, stampSolver } from '../../src/services/stamps/solver.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { Database } from '../../src/store/database.ts'
import { HeldStore } from '../../src/store/held.ts'
import type { Letter } from '../../src/wire/letter.ts'
import { KEYS } from './put-sides.ts'
import type { PutSide, PutTimes } from './put-sides.ts'

/** Of the size classes, 4 KiB. */
const SIZE_CLASS = 1
const CIPHERTEXT_BYTES = 4_096
const JOIN_MS = 60_000
const MANY = 1_000_000_000
/** What a client of the world may do in an hour this one does in seconds. */
const QUOTAS = {
  ...DEFAULT_QUOTAS,
  mailboxRecords: MANY,
  mailboxBytes: MANY,
  laneLettersPerDay: MANY,
  laneBytes: MANY,
  sourcePutsPerSecond: MANY,
  sourcePutsBurst: MANY,
  sourceBytesPerHour: 1_000 * MANY,
  sourceRequestsPerSecond: MANY,
  sourceRequestsBurst: MANY,
}

type Closing = () => Promise<void>

async function newHost(dir: string, bootstrap: readonly string[], closing: Closing[], holds: boolean): Promise<Host> {
  await mkdir(dir)
  const host = await Host.create({
    keyFile: join(dir, 'node.key'),
    cacheFile: join(dir, 'peers'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    bootstrap,
    profile,
    crypto,
    clock,
    rng,
    log,
  })
  if (holds) await hold(host, dir, closing)
  await host.start()
  closing.push(async () => host.stop())
  return host
}

async function hold(host: Host, dir: string, closing: Closing[]): Promise<void> {
  const database = await Database.open(join(dir, 'held'))
  const held = await HeldStore.open(database, crypto, rng)
  const stamps = new StampVerifier(crypto, clock)
  const deps = { clock, crypto, held, routing: host.routing, signer: host.signer, stamps, profile, log }
  const service = new HolderService(deps, QUOTAS)
  service.start()
  await host.setHolderHandler(service.handle)
  closing.push(async () => {
    await service.stop()
    await database.close()
  })
}

async function untilKnown(host: Host, count: number): Promise<void> {
  const endMs = performance.now() + JOIN_MS
  while (host.routing.known(new Uint8Array(32), count).length < count) {
    if (performance.now() > endMs) throw new Error(`the client does not know ${count} holders after ${JOIN_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A mailbox of somebody else's, and the lane that we were given for it. */
class Correspondent {
  readonly mailboxSeed = rng.bytes(32)
  readonly laneSeed = rng.bytes(32)
  readonly #epoch = epochOf(clock.now(), profile)
  readonly #address = epochKey(crypto, this.mailboxSeed, this.#epoch).address

  letter(): { letter: Letter; proof: Parameters<Depositor['put']>[1] } {
    const letter: Letter = {
      version: 1,
      kind: 1,
      address: this.#address,
      lane: laneOf(crypto, this.laneSeed, this.#epoch),
      expiry: expiryHour(clock.now(), 30 * DAY_MS),
      sizeClass: SIZE_CLASS,
      commitment: commitmentOf(crypto, rng.bytes(16)),
      stamp: { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: rng.bytes(CIPHERTEXT_BYTES),
    }
    const proof = laneProof(crypto, this.laneSeed, this.#epoch, letterId(crypto, letter))
    return { letter, proof: { kind: 1, body: proof } }
  }
}

class Client implements PutSide {
  readonly #depositor: Depositor
  readonly #to: readonly Correspondent[]
  readonly #close: Closing
  readonly #signal = new AbortController().signal

  constructor(depositor: Depositor, to: readonly Correspondent[], close: Closing) {
    this.#depositor = depositor
    this.#to = to
    this.#close = close
  }

  async put(index: number): Promise<PutTimes> {
    const startMs = performance.now()
    const made = this.#to[index % this.#to.length]?.letter()
    if (made === undefined) throw new Error('there is nobody to write to')
    let storedMs = Number.NaN
    let receipts = 0
    const onReceipt = (): void => {
      if (++receipts === WRITE_QUORUM) storedMs = performance.now() - startMs
    }
    const options = { exclude: [], onReceipt, signal: this.#signal }
    const deposit = await this.#depositor.put(made.letter, made.proof, options)
    if (deposit.receipts.length < 5)
      throw new Error(`${deposit.receipts.length} receipts, ${JSON.stringify(deposit.refusals)}`)
    return { storedMs, wholeMs: performance.now() - startMs }
  }

  async close(): Promise<void> {
    await this.#close()
  }
}

/** `nodes` holders and a client that has published what its correspondents allow. */
export async function openSotto(nodes: number): Promise<PutSide> {
  const dir = await mkdtemp(join(tmpdir(), 'sotto-bench-put-'))
  const closing: Closing[] = []
  const first = await newHost(join(dir, '0'), [], closing, true)
  const bootstrap = first.listening()
  for (let i = 1; i < nodes; i++) await newHost(join(dir, String(i)), bootstrap, closing, true)
  const host = await newHost(join(dir, 'client'), bootstrap, closing, false)
  await untilKnown(host, Math.min(20, nodes))
  const peers = { publicKey: publicKeyOfPeerId, position: positions((bytes) => crypto.sha256(bytes)) }
  const deps: MailDeps = { clock, rng, crypto, network: host.holderNetwork, routing: host.routing, peers, profile, log }
  const zones = new Zones(deps)
  const cards = new Cards(deps, zones)
  const depositor = new Depositor(deps, zones, cards, new LetterStamps(crypto, stampSolver(crypto, rng), clock))
  const to = Array.from({ length: KEYS }, () => new Correspondent())
  for (const { mailboxSeed, laneSeed } of to) {
    const order = { mailboxSeed, number: 1, stampBits: 0, laneSeeds: [laneSeed] }
    await cards.publishPolicies(order, AbortSignal.timeout(JOIN_MS))
  }
  return new Client(depositor, to, async () => {
    for (const close of closing.toReversed()) await close()
    await rm(dir, { recursive: true, force: true })
  })
}
