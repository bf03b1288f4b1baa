/** One holder: the product's role over the simulator's ports, or a liar in its place. */
import { holderRole } from '../../src/daemon/holder-role.ts'
import type { HolderRole } from '../../src/daemon/holder-role.ts'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { Distrust } from '../../src/services/distrust/distrust.ts'
import { DEFAULT_QUOTAS } from '../../src/services/holder/quotas.ts'
import type { HolderCaller, HolderHandler } from '../../src/services/ports.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { Database } from '../../src/store/database.ts'
import { HeldStore } from '../../src/store/held.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import { Disk } from './disk.ts'
import type { Platter } from './disk.ts'
import { Life } from './network.ts'
import type { Peer } from './network.ts'
import { Ports } from './ports.ts'
import { ProcessClock } from './scheduler.ts'
import type { Stage } from './stage.ts'

/** Answers in the place of the honest handler. */
export type Lie = (...args: [...Parameters<HolderHandler>, honest: HolderHandler]) => ReturnType<HolderHandler>

export class Holder implements Peer {
  readonly peerId: string
  readonly ip: string
  readonly disk: Disk
  readonly #stage: Stage
  readonly #seed: Uint8Array
  life = new Life()
  skewMs = 0
  lie: Lie | undefined
  /** Gone for good, disk and all. */
  left = false
  ports: Ports
  /** Stands before the honest handler: for mutations. */
  onRequest:
    | ((caller: HolderCaller, request: HolderRequest, honest: () => Promise<HolderResponse>) => Promise<HolderResponse>)
    | undefined
  /** Runs after a crash took from the disk what was not synced. */
  onCrashed: () => void = () => {}
  /** When (true time) its clock or its disk last had trouble. */
  steadySince = 0
  #clock: ProcessClock
  #held: HeldStore | undefined
  #role: HolderRole | undefined
  #database: Database | undefined
  upSince: number | undefined

  constructor(stage: Stage, seed: Uint8Array, ip: string, platter?: Platter) {
    this.#stage = stage
    this.#seed = seed
    this.peerId = `peer-${toHex(stage.crypto.ed25519PublicKey(seed))}`
    this.ip = ip
    this.disk = new Disk(stage.scheduler, { sync: () => stage.dice.between(1, 5) }, platter)
    this.disk.onDeath = () => {
      this.die()
    }
    this.#clock = new ProcessClock(stage.scheduler, () => this.skewMs)
    this.ports = new Ports(stage.net, this)
    stage.net.join(this, true)
  }

  get running(): boolean {
    return this.#role !== undefined
  }

  get honest(): boolean {
    return this.lie === undefined && !this.left
  }

  /** What it holds, while it runs. */
  get held(): HeldStore | undefined {
    return this.#held
  }

  sign(message: Uint8Array): Uint8Array {
    return this.#stage.crypto.ed25519Sign(this.#seed, message)
  }

  /** What it takes for the time. */
  now(): number {
    return this.#clock.now()
  }

  async start(): Promise<void> {
    const { scheduler, net, crypto, rng, profile } = this.#stage
    const clock = new ProcessClock(scheduler, () => this.skewMs)
    this.#clock = clock
    this.life = new Life()
    this.ports = new Ports(net, this)
    const database = await Database.over(this.disk.engine(clock))
    const held = await HeldStore.open(database, crypto, rng)
    const role = holderRole(
      {
        clock,
        rng,
        crypto,
        held,
        network: this.ports.holderNetwork,
        routing: this.ports.routing,
        peers: { publicKey: (id) => fromHex(id.slice(5)), position: net.position },
        signer: { peerId: this.peerId, sign: (message) => this.sign(message) },
        stamps: new StampVerifier(crypto, clock),
        distrust: new Distrust({ clock, log: silentLogger }),
        profile,
        log: silentLogger,
      },
      { ...DEFAULT_QUOTAS, ...this.#stage.quotas },
    )
    if (clock.dead) return
    this.#database = database
    this.#held = held
    this.#role = role
    this.life.up = true
    await role.start()
    if (clock.dead) return
    const honest: HolderHandler = async (caller, request) =>
      this.onRequest === undefined
        ? role.handle(caller, request)
        : this.onRequest(caller, request, async () => role.handle(caller, request))
    this.life.handler = async (caller, request) =>
      this.lie === undefined ? honest(caller, request) : this.lie(caller, request, honest)
    role.opened(true)
    this.upSince = scheduler.now()
    this.#stage.holderCame(this)
  }

  /** Ends in good order, and takes leave of its neighbours first if it will not be back. */
  async stop(leaves = false): Promise<void> {
    const role = this.#role
    const clock = this.#clock
    if (role === undefined) return
    if (leaves) await role.leave()
    if (clock.dead) return
    await role.stop()
    if (clock.dead) return
    await this.#database?.close()
    this.#end()
    clock.dead = true
  }

  /** Gone without a word. */
  die(): void {
    if (this.#clock.dead) return
    this.#stage.note('died', this.peerId)
    this.#clock.dead = true
    this.#end()
    this.disk.crashed()
    this.onCrashed()
  }

  #end(): void {
    this.#stage.net.gone(this)
    this.life.up = false
    this.upSince = undefined
    this.#held = undefined
    this.#role = undefined
  }
}
