/**
 * Holders with all their duties (the product's own, each on a LevelDB of its own) around one ring, in virtual time. Every
 * frame passes the codec and is counted; a holder can be taken down, cut off, made to lie, or given a full disk.
 */
import { join } from 'node:path'
import { nativeProvider } from '../../src/crypto/native.ts'
import { holderRole } from '../../src/daemon/holder-role.ts'
import type { HolderRole } from '../../src/daemon/holder-role.ts'
import { fromHex, toHex, utf8 } from '../../src/lib/bytes.ts'
import { NetworkError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { ownerProof } from '../../src/protocol/mailbox-proofs.ts'
import {
  commitmentOf,
  epochKey,
  epochOf,
  expiryHour,
  laneOf,
  laneProof,
  letterId,
  nameOfLetter,
  policyExpiryHour,
  signPolicy,
} from '../../src/protocol/mailbox-rules.ts'
import type { EpochKey } from '../../src/protocol/mailbox-rules.ts'
import { byDistance, placement } from '../../src/protocol/replicas.ts'
import { Distrust } from '../../src/services/distrust/distrust.ts'
import { DEFAULT_QUOTAS } from '../../src/services/holder/quotas.ts'
import type { HolderCaller, HolderLink, HolderNetwork, Routing } from '../../src/services/ports.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { HeldStore } from '../../src/store/held.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import {
  ANSWER_KIND,
  HOLDER_FRAME_BYTES_MAX,
  HOLDER_STATUS,
  HOLDER_VERB,
  holderClientFrameCodec,
  holderServerFrameCodec,
  TOMBSTONES_MAX,
} from '../../src/wire/holder.ts'
import type { CardRecord, HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { Deposit, Letter, Rung, Tombstone } from '../../src/wire/letter.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { Disk, SimClock, simCrypto, temporaryDirectory } from './sim.ts'

export const PROFILE = { stampBits: 0, repairIntervalMs: HOUR_MS, diversity: true, epochMs: 7 * 24 * HOUR_MS } as const
const SIZES = [2_048, 4_096, 8_192, 16_384, 65_536] as const

/** What a liar answers instead. */
export type Lie = (
  request: HolderRequest,
  honest: () => Promise<HolderResponse>,
  from: string,
) => Promise<HolderResponse>

const positionOf = (peerId: string): Uint8Array => nativeProvider.sha256(utf8(peerId))

export class RepairHolder {
  readonly peerId: string
  readonly seed: Uint8Array
  readonly path: string
  readonly world: RepairWorld
  readonly listeners = new Set<(peerId: string, connected: boolean) => void>()
  up = false
  lie: Lie | undefined
  /** Peers that it cannot reach, nor they it. */
  readonly cut = new Set<string>()
  disk!: Disk
  held!: HeldStore
  duties!: HolderRole
  distrust!: Distrust

  constructor(world: RepairWorld, name: string) {
    this.world = world
    this.seed = world.rng.bytes(32)
    this.peerId = `peer-${toHex(nativeProvider.ed25519PublicKey(this.seed))}`
    this.path = join(world.directory.path, name)
  }

  async start(): Promise<void> {
    const { clock, rng, crypto } = this.world
    this.disk = await Disk.open(clock, this.path)
    this.held = await HeldStore.open(this.disk.database, crypto, rng)
    this.distrust = new Distrust({ clock, log: silentLogger })
    this.duties = holderRole(
      {
        clock,
        rng,
        crypto,
        held: this.held,
        network: this.#network(),
        routing: this.#routing(),
        peers: { publicKey: (peerId) => fromHex(peerId.slice(5)), position: positionOf },
        signer: { peerId: this.peerId, sign: (message) => crypto.ed25519Sign(this.seed, message) },
        stamps: new StampVerifier(crypto, clock),
        distrust: this.distrust,
        profile: PROFILE,
        log: silentLogger,
      },
      this.world.quotas,
    )
    this.up = true
    this.duties.opened(true)
    await this.duties.start()
    this.world.changed(this, true)
  }

  /** Gone without a word; the disk stays as it is. */
  async crash(): Promise<void> {
    this.up = false
    this.world.changed(this, false)
    await this.world.clock.during(Promise.resolve(this.duties.stop()))
    await this.disk.release()
  }

  /** Stops as a daemon does that is told to. */
  async leave(): Promise<void> {
    await this.world.clock.during(this.duties.leave())
    await this.crash()
  }

  /** Off the network and on again, with everything running. */
  unplug(): void {
    this.up = false
    this.world.changed(this, false)
  }

  plug(): void {
    this.up = true
    this.world.changed(this, true)
  }

  /** Runs one round of repair now. */
  async repair(): Promise<void> {
    await this.world.clock.during(this.duties.repairer.runRound(), 2 * HOUR_MS)
  }

  async serve(caller: HolderCaller, request: HolderRequest): Promise<HolderResponse> {
    const honest = async (): Promise<HolderResponse> => this.duties.handle(caller, request)
    return this.lie === undefined ? honest() : this.lie(request, honest, caller.peerId)
  }

  /** As some client asks it, over a stream of that client's own. */
  async ask(request: HolderRequest, name = 'client'): Promise<HolderResponse> {
    return this.world.clock.during(this.world.link(this, name).request(request, new AbortController().signal))
  }

  async has(id: Uint8Array): Promise<boolean> {
    return (await this.held.stateOf(id)) === 'known'
  }

  #network(): Pick<HolderNetwork, 'link' | 'onPeerChange'> {
    return {
      link: async (peer) => {
        const other = this.world.holder(peer.id)
        if (!this.reaches(other)) throw new NetworkError('unreachable')
        return this.world.link(other, this.peerId)
      },
      onPeerChange: (listener) => {
        this.listeners.add(listener)
        return () => {
          this.listeners.delete(listener)
        }
      },
    }
  }

  #routing(): Pick<Routing, 'self' | 'closest' | 'known' | 'learn' | 'evict'> {
    const near = (target: Uint8Array, count: number): PeerRecord[] =>
      this.world.near(target, (other) => other !== this && this.reaches(other)).slice(0, count)
    return {
      self: () => ({ id: this.peerId, addresses: [] }),
      closest: async (target, count) => near(target, count),
      known: near,
      learn() {},
      evict() {},
    }
  }

  reaches(other: RepairHolder): boolean {
    return this.up && other.up && !this.cut.has(other.peerId) && !other.cut.has(this.peerId)
  }
}

