/** Sotto's side of the network benches: real hosts and holders on loopback, each with a LevelDB of its own. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nativeProvider as crypto } from '../../src/crypto/native.ts'
import { systemClock as clock } from '../../src/lib/clock.ts'
import { silentLogger as log } from '../../src/lib/log.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { systemRng as rng } from '../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import { Host } from '../../src/net/host.ts'
import { positions, publicKeyOfPeerId } from '../../src/net/peer-id.ts'
import {
  commitmentOf,
  epochKey,
  epochOf,
  expiryHour,
  laneOf,
  laneProof,
  letterId,
} from '../../src/protocol/mailbox-rules.ts'
import type { EpochKey } from '../../src/protocol/mailbox-rules.ts'
import { Distrust } from '../../src/services/distrust/distrust.ts'
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

/** Nobody sweeps in the middle of a measurement. */
const profile = { ...LOCAL, collectIntervalMs: HOUR_MS }
/** Of the size classes, 4 KiB. */
const SIZE_CLASS = 1
const CIPHERTEXT_BYTES = 4_096
const JOIN_MS = 600_000
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

/** The hosts of this process, in a directory that goes with them. */
export class SottoNetwork {
  readonly #dir: string
  readonly #closing: (() => Promise<void>)[] = []
  #bootstrap: readonly string[]
  #count = 0

  private constructor(dir: string, bootstrap: readonly string[]) {
    this.#dir = dir
    this.#bootstrap = bootstrap
  }

  /** `holders` of them, one after another; `join` are multiaddrs of others, separated by blanks, or nothing. */
  static async open(holders: number, join_ = ''): Promise<SottoNetwork> {
    const dir = await mkdtemp(join(tmpdir(), 'sotto-bench-'))
    const network = new SottoNetwork(dir, join_ === '' ? [] : join_.split(' '))
    for (let i = 0; i < holders; i++) await network.host(true)
    return network
  }

  /** Where others join. */
  get info(): string {
    return this.#bootstrap.join(' ')
  }

  async host(holds: boolean): Promise<Host> {
    const dir = join(this.#dir, String(this.#count++))
    await mkdir(dir)
    const host = await Host.create({
      keyFile: join(dir, 'node.key'),
      cacheFile: join(dir, 'peers'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap: this.#bootstrap,
      role: 'peer',
      profile,
      crypto,
      clock,
      rng,
      log,
    })
    if (holds) await this.#hold(host, dir)
    await host.start()
    this.#closing.push(async () => host.stop())
    if (this.#bootstrap.length === 0) this.#bootstrap = host.listening()
    return host
  }

  /** A host that holds nothing and knows `count` holders, and what the mailbox rooms need of it. */
  async client(count: number): Promise<Client> {
    const host = await this.host(false)
    const endMs = performance.now() + JOIN_MS
    while (host.routing.known(new Uint8Array(32), count).length < count) {
      if (performance.now() > endMs) throw new Error(`the client does not know ${count} holders after ${JOIN_MS} ms`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return new Client(host)
  }

  async close(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close()
    await rm(this.#dir, { recursive: true, force: true })
  }

  async #hold(host: Host, dir: string): Promise<void> {
    const database = await Database.open(join(dir, 'held'))
    const held = await HeldStore.open(database, crypto, rng)
    const service = new HolderService(
      {
        clock,
        crypto,
        held,
        routing: host.routing,
        signer: host.signer,
        stamps: new StampVerifier(crypto, clock),
        profile,
        onLeaving() {},
        log,
      },
      QUOTAS,
    )
    service.start()
    await host.setHolderHandler(service.handle)
    this.#closing.push(async () => {
      await service.stop()
      await database.close()
    })
  }
}

/** Our own side of the holders: the product's rooms on a host. */
export class Client {
  readonly deps: MailDeps
  readonly zones: Zones
  readonly cards: Cards
  readonly stamps = new LetterStamps(crypto, stampSolver(crypto, rng), clock)
  readonly depositor: Depositor

  constructor(host: Host) {
    const peers = { publicKey: publicKeyOfPeerId, position: positions((bytes) => crypto.sha256(bytes)) }
    const distrust = new Distrust({ clock, log })
    const { holderNetwork: network, routing } = host
    this.deps = { clock, rng, crypto, network, routing, peers, distrust, profile, log }
    this.zones = new Zones(this.deps)
    this.cards = new Cards(this.deps, this.zones)
    this.depositor = new Depositor(this.deps, this.zones, this.cards, this.stamps)
  }

  /** Correspondents whose policies stand at their mailboxes. */
  async correspondents(count: number): Promise<readonly Correspondent[]> {
    const made = Array.from({ length: count }, () => new Correspondent())
    for (const { mailboxSeed, laneSeed } of made) {
      const order = { mailboxSeed, number: 1, stampBits: 0, laneSeeds: [laneSeed] }
      await this.cards.publishPolicies(order, AbortSignal.timeout(JOIN_MS))
    }
    return made
  }
}

/** A mailbox of somebody else's, and the lane that we were given for it. */
export class Correspondent {
  readonly mailboxSeed = rng.bytes(32)
  readonly laneSeed = rng.bytes(32)
  readonly #epoch = epochOf(clock.now(), profile)
  readonly key: EpochKey = epochKey(crypto, this.mailboxSeed, this.#epoch)

  /** A new one, and what proves that we may write it. */
  letter(): { readonly letter: Letter; readonly id: Uint8Array; readonly proof: Parameters<Depositor['put']>[1] } {
    const letter: Letter = {
      version: 1,
      kind: 1,
      address: this.key.address,
      lane: laneOf(crypto, this.laneSeed, this.#epoch),
      expiry: expiryHour(clock.now(), 30 * DAY_MS),
      sizeClass: SIZE_CLASS,
      commitment: commitmentOf(crypto, rng.bytes(16)),
      stamp: { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: rng.bytes(CIPHERTEXT_BYTES),
    }
    const id = letterId(crypto, letter)
    return { letter, id, proof: { kind: 1, body: laneProof(crypto, this.laneSeed, this.#epoch, id) } }
  }
}
