/**
 * A world of whole messengers: real daemons without their libp2p host (rooms, LevelDB, crypto are the product's own), real
 * holders, and between them an in-process network in which every frame passes the codec and everything can go wrong.
 */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Base } from '../../src/daemon/base.ts'
import type { Application } from '../../src/api/application/application.ts'
import { daemonApplication } from '../../src/daemon/application/application.ts'
import { Daemon } from '../../src/daemon/daemon.ts'
import type { Created } from '../../src/daemon/daemon.ts'
import { nativeProvider } from '../../src/crypto/native.ts'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { fromHex, toHex, utf8 } from '../../src/lib/bytes.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { NetworkError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import type { Logger } from '../../src/lib/log.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../src/lib/network-profile.ts'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { byDistance } from '../../src/protocol/replicas.ts'
import { letterId } from '../../src/protocol/mailbox-rules.ts'
import { encodeAccountId } from '../../src/protocol/account-id.ts'
import { accountExists } from '../../src/services/account/create.ts'
import { DEFAULT_QUOTAS } from '../../src/services/holder/quotas.ts'
import { Distrust } from '../../src/services/distrust/distrust.ts'
import { HolderService } from '../../src/services/holder/serve.ts'
import type {
  DirectNetwork,
  HolderCaller,
  HolderLink,
  HolderNetwork,
  Meeting,
  Routing,
} from '../../src/services/ports.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { FILE_SYSTEM } from '../../src/store/atomic-file.ts'
import { HeldStore } from '../../src/store/held.ts'
import type { MessageView } from '../../src/api/application/messages.ts'
import type { UnlockedRooms } from '../../src/daemon/build-rooms.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { contentExtensions } from '../../src/wire/content.ts'
import { directFrameCodec } from '../../src/wire/direct.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import { HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { Deposit, Letter, PutProof } from '../../src/wire/letter.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { MemoryLink, positionOf } from '../unit/services/swarm.ts'
import { Disk, SimClock, simCrypto, temporaryDirectory } from './sim.ts'

const PASSPHRASE = 'correct horse'
const LATENCY_MS = 5
const NO_PROOF: PutProof = { kind: 2, body: { reserved: 0 } }
/** As few as can make a letter stored. */
const HOLDERS = 3
/** As the local network, with stamps that cost nothing. */
const PROFILE: NetworkProfile = { ...LOCAL, stampBits: 0, collectIntervalMs: 900_000 }

/** What happens to frames on their way between two devices. */
export interface Weather {
  /** Share (0 to 1) of frames that are lost although their sender wrote them. */
  loss: number
  duplicate: number
  /** Share of frames that are held up to 50 times longer than the others, and so overtaken. */
  delay: number
}

/** A frame as it left. */
export interface SentFrame {
  readonly from: string
  readonly to: string
  readonly frame: DirectFrame
}

/** A node's own view of the clock: after its death nothing fires any more. */
class NodeClock implements Clock {
  readonly #clock: SimClock
  dead = false

  constructor(clock: SimClock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#clock.after(delayMs, () => {
      if (!this.dead) action()
    })
  }
}

/** A holder with its own disk. */
export class Holder {
  readonly peerId: string
  readonly seenFrames: Uint8Array[] = []
  readonly closers = new Set<() => void>()
  readonly world: World
  readonly #seed: Uint8Array
  #service: HolderService | undefined
  disk!: Disk
  held!: HeldStore
  up = true
  hangs = false
  /** Answers in its place. */
  lie:
    | ((caller: HolderCaller, request: HolderRequest, honest: () => Promise<HolderResponse>) => Promise<HolderResponse>)
    | undefined

  constructor(world: World, seed: Uint8Array) {
    this.world = world
    this.#seed = seed
    this.peerId = `peer-${toHex(world.crypto.ed25519PublicKey(this.#seed))}`
  }

