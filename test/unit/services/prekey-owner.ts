/** A device with an account, a store and its pool of one-time prekeys, among the holders of a swarm. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../src/lib/log.ts'
import { prekeyCardKey } from '../../../src/protocol/mailbox-rules.ts'
import { OwnCards } from '../../../src/services/account/cards.ts'
import { createAccount } from '../../../src/services/account/create.ts'
import { FormerAccounts } from '../../../src/services/account/former.ts'
import { OwnPool } from '../../../src/services/account/own-pool.ts'
import type { PoolStatus } from '../../../src/services/account/pool-status.ts'
import type { UnlockedAccount } from '../../../src/services/account/ports.ts'
import { loadAccount } from '../../../src/services/account/unlock.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import type { LetterHandler } from '../../../src/services/mailbox/collect.ts'
import { CardNetwork } from '../../../src/services/mailbox/card-network.ts'
import { Bundles } from '../../../src/services/sessions/bundles.ts'
import { Sessions } from '../../../src/services/sessions/sessions.ts'
import { stampSolver } from '../../../src/services/stamps/solver.ts'
import { Database } from '../../../src/store/database.ts'
import { openStore } from '../../../src/store/store.ts'
import type { Store } from '../../../src/store/store.ts'
import type { PrekeyBundle } from '../../../src/wire/prekey-slices.ts'
import { crypto, never, PROFILE } from './swarm.ts'
import type { HolderNode, Swarm } from './swarm.ts'

const tick = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 1)
  })
const junk: LetterHandler = async () => ({ kind: 'junk' })
const CHEAP = { memoryKiB: 64, passes: 1, length: 32 }
const STEPS_MAX = 3_000

export interface Owner extends AsyncDisposable {
  readonly account: UnlockedAccount
  readonly store: Store
  readonly database: Database
  readonly journal: Journal
  readonly cards: OwnCards
  readonly pool: OwnPool
  readonly bundles: Bundles
  readonly sessions: Sessions
  /** The key of its prekey card. */
  readonly key: Uint8Array
  /** Takes a bundle as a peer of that name. */
  take(name: string): Promise<PrekeyBundle>
  /** Its pool is at its holders. */
  ready(): Promise<PoolStatus>
  /** Time passes until it is so. */
  until(done: () => boolean | Promise<boolean>, stepMs?: number): Promise<void>
  /** The holder of each slice. */
  keepers(): Promise<readonly HolderNode[]>
}

export async function ownerIn(swarm: Swarm, name = 'owner'): Promise<Owner> {
  const directory = await mkdtemp(join(tmpdir(), 'sotto-prekeys-'))
  const database = await Database.open(join(directory, 'store'))
  const { clock, rng } = swarm
  const files = { vault: join(directory, 'vault'), accountKey: join(directory, 'account.sealed') }
  const context = { crypto, rng, clock, log: silentLogger, database, files, cost: CHEAP }
  const { vault } = await createAccount(context, { passphrase: 'correct horse' })
  const account = await loadAccount(context, vault)
  const store = await openStore(database, vault)
  const journal = new Journal({ store, clock, log: silentLogger })
  const solver = stampSolver(crypto, rng)
  const mailbox = swarm.mailbox(name, [account.mailboxSeed, account.introSeed], junk)
  const shared = { account, journal, crypto, clock, rng, log: silentLogger }
  const former = new FormerAccounts(database, vault)
  const cards = new OwnCards({
    ...shared,
    store: { accounts: store.accounts, devices: store.devices, prekeys: store.prekeys, former },
    network: new CardNetwork(mailbox.cards),
    profile: PROFILE,
    stampBits: PROFILE.stampBits,
    onRemade: () => {
      pool.changed()
    },
  })
  const holders = mailbox.prekeys(solver)
  const pool: OwnPool = new OwnPool({ ...shared, store, holders, cards })
  const bundles = new Bundles({ ...shared, source: holders })
  const sessions = new Sessions({
    ...shared,
    store,
    local: () => {
      const { card, kemPrekeySeed } = cards.current()
      return { prekeyCard: card, identitySecret: account.identitySecret, kemPrekeySeed }
    },
    allows: async () => true,
    bundles,
    onUse: () => {
      pool.changed()
    },
    onReuse: (id) => {
      pool.reused(id)
    },
  })
  journal.follow(sessions)
  await cards.start()
  pool.start()
  /** Rounds go on at the pace of the disk: time all but stands still meanwhile, or everything would run out. */
  const calm = async (): Promise<void> => {
    const at = { rest: false }
    void Promise.all([pool.idle(), cards.idle()]).then(() => {
      at.rest = true
    })
    await tick()
    for (let step = 0; !at.rest && step < STEPS_MAX; step++) {
      await clock.advance(1)
      await tick()
    }
  }
  const wait = async (done: () => boolean | Promise<boolean>, stepMs = 100): Promise<void> => {
    for (let step = 0; step < STEPS_MAX; step++) {
      if (await done()) return
      await clock.advance(stepMs)
      await calm()
    }
    throw new Error(`not within ${STEPS_MAX} steps`)
  }
  const key = prekeyCardKey(crypto, account.accountId, account.deviceId)
  return {
    account,
    store,
    database,
    journal,
    cards,
    pool,
    bundles,
    sessions,
    key,
    take(peer) {
      return swarm.mailbox(peer, [], junk).prekeys(solver).take(key, never)
    },
    async ready() {
      await wait(async () => {
        const { slices } = await pool.status()
        return slices.filter(({ placed }) => placed).length === Math.min(5, swarm.nodes.filter(({ up }) => up).length)
      })
      return pool.status()
    },
    until: wait,
    async keepers() {
      return (await store.prekeys.pool()).holders.map((holder) => swarm.node(holder))
    },
    async [Symbol.asyncDispose]() {
      bundles.stop()
      await pool.stop()
      await cards.stop()
      await journal.idle()
      await database.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
