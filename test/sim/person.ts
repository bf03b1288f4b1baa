/** One person with one device: the product's whole daemon over the simulator's ports. */
import type { Application } from '../../src/api/application/application.ts'
import { daemonApplication } from '../../src/daemon/application/application.ts'
import type { Base } from '../../src/daemon/base.ts'
import { Daemon } from '../../src/daemon/daemon.ts'
import type { UnlockedRooms } from '../../src/daemon/build-rooms.ts'
import { fromHex } from '../../src/lib/bytes.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { encodeAccountId } from '../../src/protocol/account-id.ts'
import { accountExists } from '../../src/services/account/create.ts'
import { Distrust } from '../../src/services/distrust/distrust.ts'
import { Database } from '../../src/store/database.ts'
import { Disk, Platter } from './disk.ts'
import { Life } from './network.ts'
import type { Peer } from './network.ts'
import { Ports } from './ports.ts'
import { ProcessClock } from './scheduler.ts'
import type { Stage } from './stage.ts'

const PASSPHRASE = 'correct horse'
const FIRST_PEERS = 2

/** What stands between the product and the simulated world on this device; mutations put themselves here. */
export type Rewire = (ports: Ports) => Pick<Ports, 'holderNetwork' | 'direct' | 'routing'>

/** What a person left behind in an earlier world. */
export interface Left {
  readonly platter: Platter
  readonly accountId: Uint8Array
  readonly mailboxSeed: Uint8Array | undefined
}

export class Person implements Peer {
  readonly name: string
  readonly peerId: string
  readonly ip: string
  readonly disk: Disk
  readonly #stage: Stage
  life = new Life()
  skewMs = 0
  rewire: Rewire = (ports) => ports
  /** Changes rooms before anybody uses them: for mutations. */
  onRooms: (rooms: UnlockedRooms) => void = () => {}
  /** Hears of each event about a message (id in hex): for mutations. */
  onEvent: (type: string, id: string, rooms: UnlockedRooms) => Promise<void> = async () => {}
  /** Runs when the daemon is up. */
  onStarted: (daemon: Daemon) => void = () => {}
  ports: Ports
  #clock: ProcessClock
  #daemon: Daemon | undefined
  #database: Database | undefined
  #accountId: Uint8Array = new Uint8Array(32)
  #mailboxSeed: Uint8Array | undefined
  /** When (true time) this device last came online; undefined while it is not. */
  onlineSince: number | undefined

  constructor(stage: Stage, name: string, place: { readonly peerId: string; readonly ip: string }, left?: Left) {
    this.#stage = stage
    this.name = name
    this.peerId = place.peerId
    this.ip = place.ip
    this.disk = new Disk(stage.scheduler, { sync: () => stage.dice.between(1, 5) }, left && new Platter(left.platter))
    this.#accountId = left?.accountId ?? this.#accountId
    this.#mailboxSeed = left?.mailboxSeed
    this.disk.onDeath = () => {
      this.die()
    }
    this.#clock = new ProcessClock(stage.scheduler, () => this.skewMs)
    this.ports = new Ports(stage.net, this)
    stage.net.join(this, false)
  }

  get running(): boolean {
    return this.#daemon !== undefined
  }

  get rooms(): UnlockedRooms {
    const rooms = this.#daemon?.rooms
    if (rooms === undefined) throw new Error(`${this.name} is not unlocked`)
    return rooms
  }

  get app(): Application {
    if (this.#daemon === undefined) throw new Error(`${this.name} is off`)
    return daemonApplication(this.#daemon)
  }

  get accountId(): Uint8Array {
    return this.#accountId
  }

  /** For who plans an attack on it. */
  get mailboxSeed(): Uint8Array | undefined {
    return this.#mailboxSeed
  }

  get address(): string {
    return encodeAccountId(this.#accountId)
  }

  /** Starts the daemon; the first time it makes the account. It is online from then on. */
  async start(): Promise<void> {
    const { scheduler, net } = this.#stage
    const clock = new ProcessClock(scheduler, () => this.skewMs)
    this.#clock = clock
    this.life = new Life()
    this.ports = new Ports(net, this)
    const database = await Database.over(this.disk.engine(clock))
    this.#database = database
    const hasAccount = await accountExists(database)
    const daemon = new Daemon({ base: this.#base(database, clock), holder: undefined, hasAccount, version: '0' })
    this.online()
    if (hasAccount) await daemon.unlock(PASSPHRASE)
    else await daemon.create({ passphrase: PASSPHRASE })
    if (clock.dead) return
    this.#daemon = daemon
    this.#accountId = this.rooms.account.accountId
    this.#mailboxSeed = this.rooms.account.mailboxSeed.slice()
    this.onRooms(this.rooms)
    this.onStarted(daemon)
  }

  online(): void {
    this.#stage.note('online', this.name)
    this.life.up = true
    this.onlineSince = this.#stage.scheduler.now()
    // A few connections come up by themselves; the others when they are needed.
    const { dice } = this.#stage
    for (const holder of dice.shuffled(this.#stage.liveHolders()).slice(0, FIRST_PEERS)) this.ports.notice(holder)
  }

  offline(): void {
    this.#stage.note('offline', this.name)
    this.#stage.net.gone(this)
    this.life.up = false
    this.onlineSince = undefined
  }

  /** Ends in good order. */
  async stop(): Promise<void> {
    const daemon = this.#daemon
    const clock = this.#clock
    if (daemon === undefined) return
    await daemon.stop()
    if (clock.dead) return
    await this.#database?.close()
    this.offline()
    clock.dead = true
    this.#daemon = undefined
  }

  /** SIGKILL: nothing of what it was about to do happens. */
  die(): void {
    if (this.#clock.dead) return
    this.#stage.note('died', this.name)
    this.#clock.dead = true
    this.offline()
    this.disk.crashed()
    this.#daemon = undefined
  }

  #base(database: Database, clock: ProcessClock): Base {
    const { rng, crypto, profile, net } = this.#stage
    const { holderNetwork, direct, routing } = this.rewire(this.ports)
    const common = { clock, rng, crypto, log: silentLogger }
    const host = {
      peerId: this.peerId,
      direct: { ...direct, meetBy() {}, onStream() {} },
      routing,
      holderNetwork,
      addresses: () => net.record(this).addresses,
      peers: () => [],
      joining: { joinBy: async () => {}, waysIn: () => net.record(this).addresses, onReturn: () => () => {} },
      reach: () => ({ reachability: 'public' }),
      onReach: () => () => {},
    } as unknown as Base['host']
    return {
      ...common,
      profile,
      host,
      neverDirect: false,
      database,
      account: {
        ...common,
        database,
        files: { vault: 'vault', accountKey: 'account' },
        keyFiles: this.disk.files(clock),
        cost: { memoryKiB: 8, passes: 1, length: 32 },
      },
      mail: {
        ...common,
        network: holderNetwork,
        routing,
        peers: { publicKey: (id) => fromHex(id.slice(5)), position: net.position },
        distrust: new Distrust({ clock, log: silentLogger }),
        profile,
      },
    }
  }
}