  async start(path: string): Promise<void> {
    const { clock, crypto, rng } = this.world
    this.disk = await Disk.open(clock, path)
    this.held = await HeldStore.open(this.disk.database, crypto, rng)
    const quotas = { ...DEFAULT_QUOTAS, sourcePutsBurst: 1_000_000, sourceRequestsBurst: 1_000_000 }
    this.#service = new HolderService(
      {
        clock,
        crypto,
        held: this.held,
        routing: { known: (target, count) => this.world.near(target, count) },
        onLeaving() {},
        signer: { peerId: this.peerId, sign: (message) => crypto.ed25519Sign(this.#seed, message) },
        stamps: new StampVerifier(crypto, clock),
        profile: PROFILE,
        log: silentLogger,
      },
      quotas,
    )
    this.#service.start()
  }

  async stop(): Promise<void> {
    await this.#service?.stop()
    await this.disk.database.close()
  }

  down(): void {
    this.up = false
    for (const close of this.closers) close()
    this.closers.clear()
    this.world.noticed(this.peerId, false)
  }

  back(): void {
    this.up = true
    this.world.noticed(this.peerId, true)
  }

  /** Loses every letter, without a trace. */
  async forget(): Promise<void> {
    for (const letter of this.world.letters.values()) {
      await this.held.evict(letter.address, letterId(this.world.crypto, letter))
    }
  }

  async handle(caller: HolderCaller, request: HolderRequest): Promise<HolderResponse> {
    if (request.kind === HOLDER_VERB.put) this.world.noteLetter(request.body)
    const honest = async (): Promise<HolderResponse> => {
      if (this.#service === undefined) throw new NetworkError('not started')
      return this.#service.handle(caller, request)
    }
    return this.lie === undefined ? honest() : this.lie(caller, request, honest)
  }
}

/** One person with one device. */
export class Person {
  readonly world: World
  readonly name: string
  readonly peerId: string
  readonly log: Logger
  /** Whom this person's daemon caught lying. */
  readonly distrust: Distrust
  #directory: string
  #clock: NodeClock
  #disk: Disk | undefined
  #daemon: Daemon | undefined
  #known: Uint8Array = new Uint8Array(32)
  #onFrame: ((peerId: string, frame: DirectFrame) => Promise<void>) | undefined
  readonly #onPeer = new Set<(peerId: string, connected: boolean) => void>()
  #onStream: ((peerId: string, open: boolean) => void) | undefined
  readonly #onPush = new Set<(peerId: string, deposit: Deposit) => void>()
  readonly #links = new Map<string, MemoryLink>()
  readonly #inbox: (() => Promise<void>)[] = []
  #receiving = false
  /** Runs for each frame about to leave. */
  onSend: (() => void) | undefined
  up = false
  /** Who may meet this person, as the daemon told its network last. */
  meeting: (peerId: string) => Meeting = () => 'direct'
  /** The setting; counts from the next start on. */
  neverDirect = false
  /** Where this person says that it can be dialled. */
  addresses: readonly string[]
  /** What its peer found out: whether it can be dialled by nobody. */
  behindNat = false
  /** What its invites are to carry. */
  waysIn: readonly string[] = []
  /** What others' invites had it dial. */
  readonly joinedBy: string[] = []
  /** Runs with the disk of each start, before anything is written. */
  onDisk: ((disk: Disk) => void) | undefined
  /** What the words gave back when this person's daemon began with them. */
  recovered: Created['recovered']
  /** Connected for all that others can see, but nothing gets through to it. */
  deaf = false

  constructor(world: World, name: string, directory: string, peerId: string) {
    this.world = world
    this.name = name
    this.peerId = peerId
    this.addresses = [`/memory/${name}`]
    this.log = silentLogger
    this.distrust = new Distrust({ clock: world.clock, log: silentLogger })
    this.#directory = directory
    this.#clock = new NodeClock(world.clock)
  }

  get rooms(): UnlockedRooms {
    const rooms = this.daemon.rooms
    if (rooms === undefined) throw new Error(`${this.name} is locked`)
    return rooms
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error(`${this.name} is off`)
    return this.#daemon
  }

  get disk(): Disk {
    if (this.#disk === undefined) throw new Error(`${this.name} is off`)
    return this.#disk
  }

  get app(): Application {
    return daemonApplication(this.daemon)
  }

  /** The account of now. */
  get id(): Uint8Array {
    return this.rooms.account.accountId
  }

  /** The account as it was at the last start, also while it is off. */
  get known(): Uint8Array {
    return this.#known
  }

  get address(): string {
    return encodeAccountId(this.#known)
  }

  /** The 24 words, as this process has seen them when the account was made. */
  get phrase(): string {
    return phrases.get(toHex(this.known)) ?? ''
  }

  /** Starts the daemon; the first time it makes the account, or brings back that of a phrase. */
  async start(phrase?: string): Promise<void> {
    this.#clock = new NodeClock(this.world.clock)
    this.#onPeer.clear()
    this.#onPush.clear()
    this.#onFrame = undefined
    this.#onStream = undefined
    this.#inbox.length = 0
    this.#receiving = false
    this.#disk = await Disk.open(this.world.clock, join(this.#directory, 'db'))
    this.onDisk?.(this.#disk)
    const hasAccount = await accountExists(this.#disk.database)
    const daemon = new Daemon({ base: this.#base(this.#disk), holder: undefined, hasAccount, version: '0' })
    this.up = true
    if (hasAccount) await daemon.unlock(PASSPHRASE)
    else await this.#create(daemon, phrase)
    this.#daemon = daemon
    this.#known = this.id
    await this.world.clock.quiet()
  }

  async #create(daemon: Daemon, phrase?: string): Promise<void> {
    const { clock } = this.world
    const input = { passphrase: PASSPHRASE, ...(phrase === undefined ? {} : { phrase }) }
    const creating = daemon.create(input)
    const created = phrase === undefined ? await creating : await clock.during(creating)
    this.recovered = created.recovered
    const id = daemon.rooms?.account.accountId
    if (id !== undefined) phrases.set(toHex(id), created.phrase)
  }

  async unlock(): Promise<void> {
    await this.daemon.unlock(PASSPHRASE)
  }

  async rotate(): Promise<void> {
    await this.daemon.rotate(PASSPHRASE)
    this.#known = this.id
  }

  /** Ends in good order. */
  async stop(): Promise<void> {
    if (this.#daemon === undefined) return
    this.offline()
    await this.daemon.stop()
    await this.disk.database.close()
    this.#clock.dead = true
    this.#daemon = undefined
    this.#disk = undefined
  }

  /** SIGKILL: nothing that it was about to do happens. */
  die(): void {
    this.#clock.dead = true
    this.#disk?.die()
    this.offline()
  }

  /** The same, and its directory is free for the next start. */
  async kill(): Promise<void> {
    const disk = this.#disk
    this.die()
    this.#daemon = undefined
    this.#disk = undefined
    await disk?.release()
    await this.world.clock.quiet()
  }

  offline(): void {
    this.up = false
    for (const key of this.world.streams) {
      if (!key.split(' ').includes(this.peerId)) continue
      this.world.streams.delete(key)
      for (const peerId of key.split(' ')) this.world.personAt(peerId)?.heard(key.replace(peerId, '').trim(), false)
    }
  }

  /** The network is there (again): holders are noticed. */
  online(): void {
    this.up = true
    for (const holder of this.world.holders) if (holder.up) this.heard(holder.peerId, true)
  }

  /** The peer is there or gone; with a device of a contact that is a stream. */
  heard(peerId: string, connected: boolean): void {
    if (this.#clock.dead) return
    if (this.world.personAt(peerId) !== undefined) this.#onStream?.(peerId, connected)
    for (const listener of this.#onPeer) listener(peerId, connected)
  }

  /** Frames are taken in one after another, as a stream does. */
  receive(from: string, frame: DirectFrame): void {
    if (!this.up || this.deaf || this.#clock.dead) return
    this.#inbox.push(async () => this.#onFrame?.(from, frame))
    if (this.#receiving) return
    this.#receiving = true
    const clock = this.#clock
    const next = async (): Promise<void> => {
      for (let job = this.#inbox.shift(); job !== undefined && !clock.dead; job = this.#inbox.shift()) {
        await job().catch(() => {})
      }
      if (!clock.dead) this.#receiving = false
    }
    void next()
  }

  /** A holder hands over a letter on its own account. */
  push(holder: Holder, letter: Letter, signed?: PutProof): void {
    const id = toHex(letterId(this.world.crypto, letter))
    const proof = signed ?? this.world.proofs.get(id) ?? this.world.proofs.get(toHex(letter.lane)) ?? NO_PROOF
    for (const listener of this.#onPush) listener(holder.peerId, { letter, proof })
  }

  // --- what people do

  async add(other: Person, input: { note?: string; target?: string } = {}): Promise<void> {
    const { target = other.address, ...rest } = input
    await this.world.clock.during(this.app.addContact({ target, name: other.name, ...rest }))
  }

  async accept(other: Person): Promise<void> {
    await this.world.clock.during(this.app.acceptContact(other.address, { name: other.name }))
  }

  async send(other: Person, text: string, id?: string): Promise<string> {
    return (await this.app.send(other.address, { text, ...(id === undefined ? {} : { id }) })).id
  }

  async status(id: string): Promise<MessageView['status']> {
    return (await this.app.message(id)).status
  }

  /** Texts of the conversation that came in, in the order in which they came. */
  async read(other: Person | string): Promise<string[]> {
    const address = typeof other === 'string' ? other : other.address
    const items: MessageView[] = []
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await this.app.messages(address, { limit: 900, ...(cursor === undefined ? {} : { cursor }) })
      items.push(...page.items)
      cursor = page.next
    }
    return items
      .filter(({ outgoing }) => !outgoing)
      .map(({ text }) => text)
      .reverse()
  }

  /** Events so far, of all types or of one. */
  async events(type?: string): Promise<{ type: string; data: Record<string, unknown>; number: number }[]> {
    const { events } = await this.app.eventsSince(0, 1_000)
    return events
      .filter((event) => type === undefined || event.type === type)
      .map(({ type: name, data, number }) => ({ type: name, data: data as Record<string, unknown>, number }))
  }

  /** Says something of any kind, as a client of another version or of bad will might. */
  async say(
    other: Person,
    kind: number,
    body: Uint8Array,
    id = this.world.rng.bytes(16),
    said: Parameters<typeof contentExtensions>[0] & { readonly sentAt?: number } = {},
  ): Promise<void> {
    const extensions = contentExtensions(said)
    const { journal, outbox, contacts } = this.rooms
    await journal.commit(async () => {
      const contact = await contacts.require(other.id)
      const about = { sentAt: said.sentAt ?? this.world.clock.now(), contact: contact.accountId, quiet: true }
      const saying = { id, kind, body, extensions, ...about }
      const { ops, added } = outbox.enqueue({ ...saying, devices: contact.devices.map(({ deviceId }) => deviceId) })
      return { ops, facts: [], result: undefined, done: added }
    })
  }

  // --- how it is wired

  #base(disk: Disk): Base {
    const { world } = this
    const clock = this.#clock
    const direct: DirectNetwork = {
      send: async (peer, frame, signal) => {
        if (clock.dead) return new Promise<never>(() => {})
        this.onSend?.()
        if (clock.dead) return new Promise<never>(() => {})
        await world.carry(this, peer, frame, signal)
      },
      connected: (peerId) => world.streams.has(streamKey(this.peerId, peerId)),
      hearsLive: (peerId) => world.streams.has(streamKey(this.peerId, peerId)),
      onFrame: (listener) => {
        this.#onFrame = listener
      },
    }
    const network: HolderNetwork = {
      link: async (peer, signal) => this.#link(peer, signal),
      onPush: (listener) => enlist(this.#onPush, listener),
      onPeerChange: (listener) => enlist(this.#onPeer, listener),
    }
    const routing: Routing = {
      self: () => ({ id: this.peerId, addresses: this.addresses }),
      closest: async (target, count) => (this.up ? world.near(target, count) : []),
      known: (target, count) => world.near(target, count),
      learn() {},
      evict() {},
    }
    const host = {
      peerId: this.peerId,
      direct: {
        ...direct,
        meetBy: (meeting: (peerId: string) => Meeting) => void (this.meeting = meeting),
        onStream: (listener: (peerId: string, open: boolean) => void) => void (this.#onStream = listener),
      },
      routing,
      holderNetwork: network,
      addresses: () => [],
      peers: () => [],
      joining: {
        joinBy: async (ways: readonly string[]) => void this.joinedBy.push(...ways),
        waysIn: () => this.waysIn,
        onReturn: () => () => {},
      },
      reach: () => ({ reachability: this.behindNat ? 'behind-nat' : 'unknown' }),
      onReach: () => () => {},
    } as unknown as Base['host']
    const common = { clock, rng: world.rng, crypto: world.cryptoOf(this.name), log: this.log }
    return {
      ...common,
      profile: PROFILE,
      neverDirect: this.neverDirect,
      host,
      database: disk.database,
      account: {
        ...common,
        database: disk.database,
        files: { vault: join(this.#directory, 'vault'), accountKey: join(this.#directory, 'account') },
        cost: { memoryKiB: 8, passes: 1, length: 32 },
        keyFiles: {
          write: async (path, content) => world.clock.busyWith(async () => FILE_SYSTEM.write(path, content)),
          read: async (path) => world.clock.busyWith(async () => FILE_SYSTEM.read(path)),
        },
      },
      mail: {
        ...common,
        network,
        routing,
        peers: { publicKey: (id) => fromHex(id.slice(5)), position: positionOf },
        distrust: this.distrust,
        profile: PROFILE,
      },
    }
  }

  async #link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink> {
    signal.throwIfAborted()
    const holder = this.world.holders.find(({ peerId }) => peerId === peer.id)
    if (!this.up || this.deaf || holder?.up !== true) throw new NetworkError('unreachable')
    const known = this.#links.get(peer.id)
    if (known?.alive === true) return known
    const link = new MemoryLink(holder, this.peerId, this.world.rng.bytes(32), (deposit) => {
      if (!this.up || this.deaf || this.#clock.dead) return
      for (const listener of this.#onPush) listener(peer.id, deposit)
    })
    this.#links.set(peer.id, link)
    return link
  }
}

function enlist<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

const streamKey = (a: string, b: string): string => [a, b].sort().join(' ')

export interface WorldOptions {
  readonly holders?: number
  readonly seed?: number
  /** Looks at what a node's primitives are asked. */
  readonly spy?: (name: string, crypto: CryptoProvider) => CryptoProvider
}

/** A world at rest: its directory, and what time it is there. */
interface Still {
  readonly path: string
  readonly now: number
}

const stills = new Map<string, Promise<Still>>()
/** The words of every account that was made here, by its id (hex). */
const phrases = new Map<string, string>()

export class World implements AsyncDisposable {
  readonly clock: SimClock
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly holders: Holder[] = []
  readonly people: Person[] = []
  readonly streams = new Set<string>()
  readonly weather: Weather = { loss: 0, duplicate: 0, delay: 0 }
  /** Pairs of peers (as `streams`) that cannot reach each other. */
  readonly blocked = new Set<string>()
  /** Everything that left on direct streams, and every letter that was put, by its id. */
  readonly sent: SentFrame[] = []
  readonly letters = new Map<string, Letter>()
  /** What came along with them, by id, and the last one of each lane. */
  readonly proofs = new Map<string, PutProof>()
  readonly #directory = temporaryDirectory()
  readonly #spy: WorldOptions['spy']

  private constructor(options: WorldOptions, now?: number) {
    this.clock = new SimClock(now)
    this.rng = seededRng(options.seed ?? 1)
    this.crypto = simCrypto(this.clock, nativeProvider)
    this.#spy = options.spy
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const world = new World(options)
    await world.#hold(options.holders ?? HOLDERS)
    return world
  }

  /**
   * A world in which these people are contacts of one another. Making one takes a second; so it is made once, and what is on
   * its disks is copied.
   */
  static async of(names: readonly string[], options: WorldOptions = {}): Promise<World> {
    return World.#from(names, options, true)
  }

  /** The same of people who have not met. */
  static async strangers(names: readonly string[], options: WorldOptions = {}): Promise<World> {
    return World.#from(names, options, false)
  }

  static async #from(names: readonly string[], options: WorldOptions, friends: boolean): Promise<World> {
    const holders = options.holders ?? HOLDERS
    const key = `${holders} ${friends} ${names.join(' ')}`
    const still = stills.get(key) ?? World.#still(names, holders, friends)
    stills.set(key, still)
    const { path, now } = await still
    const world = new World(options, now)
    cpSync(path, world.#directory.path, { recursive: true })
    await world.#hold(holders)
    for (const name of names) {
      const person = world.#make(name)
      await person.start()
      person.online()
    }
    await world.clock.pass(1_000)
    world.sent.length = 0
    world.letters.clear()
    return world
  }

  static async #still(names: readonly string[], holders: number, friends: boolean): Promise<Still> {
    const world = await World.create({ holders, seed: 77 })
    for (const name of names) await world.person(name)
    const people = world.people
    const pairs = people.flatMap((a, i) => people.slice(i + 1).map((b) => [a, b] as const))
    for (const [a, b] of friends ? pairs : []) await world.befriend(a, b)
    for (const person of people) await person.stop()
    for (const holder of world.holders) await holder.stop()
    process.once('exit', () => {
      world.#directory.remove()
    })
    return { path: world.#directory.path, now: world.clock.now() }
  }

  async #hold(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const holder = new Holder(this, this.crypto.sha256(utf8(`holder ${i}`)))
      await holder.start(join(this.#directory.path, `holder-${i}`))
      this.holders.push(holder)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const person of this.people) await person.stop()
    for (const holder of this.holders) await holder.stop()
    this.#directory.remove()
  }

  named(name: string): Person {
    const person = this.people.find((candidate) => candidate.name === name)
    if (person === undefined) throw new Error(`nobody is called ${name}`)
    return person
  }

  #make(name: string): Person {
    const path = join(this.#directory.path, name)
    const peerId = `peer-${toHex(this.crypto.ed25519PublicKey(this.crypto.sha256(utf8(name))))}`
    const person = new Person(this, name, path, peerId)
    this.people.push(person)
    mkdirSync(path, { recursive: true })
    return person
  }

  cryptoOf(name: string): CryptoProvider {
    return this.#spy?.(name, this.crypto) ?? this.crypto
  }

  /** Someone new, with an account that the network knows. */
  async person(name: string): Promise<Person> {
    const person = this.#make(name)
    await person.start()
    person.online()
    await this.clock.pass(1_000)
    return person
  }

  /** Somebody's new device, with nothing on it: to be started with a phrase. */
  device(name: string): Person {
    return this.#make(name)
  }

  /** A new device that is given the words; the network is there. */
  async restored(name: string, phrase: string): Promise<Person> {
    const person = this.#make(name)
    await person.start(phrase)
    person.online()
    return person
  }

  async befriend(a: Person, b: Person): Promise<void> {
    await a.add(b)
    await this.must(async () => (await b.rooms.contacts.get(a.id)) !== undefined, 'the request arrives')
    await b.accept(a)
    await this.must(async () => (await a.rooms.contacts.get(b.id))?.state === 3, 'the answer arrives')
    await this.clock.pass(3_000)
  }

  /** Time passes until it is so, or the test fails. */
  async must(done: () => boolean | Promise<boolean>, what: string, limitMs?: number): Promise<void> {
    if (!(await this.clock.until(done, limitMs))) throw new Error(`never: ${what}`)
  }

  personAt(peerId: string): Person | undefined {
    return this.people.find((person) => person.peerId === peerId)
  }

  near(target: Uint8Array, count: number): PeerRecord[] {
    const up = this.holders.filter((holder) => holder.up)
    const candidates = up.map(({ peerId }) => ({ peerId, position: positionOf(peerId) }))
    return byDistance(target, candidates)
      .slice(0, count)
      .map(({ peerId }) => ({ id: peerId, addresses: [] }))
  }

  noticed(peerId: string, connected: boolean): void {
    for (const person of this.people) if (person.up) person.heard(peerId, connected)
  }

  noteLetter({ letter, proof }: Deposit): void {
    const id = toHex(letterId(this.crypto, letter))
    this.letters.set(id, letter)
    this.proofs.set(id, proof)
    if (proof.kind === 1) this.proofs.set(toHex(letter.lane), proof)
  }

  /** How many holders keep letters now, over all mailboxes. */
  get held(): number {
    return this.holders.reduce((sum, { held }) => sum + held.usage.letters, 0)
  }

  /** Whether two people have a stream, or may have one. */
  block(a: Person, b: Person): void {
    const key = streamKey(a.peerId, b.peerId)
    this.blocked.add(key)
    if (!this.streams.delete(key)) return
    a.heard(b.peerId, false)
    b.heard(a.peerId, false)
  }

  unblock(a: Person, b: Person): void {
    this.blocked.delete(streamKey(a.peerId, b.peerId))
  }

  async carry(from: Person, peer: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const to = this.personAt(peer.id)
    const key = streamKey(from.peerId, peer.id)
    const open = this.streams.has(key)
    if (to?.up !== true || !from.up || this.blocked.has(key) || (!open && peer.addresses.length === 0)) {
      throw new NetworkError('unreachable')
    }
    const bytes = encode(directFrameCodec, frame)
    this.sent.push({ from: from.peerId, to: peer.id, frame })
    if (!open) {
      this.streams.add(key)
      from.heard(peer.id, true)
      to.heard(from.peerId, true)
    }
    this.#deliver(from, to, bytes)
  }

  /** A frame that claims nothing but the stream it comes on. */
  inject(from: Person | string, to: Person, frame: DirectFrame): void {
    to.receive(typeof from === 'string' ? from : from.peerId, decode(directFrameCodec, encode(directFrameCodec, frame)))
  }

  chance(share: number): boolean {
    return share > 0 && randomBelow(this.rng, 1_000) < share * 1_000
  }

  #deliver(from: Person, to: Person, bytes: Uint8Array): void {
    const copies = this.chance(this.weather.duplicate) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.chance(this.weather.loss)) continue
      const slow = this.chance(this.weather.delay) ? 1 + randomBelow(this.rng, 50) : 1
      this.clock.after(LATENCY_MS * slow, () => {
        if (this.blocked.has(streamKey(from.peerId, to.peerId))) return
        to.receive(from.peerId, decode(directFrameCodec, bytes))
      })
    }
  }
}
