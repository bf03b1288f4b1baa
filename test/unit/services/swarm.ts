/**
 * Real holder services (their own LevelDB each, real crypto) behind an in-process network that passes every frame through
 * the codec. Peers can be taken down, made to hang, or replaced by a liar.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { fromHex, toHex, utf8 } from '../../../src/lib/bytes.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { NetworkError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import type { Rng } from '../../../src/lib/rng.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { byDistance } from '../../../src/protocol/replicas.ts'
import {
  commitmentOf,
  epochKey,
  epochOf,
  expiryHour,
  laneOf,
  laneProof,
  idOfName,
  nameOfLetter,
} from '../../../src/protocol/mailbox-rules.ts'
import { HolderService } from '../../../src/services/holder/serve.ts'
import { DEFAULT_QUOTAS } from '../../../src/services/holder/quotas.ts'
import type { QuotaLimits } from '../../../src/services/holder/quotas.ts'
import { Mailbox } from '../../../src/services/mailbox/mailbox.ts'
import type { LetterHandler } from '../../../src/services/mailbox/collect.ts'
import type { MailDeps, MailProfile } from '../../../src/services/mailbox/deps.ts'
import type { Burial } from '../../../src/store/burials.ts'
import type { HolderCaller, HolderLink, HolderNetwork, Routing } from '../../../src/services/ports.ts'
import { LetterStamps, stampSolver } from '../../../src/services/stamps/solver.ts'
import { StampVerifier } from '../../../src/services/stamps/verifier.ts'
import { Database } from '../../../src/store/database.ts'
import { HeldStore } from '../../../src/store/held.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { holderClientFrameCodec, holderServerFrameCodec, HOLDER_FRAME_BYTES_MAX } from '../../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../../src/wire/holder.ts'
import type { Deposit, LaneProof, Letter, Tombstone } from '../../../src/wire/letter.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

export const crypto = nativeProvider
export const PROFILE: MailProfile = {
  epochMs: 7 * DAY_MS,
  stampBits: 2,
  collectIntervalMs: 900_000,
  diversity: true,
}
export const never = new AbortController().signal

export type Lie = (
  caller: HolderCaller,
  request: HolderRequest,
  honest: () => Promise<HolderResponse>,
) => Promise<HolderResponse>

export const positionOf = (peerId: string): Uint8Array => crypto.sha256(utf8(peerId))
const publicKeyOf = (peerId: string): Uint8Array | undefined => fromHex(peerId.slice(5))

export class HolderNode {
  readonly peerId: string
  readonly seed: Uint8Array
  readonly path: string
  readonly swarm: Swarm
  up = true
  hangs = false
  lie: Lie | undefined
  db!: Database
  held!: HeldStore
  service!: HolderService
  readonly seenFrames: Uint8Array[] = []
  readonly closers = new Set<() => void>()
  /** Peers that said goodbye to it. */
  readonly left: string[] = []

  constructor(swarm: Swarm, seed: Uint8Array, path: string) {
    this.swarm = swarm
    this.seed = seed
    this.path = path
    this.peerId = `peer-${toHex(crypto.ed25519PublicKey(seed))}`
  }

  async start(): Promise<void> {
    this.db = await Database.open(this.path)
    this.held = await HeldStore.open(this.db, crypto, this.swarm.rng)
    this.service = this.#newService()
    this.service.start()
    this.up = true
  }

  /** Serves on, and sweeps nothing out by itself any more. */
  async withoutSweeps(): Promise<void> {
    await this.service.stop()
    this.service = this.#newService()
  }

  #newService(): HolderService {
    return new HolderService(
      {
        clock: this.swarm.clock,
        crypto,
        held: this.held,
        routing: { known: (target, count) => this.swarm.near(target, count, this.peerId) },
        onLeaving: (peerId) => this.left.push(peerId),
        signer: { peerId: this.peerId, sign: (message) => crypto.ed25519Sign(this.seed, message) },
        stamps: new StampVerifier(crypto, this.swarm.clock),
        profile: PROFILE,
        log: silentLogger,
      },
      this.swarm.quotas,
    )
  }

  /** Off the network; the disk stays as it is. */
  down(): void {
    this.up = false
    for (const close of this.closers) close()
    this.closers.clear()
    this.swarm.changed(this.peerId, false)
  }

  back(): void {
    this.up = true
    this.swarm.changed(this.peerId, true)
  }

  /** Closes the database and opens it again, as a restart does. */
  async restart(): Promise<void> {
    this.down()
    await this.stop()
    await this.start()
    this.swarm.changed(this.peerId, true)
  }

  async stop(): Promise<void> {
    await this.service.stop()
    await this.db.close()
  }

  async handle(caller: HolderCaller, request: HolderRequest): Promise<HolderResponse> {
    const honest = (): Promise<HolderResponse> => this.service.handle(caller, request)
    this.swarm.busy++
    try {
      return await (this.lie === undefined ? honest() : this.lie(caller, request, honest))
    } finally {
      this.swarm.busy--
    }
  }
}

