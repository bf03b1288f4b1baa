import { Option } from 'commander'
import type { Command } from 'commander'
import { connect } from '../../api/client.ts'
import { fromSystemError } from '../../api/errors.ts'
import { ConflictError, DaemonError, TimeoutError, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { ROLE_NAMES } from '../../lib/roles.ts'
import type { Context, Register } from '../context.ts'
import type { RunningDaemon } from '../node-module.ts'
import { givenPassphrase } from '../passphrase.ts'

/** Half a minute of it is for handing over what too few others hold; a second signal ends it at once. */
const STOP_MS = 40_000

interface Options {
  readonly network?: string
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly bootstrap?: readonly string[]
  readonly role?: string
  readonly peerList?: string
  readonly direct?: string
  readonly mdns?: boolean
  readonly holder?: boolean
  readonly apiHost?: string
  readonly apiPort?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly allow?: readonly string[]
  readonly onMessage?: string
  readonly logLevel?: string
  readonly passphraseFile?: string
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** The daemon in the foreground; a supervisor puts it in the background. */
export const registerDaemon: Register = (program, open) => {
  program
    .command('daemon')
    .description('run the daemon of this home')
    .option('--network <profile>', 'network profile: main, local, or a file')
    .option('--listen <multiaddr>', 'where to listen for peers (repeat for more)', several)
    .option('--announce <multiaddr>', 'address to tell others (repeat for more)', several)
    .option('--bootstrap <multiaddr>', 'peer to join by (repeat for more)', several)
    .addOption(new Option('--role <role>', 'what it does for others').choices(ROLE_NAMES))
    .option('--peer-list <file>', 'signed list of peers to join by')
    .option('--direct <when>', 'whether contacts may learn your address: always, or never')
    .option('--no-mdns', 'do not look for peers on the local network, nor be found there')
    .option('--no-holder', 'store nothing for others')
    .option('--api-host <host>', 'address of the API; beyond loopback it needs --tls-cert and --tls-key')
    .option('--tls-cert <file>', 'certificate (PEM) of the API')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--allow <network>', 'who else may connect to the API: an address or CIDR (repeat for more)', several)
    .option('--on-message <command>', 'program to run for every message that comes; the text is not handed to it')
    .option('--api-port <port>', 'port of the API; 0 takes any')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--passphrase-file <file>', 'unlock at the start with the passphrase in this file')
    .action(async (options: Options, self: Command) => {
      // commander sets --no-… to true when it is absent; only a real false is an answer.
      const { holder, mdns, ...rest } = options
      const off = { ...(holder === false ? { holder } : {}), ...(mdns === false ? { mdns } : {}) }
      await daemon(open(self), { ...rest, ...off })
    })
}

async function daemon(context: Context, options: Options): Promise<void> {
  const { world } = context
  const [{ loadSettings }, { createLogger }, { supervised }] = await Promise.all([
    import('../../config.ts'),
    import('../../logger.ts'),
    import('../../supervisor.ts'),
  ])
  const settings = await loadSettings({ home: context.homeFlag, env: world.env, flags: { ...options } })
  for (const warning of settings.warnings) context.say(`warning: ${warning}`)
  await refuseSecond(settings.home)
  const secret = await givenPassphrase(context, settings.passphraseFile)
  const log = createLogger(settings.log.level)
  const supervisor = supervised(world.env, log)
  const stopped = world.untilSignal()
  const crashed = world.untilCrash().then((error) => fail(error, log))
  const { runDaemon } = await world.loadNode()
  const starting = runDaemon(settings, log, secret === undefined ? {} : { passphrase: secret })
  const first = await Promise.race([starting, crashed, stopped]).catch((error: unknown) => {
    throw fromSystemError(error, 'the daemon cannot start')
  })
  try {
    if (typeof first === 'string') return
    announce(context, first, settings.api.tls === undefined ? 'http' : 'https')
    void supervisor.ready(first.state)
    await Promise.race([stopped, crashed])
  } finally {
    await Promise.all([supervisor.stopping(), inTime(starting.then((running) => running.stop()))])
  }
}

async function refuseSecond(home: string): Promise<void> {
  try {
    const client = await connect(home, 2_000)
    await client.status()
    client.close()
  } catch (error) {
    if (error instanceof DaemonError || error instanceof TimeoutError) return
    throw error
  }
  throw new ConflictError('a daemon already runs on this home; stop it first, or use another --home')
}

/** Says once what nobody caught; the daemon then stops in order and exits with 2. */
function fail(error: unknown, log: Logger): never {
  log.error('crashed', { error: nameOf(error) })
  throw new Error(`the daemon crashed (${nameOf(error)})`, { cause: error })
}

function announce(context: Context, { api, state }: RunningDaemon, scheme: 'http' | 'https'): void {
  const url = `${scheme}://${api.host}:${api.port}`
  if (context.json) context.print({ state, api: { ...api, url } }, () => '')
  context.say(`sotto runs (${state}); API at ${url} and ${api.socketPath}`)
  if (state === 'empty') context.say('no identity yet; run: sotto init, or for the page: sotto open')
  if (state === 'locked') context.say('the keys are sealed; run: sotto unlock')
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new TimeoutError('the daemon did not stop in time'))
    }, STOP_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
