/** The composition root: builds every room once, top to bottom, and starts and stops them. */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { IdentityView } from './api/application/account.ts'
import type { Application } from './api/application/application.ts'
import type { ApiAddress } from './api/files.ts'
import { fromSystemError } from './api/errors.ts'
import { ApiServer } from './api/server.ts'
import { daemonApplication } from './daemon/application/application.ts'
import type { Base } from './daemon/base.ts'
import type { Settings } from './config.ts'
import { selectProvider } from './crypto/select.ts'
import type { CryptoProvider } from './crypto/provider.ts'
import { Daemon } from './daemon/daemon.ts'
import { holderRole } from './daemon/holder-role.ts'
import type { HolderRole } from './daemon/holder-role.ts'
import { formerHolder } from './daemon/former-holder.ts'
import { withOwnHolder } from './daemon/own-holder.ts'
import { takingRole } from './taking-role.ts'
import { systemClock } from './lib/clock.ts'
import { StorageError } from './lib/errors.ts'
import { Lifecycle } from './lib/lifecycle.ts'
import type { Part } from './lib/lifecycle.ts'
import type { Logger } from './lib/log.ts'
import { silentLogger } from './lib/log.ts'
import { packageFile } from './lib/own-files.ts'
import { systemRng } from './lib/rng.ts'
import { Host } from './net/host.ts'
import { positions, publicKeyOfPeerId } from './net/peer-id.ts'
import { MessageHook } from './on-message.ts'
import { listedPeers } from './peer-list.ts'
import { loadProfile } from './profile.ts'
import { accountExists, createAccount } from './services/account/create.ts'
import type { AccountContext } from './services/account/ports.ts'
import { Distrust } from './services/distrust/distrust.ts'
import { DEFAULT_QUOTAS } from './services/holder/quotas.ts'
import { ownPuzzle } from './services/stamps/own-puzzle.ts'
import { stampSolver } from './services/stamps/solver.ts'
import { StampVerifier } from './services/stamps/verifier.ts'
import { Accounts } from './store/accounts.ts'
import { Database } from './store/database.ts'
import { Devices } from './store/devices.ts'
import { openHeld } from './store/held-open.ts'
import { PeerNotes } from './store/peer-notes.ts'
import type { HeldStore } from './store/held.ts'
import { identityView } from './daemon/views.ts'

export interface DaemonHooks {
  /** Unlocks at the start; without it the daemon starts locked. A wrong one makes the start fail with PassphraseError. */
  readonly passphrase?: string
}

export interface RunningDaemon {
  readonly api: ApiAddress
  readonly state: ReturnType<Daemon['state']>
  stop(): Promise<void>
}

const HOME_MODE = 0o700