export class Swarm {
  readonly clock: Clock & VirtualClock
  readonly rng: Rng
  readonly quotas: QuotaLimits
  readonly distrust = new MemoryDistrust()
  readonly nodes: HolderNode[] = []
  /** Requests that holders are working on. */
  busy = 0
  readonly #changes: ((peerId: string, connected: boolean) => void)[] = []
  readonly #parts: { stop(): Promise<void> | void }[] = []
  readonly #networks = new Map<string, MemoryNetwork>()
  #directory = ''

  private constructor(quotas: Partial<QuotaLimits>, seed: number) {
    this.clock = new VirtualClock()
    this.rng = seededRng(seed)
    this.quotas = { ...DEFAULT_QUOTAS, sourcePutsBurst: 1_000_000, sourceRequestsBurst: 1_000_000, ...quotas }
  }

  static async create(count: number, quotas: Partial<QuotaLimits> = {}, seed = 1): Promise<Swarm> {
    const swarm = new Swarm(quotas, seed)
    swarm.#directory = await mkdtemp(join(tmpdir(), 'sotto-held-'))
    for (let i = 0; i < count; i++) await swarm.add()
    return swarm
  }

  async add(): Promise<HolderNode> {
    const node = new HolderNode(this, this.rng.bytes(32), join(this.#directory, `node-${this.nodes.length}`))
    await node.start()
    this.nodes.push(node)
    this.changed(node.peerId, true)
    return node
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#parts) await part.stop()
    for (const node of this.nodes) await node.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  node(peerId: string): HolderNode {
    const node = this.nodes.find((candidate) => candidate.peerId === peerId)
    if (node === undefined) throw new NetworkError('no such peer')
    return node
  }

  changed(peerId: string, connected: boolean): void {
    for (const listener of this.#changes) listener(peerId, connected)
  }

  near(target: Uint8Array, count: number, without: string, liveOnly = false): PeerRecord[] {
    const candidates = this.nodes
      .filter((node) => node.peerId !== without && (!liveOnly || node.up))
      .map(({ peerId }) => ({ peerId, position: positionOf(peerId) }))
    return byDistance(target, candidates)
      .slice(0, count)
      .map(({ peerId }) => ({ id: peerId, addresses: [] }))
  }

  /** The nodes in the order of their distance to an address. */
  order(address: Uint8Array): HolderNode[] {
    return this.near(crypto.sha256(address), this.nodes.length, '').map(({ id }) => this.node(id))
  }

  holdersOf(id: Uint8Array): Promise<HolderNode[]> {
    const states = this.nodes.map(async (node) => ({ node, state: await node.held.stateOf(id) }))
    return Promise.all(states).then((all) => all.filter(({ state }) => state === 'known').map(({ node }) => node))
  }

  deps(name: string, profile: MailProfile = PROFILE): MailDeps {
    const network = new MemoryNetwork(this, name)
    this.#networks.set(name, network)
    this.#changes.push((peerId, connected) => {
      for (const listener of network.listeners) listener(peerId, connected)
    })
    const routing: Routing = {
      self: () => ({ id: name, addresses: [] }),
      closest: async (target, count) => this.near(target, count, name, true),
      known: (target, count) => this.near(target, count, name, true),
      learn() {},
      evict() {},
    }
    const peers = { publicKey: publicKeyOf, position: positionOf }
    const { clock, rng, distrust } = this
    return { clock, rng, crypto, network, routing, peers, distrust, profile, log: silentLogger }
  }

  /** How many listeners someone's rooms have at their network. */
  listeners(name: string): number {
    const network = this.#networks.get(name)
    return (network?.listeners.size ?? 0) + (network?.pushListeners.size ?? 0)
  }

  /** What a lying holder may send to someone at any time. */
  pushTo(name: string, peerId: string, deposit: Deposit): void {
    this.#networks.get(name)?.pushed(peerId, deposit)
  }

  /** Someone's mailbox room, with burials in memory that outlive it if they are passed in. */
  mailbox(name: string, seeds: readonly Uint8Array[], onLetter: LetterHandler, burials = new MemoryBurials()): Mailbox {
    return this.mailboxOf(this.deps(name), seeds, onLetter, { burials })
  }

  /** The same with parts of one's own. */
  mailboxOf(
    deps: MailDeps,
    seeds: readonly Uint8Array[],
    onLetter: LetterHandler,
    more: { burials?: MemoryBurials; sinceMs?: number } = {},
  ): Mailbox {
    const stamps = new LetterStamps(crypto, stampSolver(crypto, this.rng), this.clock)
    const mailbox = new Mailbox(deps, { seeds, burials: new MemoryBurials(), stamps, onLetter, ...more })
    this.#parts.unshift(mailbox)
    return mailbox
  }
}

/** Whom anybody here caught lying. */
export class MemoryDistrust {
  readonly noted = new Map<string, string>()
  has(peerId: string): boolean {
    return this.noted.has(peerId)
  }
  note(peerId: string, kind: string): void {
    this.noted.set(peerId, kind)
  }
}

export class MemoryBurials {
  readonly map = new Map<string, Burial>()
  async all(): Promise<readonly Burial[]> {
    return [...this.map.values()]
  }
  put(burials: readonly Burial[]): [] {
    for (const burial of burials) this.map.set(toHex(burial.id), burial)
    return []
  }
  async save(burials: readonly Burial[]): Promise<void> {
    for (const burial of burials) this.map.set(toHex(burial.id), burial)
  }
  async remove(ids: readonly Uint8Array[]): Promise<void> {
    for (const id of ids) this.map.delete(toHex(id))
  }
}

type PushListener = Parameters<HolderNetwork['onPush']>[0]

class MemoryNetwork implements HolderNetwork {
  readonly listeners = new Set<(peerId: string, connected: boolean) => void>()
  readonly #swarm: Swarm
  readonly #name: string
  readonly #links = new Map<string, MemoryLink>()
  readonly pushListeners = new Set<PushListener>()

  constructor(swarm: Swarm, name: string) {
    this.#swarm = swarm
    this.#name = name
  }

  async link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink> {
    signal.throwIfAborted()
    const node = this.#swarm.node(peer.id)
    if (!node.up) throw new NetworkError('unreachable')
    const known = this.#links.get(peer.id)
    if (known?.alive === true) return known
    const link = new MemoryLink(node, this.#name, this.#swarm.rng.bytes(32), (deposit) => {
      this.pushed(peer.id, deposit)
    })
    this.#links.set(peer.id, link)
    return link
  }

  pushed(peerId: string, deposit: Deposit): void {
    for (const listener of this.pushListeners) listener(peerId, deposit)
  }

  onPush(listener: PushListener): () => void {
    this.pushListeners.add(listener)
    return () => this.pushListeners.delete(listener)
  }

  onPeerChange(listener: (peerId: string, connected: boolean) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}

/** Whoever serves at the other end of a link. */
export type Serving = Pick<HolderNode, 'peerId' | 'up' | 'hangs' | 'seenFrames' | 'closers' | 'handle'>

export class MemoryLink implements HolderLink {
  readonly peerId: string
  readonly challenge: Uint8Array
  readonly caller: HolderCaller
  readonly #node: Serving
  #alive = true
  #next = 1

  constructor(node: Serving, name: string, challenge: Uint8Array, onPush: (deposit: Deposit) => void, ip?: string) {
    this.#node = node
    this.peerId = node.peerId
    this.challenge = challenge
    const actions: (() => void)[] = []
    this.caller = {
      peerId: name,
      ip,
      challenge,
      opened: new Set(),
      push: (deposit) => {
        const frame = decode(holderServerFrameCodec, encode(holderServerFrameCodec, { kind: 3, body: deposit }))
        if (this.#alive && frame.kind === 3) onPush(frame.body)
        return this.#alive
      },
      onClose: (action) => {
        actions.push(action)
      },
    }
    node.closers.add(() => {
      this.#alive = false
      for (const action of actions) action()
    })
  }

  get alive(): boolean {
    return this.#alive && this.#node.up
  }

  async request(request: HolderRequest, signal: AbortSignal): Promise<HolderResponse> {
    signal.throwIfAborted()
    if (!this.alive) throw new NetworkError('the stream is gone')
    if (this.#node.hangs) {
      await new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      })
    }
    const sent = encode(holderClientFrameCodec, { id: this.#next++, request })
    this.#node.seenFrames.push(sent)
    if (sent.length > HOLDER_FRAME_BYTES_MAX) throw new NetworkError('frame too large')
    const frame = decode(holderClientFrameCodec, sent)
    const response = await this.#node.handle(this.caller, frame.request)
    if (!this.alive) throw new NetworkError('the stream is gone')
    const answer = encode(holderServerFrameCodec, { kind: 2, body: { id: frame.id, response } })
    if (answer.length > HOLDER_FRAME_BYTES_MAX) throw new NetworkError('frame too large')
    const back = decode(holderServerFrameCodec, answer)
    if (back.kind !== 2) throw new NetworkError('not an answer')
    return back.body.response
  }
}

/** A stream of one's own to one node, for asking it things that no honest client asks. */
export function directLink(swarm: Swarm, node: HolderNode, name = 'mallory', ip?: string): MemoryLink {
  return new MemoryLink(node, name, swarm.rng.bytes(32), () => {}, ip)
}

/** A letter to a mailbox, its proof and what deletes it. */
export interface MadeLetter {
  readonly letter: Letter
  readonly id: Uint8Array
  readonly proof: { readonly kind: 1; readonly body: LaneProof }
  readonly preimage: Uint8Array
  readonly tombstone: Tombstone
  readonly rung: 0
}

export const SIZES = [2_048, 4_096, 8_192, 16_384, 65_536] as const

export function makeLetter(
  swarm: Swarm,
  mailboxSeed: Uint8Array,
  laneSeed: Uint8Array,
  options: { lifeMs?: number; sizeClass?: 0 | 1 | 2 | 3 | 4; epoch?: number } = {},
): MadeLetter {
  const now = swarm.clock.now()
  const epoch = options.epoch ?? epochOf(now, PROFILE)
  const sizeClass = options.sizeClass ?? 1
  const preimage = swarm.rng.bytes(16)
  const letter: Letter = {
    version: 1,
    kind: 1,
    address: epochKey(crypto, mailboxSeed, epoch).address,
    lane: laneOf(crypto, laneSeed, epoch),
    expiry: expiryHour(now, options.lifeMs ?? 30 * DAY_MS),
    sizeClass,
    commitment: commitmentOf(crypto, preimage),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: swarm.rng.bytes(SIZES[sizeClass]),
  }
  return madeOf(letter, laneSeed, preimage, epoch)
}

/** The letter with its proof over its lane, and its tombstone. */
export function madeOf(letter: Letter, laneSeed: Uint8Array, preimage: Uint8Array, epoch: number): MadeLetter {
  const name = nameOfLetter(crypto, letter)
  const id = idOfName(crypto, name)
  const proof = { kind: 1, body: laneProof(crypto, laneSeed, epoch, id) } as const
  return { letter, id, proof, preimage, tombstone: { ...name, preimage, proof }, rung: 0 }
}