export class RepairWorld {
  readonly clock = new SimClock()
  readonly crypto = simCrypto(this.clock, nativeProvider)
  readonly directory = temporaryDirectory()
  readonly holders: RepairHolder[] = []
  readonly quotas = {
    ...DEFAULT_QUOTAS,
    sourceRequestsPerSecond: 1e6,
    sourceRequestsBurst: 1e6,
    laneLettersPerDay: 1e6,
  }
  readonly rng: ReturnType<typeof seededRng>
  /** Requests so far: from, to (peer ids) and verb. */
  readonly requests: { readonly from: string; readonly to: string; readonly verb: number; readonly bytes: number }[] =
    []

  private constructor(seed: number) {
    this.rng = seededRng(seed)
  }

  static async create(count: number, seed = 1): Promise<RepairWorld> {
    const world = new RepairWorld(seed)
    for (let i = 0; i < count; i++) await world.add()
    return world
  }

  async add(): Promise<RepairHolder> {
    const holder = new RepairHolder(this, `holder-${this.holders.length}`)
    await holder.start()
    this.holders.push(holder)
    return holder
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const holder of this.holders) if (!holder.disk.dead) await holder.crash()
    this.directory.remove()
  }

  holder(peerId: string): RepairHolder {
    const found = this.holders.find((candidate) => candidate.peerId === peerId)
    if (found === undefined) throw new NetworkError('no such peer')
    return found
  }

  changed(holder: RepairHolder, connected: boolean): void {
    for (const other of this.holders) {
      if (other === holder || !other.up) continue
      for (const listener of other.listeners) listener(holder.peerId, connected)
      if (connected) for (const listener of holder.listeners) listener(other.peerId, true)
    }
  }

  near(target: Uint8Array, wanted: (holder: RepairHolder) => boolean): PeerRecord[] {
    const placed = this.holders.filter(wanted).map(({ peerId }) => ({ peerId, position: positionOf(peerId) }))
    return byDistance(target, placed).map(({ peerId }) => ({ id: peerId, addresses: [] }))
  }

  /** Everyone who is up, nearest to the address first. */
  order(address: Uint8Array): RepairHolder[] {
    return this.near(placement(this.crypto, address), ({ up }) => up).map(({ id }) => this.holder(id))
  }

  async holdersOf(id: Uint8Array): Promise<RepairHolder[]> {
    const found: RepairHolder[] = []
    for (const holder of this.holders) if (holder.up && (await holder.has(id))) found.push(holder)
    return found
  }

  link(to: RepairHolder, from: string): HolderLink {
    const challenge = this.rng.bytes(32)
    const caller: HolderCaller = {
      peerId: from,
      ip: undefined,
      challenge,
      opened: new Set(),
      push: () => true,
      onClose() {},
    }
    return {
      peerId: to.peerId,
      challenge,
      get alive() {
        return to.up
      },
      request: async (request, signal) => {
        signal.throwIfAborted()
        if (!to.up) throw new NetworkError('the stream is gone')
        const sent = encode(holderClientFrameCodec, { id: 1, request })
        this.requests.push({ from, to: to.peerId, verb: request.kind, bytes: sent.length })
        if (sent.length > HOLDER_FRAME_BYTES_MAX) throw new NetworkError('frame too large')
        const response = await orAborted(to.serve(caller, decode(holderClientFrameCodec, sent).request), signal)
        const answer = encode(holderServerFrameCodec, { kind: 2, body: { id: 1, response } })
        if (answer.length > HOLDER_FRAME_BYTES_MAX) throw new NetworkError('frame too large')
        if (!to.up) throw new NetworkError('the stream is gone')
        const back = decode(holderServerFrameCodec, answer)
        if (back.kind !== 2) throw new NetworkError('not an answer')
        return back.body.response
      },
    }
  }

  /** Lets the owner of the mailbox fetch what `holder` has of these. */
  async fetch(holder: RepairHolder, mailbox: Mailbox, ids: readonly Uint8Array[]): Promise<readonly Deposit[]> {
    const { key } = mailbox
    return this.clock.during(
      (async () => {
        const link = this.link(holder, 'owner')
        const { signal } = new AbortController()
        const proof = await ownerProof(this.crypto, key, link.challenge, holder.peerId)
        await link.request({ kind: HOLDER_VERB.open, body: { address: key.address, proof } }, signal)
        const { answer } = await link.request(
          { kind: HOLDER_VERB.get, body: { address: key.address, ids: [...ids] } },
          signal,
        )
        return answer.kind === ANSWER_KIND.letters ? answer.body.letters : []
      })(),
    )
  }

  async mailbox(): Promise<Mailbox> {
    const laneSeed = this.rng.bytes(32)
    const epoch = epochOf(this.clock.now(), PROFILE)
    const key = epochKey(this.crypto, this.rng.bytes(32), epoch)
    return { key, epoch, laneSeed, address: key.address, policy: await this.policy(key, epoch, laneSeed, 1) }
  }

  async policy(key: EpochKey, epoch: number, laneSeed: Uint8Array, number: number): Promise<CardRecord> {
    const expiry = policyExpiryHour(epoch, PROFILE)
    const lanes = [laneOf(this.crypto, laneSeed, epoch)]
    const filler = this.rng.bytes(16 * 255)
    const plan = { key, number, expiry, stampBits: 0, lanes, filler }
    return { kind: 3, body: await this.clock.during(signPolicy(this.crypto, plan)) }
  }

  letter(
    mailbox: Mailbox,
    options: { readonly lifeMs?: number; readonly sizeClass?: 0 | 1 | 2 | 3 | 4 } = {},
  ): MadeLetter {
    const preimage = this.rng.bytes(16)
    const sizeClass = options.sizeClass ?? 0
    const letter: Letter = {
      version: 1,
      kind: 1,
      address: mailbox.address,
      lane: laneOf(this.crypto, mailbox.laneSeed, mailbox.epoch),
      expiry: expiryHour(this.clock.now(), options.lifeMs ?? 20 * 24 * HOUR_MS),
      sizeClass,
      commitment: commitmentOf(this.crypto, preimage),
      stamp: { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: this.rng.bytes(SIZES[sizeClass]),
    }
    const id = letterId(this.crypto, letter)
    const proof = { kind: 1, body: laneProof(this.crypto, mailbox.laneSeed, mailbox.epoch, id) } as const
    return { id, letter, proof, tombstone: { ...nameOfLetter(this.crypto, letter), preimage, proof } }
  }

  /** Puts a policy and letters on these holders, as a writer does. */
  async deposit(
    mailbox: Mailbox,
    letters: readonly MadeLetter[],
    holders: readonly RepairHolder[],
    rung: Rung = 0,
  ): Promise<void> {
    const requests: HolderRequest[] = letters.map(({ letter, proof }) => {
      return { kind: HOLDER_VERB.put, body: { letter, proof, rung } }
    })
    await this.#each(holders, [{ kind: HOLDER_VERB.putCard, body: mailbox.policy }])
    await this.#each(holders, requests)
  }

  async bury(letters: readonly MadeLetter[], holders: readonly RepairHolder[]): Promise<void> {
    const requests: HolderRequest[] = []
    for (let at = 0; at < letters.length; at += TOMBSTONES_MAX) {
      const tombstones = letters.slice(at, at + TOMBSTONES_MAX).map(({ tombstone }) => tombstone)
      requests.push({ kind: HOLDER_VERB.tomb, body: { tombstones } })
    }
    await this.#each(holders, requests)
  }

  /** Every request to every holder. Rations are per source: nobody here is to feel them. */
  async #each(holders: readonly RepairHolder[], requests: readonly HolderRequest[]): Promise<void> {
    const { signal } = new AbortController()
    const asked = holders.flatMap((holder) =>
      requests.map(async (request) => {
        const { status } = await this.link(holder, `writer-${toHex(this.rng.bytes(4))}`).request(request, signal)
        if (status !== HOLDER_STATUS.ok) throw new Error(`status ${status}`)
      }),
    )
    await this.clock.during(Promise.all(asked))
  }
}

export interface Mailbox {
  readonly key: EpochKey
  readonly epoch: number
  readonly laneSeed: Uint8Array
  readonly address: Uint8Array
  readonly policy: CardRecord
}

export interface MadeLetter {
  readonly id: Uint8Array
  readonly letter: Letter
  readonly proof: Deposit['proof']
  readonly tombstone: Tombstone
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => {
    aborted.reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