/** Starts the daemon of a home. Throws what is wrong as one of `lib/errors`; then nothing of it runs. */
export async function runDaemon(settings: Settings, log: Logger, hooks: DaemonHooks): Promise<RunningDaemon> {
  const crypto = providerOf(settings)
  await makeHome(settings.home)
  const lifecycle = new Lifecycle([], log)
  const add: Add = async (name, part) => lifecycle.add({ name, part })
  const stop = async (): Promise<void> => lifecycle.stop()
  try {
    const daemon = await assemble(settings, crypto, log, add)
    if (hooks.passphrase !== undefined && daemon.state() === 'locked') await daemon.unlock(hooks.passphrase)
    const application = daemonApplication(daemon)
    const api = apiServer(settings, crypto, log, application)
    await add('api', api)
    await addHook(settings, log, application, add)
    return { api: api.address, state: daemon.state(), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Makes the identity of a home without a daemon. Throws ConflictError where one exists, or a daemon runs. */
export async function offlineInit(
  settings: Settings,
  passphrase: string,
  phrase?: string,
): Promise<{ identity: IdentityView; phrase: string }> {
  const crypto = providerOf(settings)
  await makeHome(settings.home)
  const database = await Database.open(join(settings.home, 'account'))
  try {
    const context = accountContext(settings, crypto, database, silentLogger)
    const created = await createAccount(context, { passphrase, ...(phrase === undefined ? {} : { phrase }) })
    const own = await new Accounts(database, created.vault).own()
    const device = await new Devices(database, created.vault).own()
    created.vault.lock()
    if (own === undefined || device === undefined) throw new TypeError('the account was not written')
    return { identity: identityView(own, device.deviceId), phrase: created.phrase }
  } finally {
    await database.close()
  }
}

type Add = (name: string, part: Part['part']) => Promise<void>

async function assemble(settings: Settings, crypto: CryptoProvider, log: Logger, add: Add): Promise<Daemon> {
  const { home } = settings
  const profile = await loadProfile(settings.network)
  const database = await Database.open(join(home, 'account'))
  await add('account database', closing(database))
  const source = { home, file: settings.peerList, profile, crypto, now: systemClock.now(), log: log.child('net') }
  const listed = await listedPeers(source)
  const host = await Host.create({
    keyFile: join(home, 'node.key'),
    cacheFile: join(home, 'peers'),
    listen: settings.listen,
    announce: settings.announce,
    bootstrap: [...settings.bootstrap, ...listed],
    profile,
    role: settings.role,
    mdns: settings.mdns,
    crypto,
    clock: systemClock,
    rng: systemRng,
    log: log.child('net'),
  })
  const system = { clock: systemClock, rng: systemRng }
  const facts = { publicKey: publicKeyOfPeerId, position: positions((bytes) => crypto.sha256(bytes)) }
  const disk = settings.holder.enabled ? await holderDisk(home, crypto, log, add) : undefined
  const distrust = new Distrust({ clock: systemClock, log: log.child('distrust'), store: disk?.notes.evidence })
  await add('distrust', distrust)
  const shared = { settings, crypto, log, host, profile, facts, distrust }
  const holder = disk === undefined ? undefined : await holdFor(shared, disk, add)
  if (holder === undefined && (await exists(join(home, 'held')))) {
    await add('former holder', await formerHolder(join(home, 'held'), { ...shared, ...system }))
  }
  await add('network', host)
  if (holder !== undefined) await add('holder', leaving(holder.role))
  const peers = withOwnHolder({
    network: host.holderNetwork,
    routing: host.routing,
    handler: () => (holder?.role.open === true ? holder.role.handle : undefined),
    clock: systemClock,
    rng: systemRng,
  })
  const base: Base = {
    clock: systemClock,
    rng: systemRng,
    crypto,
    log,
    profile,
    host,
    database,
    account: accountContext(settings, crypto, database, log),
    neverDirect: settings.direct === 'never',
    mail: {
      clock: systemClock,
      rng: systemRng,
      crypto,
      network: peers.network,
      routing: peers.routing,
      peers: facts,
      distrust,
      profile,
      log: log.child('mailbox'),
    },
  }
  const hasAccount = await accountExists(database)
  const serving = holder === undefined ? undefined : { ...holder, bytesMax: settings.holder.diskMaxBytes }
  const daemon = new Daemon({ base, holder: serving, role: settings.role, hasAccount, version: await versionOf() })
  await add('daemon', daemon)
  return daemon
}

interface Shared {
  readonly settings: Settings
  readonly crypto: CryptoProvider
  readonly log: Logger
  readonly host: Host
  readonly profile: Base['profile']
  readonly facts: Base['mail']['peers']
  readonly distrust: Distrust
}

interface HolderDisk {
  readonly held: HeldStore
  readonly notes: PeerNotes
}

/** The holder's own database: in the clear, since what it holds is sealed by others. */
async function holderDisk(home: string, crypto: CryptoProvider, log: Logger, add: Add): Promise<HolderDisk> {
  const { database, held } = await openHeld(join(home, 'held'), { crypto, rng: systemRng, log })
  await add('holder database', closing(database))
  return { held, notes: new PeerNotes(database, crypto) }
}

/** The holder role, to be started when the network is. */
async function holdFor(
  shared: Shared,
  { held, notes }: HolderDisk,
  add: Add,
): Promise<{ readonly held: HeldStore; readonly role: HolderRole }> {
  const { settings, crypto, log, host, profile, facts, distrust } = shared
  const role = holderRole(
    {
      clock: systemClock,
      rng: systemRng,
      crypto,
      held,
      network: host.holderNetwork,
      routing: host.routing,
      peers: facts,
      signer: host.signer,
      stamps: new StampVerifier(crypto, systemClock),
      distrust,
      profile,
      log: log.child('holder'),
      ages: notes,
    },
    { ...DEFAULT_QUOTAS, nodeBytes: settings.holder.diskMaxBytes },
  )
  const puzzle = { crypto, solver: stampSolver(crypto, systemRng), log, file: join(settings.home, 'node.puzzle') }
  const about = { network: profile.name, publicKey: host.signer.publicKey, bits: profile.puzzleBits }
  await add(
    'holder role',
    takingRole({
      profile,
      clock: systemClock,
      log: log.child('holder'),
      puzzle: async (signal) => ownPuzzle({ ...puzzle, ...about }, signal),
      reach: { now: () => host.reach().reachability, onChange: (listener) => host.onReach(listener) },
      take: async (solution) => {
        await host.setHolderHandler(role.handle, solution)
        role.opened(true)
      },
      putDown: async () => {
        role.opened(false)
        await host.setHolderHandler(undefined)
      },
    }),
  )
  return { held, role }
}

/** Stops only after what too few others have was handed over. */
function leaving(role: HolderRole): Part['part'] {
  return {
    start: async () => {
      await role.start()
    },
    stop: async () => {
      await role.leave()
      await role.stop()
    },
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

const closing = (database: Database): Part['part'] => ({
  start() {},
  stop: async () => {
    await database.close()
  },
})

async function addHook(settings: Settings, log: Logger, application: Application, add: Add): Promise<void> {
  const { home, hooks } = settings
  if (hooks.onMessage === undefined) return
  const system = { clock: systemClock, rng: systemRng, log: log.child('hook') }
  await add('message hook', new MessageHook({ application, command: hooks.onMessage, home, ...system }))
}

function apiServer(settings: Settings, crypto: CryptoProvider, log: Logger, application: Application): ApiServer {
  return new ApiServer({
    application,
    home: settings.home,
    socketPath: settings.socketPath,
    host: settings.api.host,
    port: settings.api.port,
    tls: tlsFiles(settings),
    allow: settings.api.allow,
    names: settings.api.names,
    limits: settings.api.limits,
    sha256: (...parts) => crypto.sha256(...parts),
    clock: systemClock,
    rng: systemRng,
    log: log.child('api'),
  })
}

function tlsFiles({ home, api: { tls } }: Settings): { cert: string; key: string } | undefined {
  return tls === undefined ? undefined : { cert: resolve(home, tls.cert), key: resolve(home, tls.key) }
}

function accountContext(settings: Settings, crypto: CryptoProvider, database: Database, log: Logger): AccountContext {
  const files = { vault: join(settings.home, 'vault'), accountKey: join(settings.home, 'account.sealed') }
  return { crypto, rng: systemRng, clock: systemClock, log: log.child('account'), database, files }
}

function providerOf(settings: Settings): CryptoProvider {
  return selectProvider(settings.crypto === 'auto' ? undefined : settings.crypto)
}

async function makeHome(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true, mode: HOME_MODE })
  } catch (error) {
    throw fromSystemError(error, 'cannot make the home directory')
  }
  // Where everybody may write, somebody else may lay down a socket, a token or a configuration of theirs.
  if (((await stat(home)).mode & 0o002) !== 0) {
    throw new StorageError('anybody may write to the home directory: chmod 700 it, or use another --home')
  }
}

async function versionOf(): Promise<string> {
  const text = await readFile(packageFile('package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
