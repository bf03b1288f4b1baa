import type { Command } from 'commander'
import type { CreatedIdentity } from '../../api/application/account.ts'
import { ConflictError, DaemonError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { askPhrase, newPassphrase, otherPassphrase, passphrase, readSecret } from '../passphrase.ts'
import { fields, phraseGrid, when } from '../render.ts'

interface Options {
  readonly passphraseFile?: string
  readonly phraseFile?: string
  readonly restore?: boolean
}
interface ChangeOptions {
  readonly passphraseFile?: string
  readonly newPassphraseFile?: string
}
type Made = Pick<CreatedIdentity, 'identity' | 'phrase'> & Partial<CreatedIdentity>

/** The account of this home, and the keys that guard it. */
export const registerIdentity: Register = (program, open) => {
  const withInit = (command: Command, description: string): void => {
    command
      .description(description)
      .option('--passphrase-file <file>', 'read the passphrase from a file')
      .option('--restore', 'bring back the account of a 24-word phrase, which is asked for')
      .option('--phrase-file <file>', 'the same, with the phrase in this file (- reads standard input)')
      .action(async (options: Options, self: Command) => init(open(self), options))
  }
  withInit(program.command('init'), 'make an identity on this home')
  const id = program.command('id').description('the identity of this home')
  withInit(id.command('new'), 'the same as init')
  id.command('show', { isDefault: true })
    .description('show the account, its devices and their keys’ life')
    .action(async (_options: object, self: Command) => show(open(self)))
  id.command('publish')
    .description('put the account’s cards on holders again')
    .action(async (_options: object, self: Command) => publish(open(self)))
  id.command('rotate')
    .description('make new account keys; contacts follow')
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .action(async (options: Options, self: Command) => rotate(open(self), options))
  program
    .command('unlock')
    .description('open the sealed keys of a running daemon')
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .action(async (options: Options, self: Command) => unlock(open(self), options))
  program
    .command('lock')
    .description('seal the keys of a running daemon')
    .action(async (_options: object, self: Command) => lock(open(self)))
  program
    .command('passphrase')
    .description('what opens the keys of this home')
    .command('change')
    .description('choose another passphrase')
    .option('--passphrase-file <file>', 'read the passphrase of now from a file')
    .option('--new-passphrase-file <file>', 'read the new one from a file')
    .action(async (options: ChangeOptions, self: Command) => changePassphrase(open(self), options))
}

async function changePassphrase(context: Context, options: ChangeOptions): Promise<void> {
  const client = await context.client()
  const current = await passphrase(context, options.passphraseFile)
  const question = 'New passphrase (8 characters or more): '
  const chosen = await otherPassphrase(context, { file: options.newPassphraseFile, question, twice: true })
  await context.patiently('sealing', client.changePassphrase({ passphrase: current, newPassphrase: chosen }))
  context.done({ changed: true }, () => 'from now on the new passphrase opens this home')
}

async function init(context: Context, options: Options): Promise<void> {
  const running = await isRunning(context)
  const phrase = await givenPhrase(context, options)
  const secret = await newPassphrase(context, options.passphraseFile)
  const work = running ? online(context, secret, phrase) : offline(context, secret, phrase)
  const made = await context.patiently(phrase === undefined ? 'making keys' : 'bringing the account back', work)
  const { identity, recovered = null } = made
  const result = { accountId: identity.accountId, deviceId: identity.deviceId, phrase: made.phrase, recovered }
  context.print(result, () => (phrase === undefined ? welcome(made) : back(made)))
  if (!running) context.say('next: sotto daemon')
}

async function givenPhrase(context: Context, options: Options): Promise<string | undefined> {
  const { phraseFile, restore } = options
  if (phraseFile !== undefined) return readSecret(context, phraseFile, 'the phrase file')
  return restore === true ? askPhrase(context) : undefined
}

function back({ identity, recovered }: Made): string {
  const found = recovered ?? undefined
  const what =
    found === undefined
      ? []
      : [
          found.card ? 'its card was found in the network' : 'no card of it was found in the network yet',
          `${found.contacts} contacts${found.settings ? ' and the settings' : ''} came back`,
        ]
  return [`account ${identity.accountId} is back on this home`, ...what].join('\n')
}

/** Whether a daemon answers; where it has an identity already nobody is asked for a passphrase first. */
async function isRunning(context: Context): Promise<boolean> {
  try {
    const client = await context.client()
    const { state } = await client.status()
    if (state !== 'empty') throw new ConflictError('this home has an identity already; use another --home')
    return true
  } catch (error) {
    if (error instanceof DaemonError) return false
    throw error
  }
}

async function online(context: Context, secret: string, phrase: string | undefined): Promise<Made> {
  const client = await context.client()
  return client.createIdentity(phrase === undefined ? { passphrase: secret } : { passphrase: secret, phrase })
}

async function offline(context: Context, secret: string, phrase: string | undefined): Promise<Made> {
  const { loadSettings } = await import('../../config.ts')
  const settings = await loadSettings({ home: context.homeFlag, env: context.world.env })
  const { offlineInit } = await context.world.loadNode()
  return phrase === undefined ? offlineInit(settings, secret) : offlineInit(settings, secret, phrase)
}

function welcome({ identity, phrase }: Made): string {
  return [
    `account ${identity.accountId}`,
    '',
    'Write these words down and keep them apart from this machine. They are shown once,',
    'they bring the account back, and whoever has them is you.',
    '',
    phraseGrid(phrase),
  ].join('\n')
}

async function show(context: Context): Promise<void> {
  const client = await context.client()
  context.print(await client.identity(), (identity) => {
    const devices = identity.devices.map((device) => {
      const self = device.self ? ' (this one)' : ''
      return `  ${device.deviceId}${self}, certified until ${when(device.expiresAt)}`
    })
    const head = fields({ account: identity.accountId, device: identity.deviceId, card: identity.cardNumber })
    return [head, 'devices:', ...devices].join('\n')
  })
}

async function publish(context: Context): Promise<void> {
  const client = await context.client()
  const result = await context.patiently('publishing', client.publishIdentity())
  context.print(result, ({ receipts }) => `published; ${receipts} holders gave a receipt`)
}

async function rotate(context: Context, options: Options): Promise<void> {
  const client = await context.client()
  const secret = await passphrase(context, options.passphraseFile)
  const made = await context.patiently('making keys', client.rotateIdentity({ passphrase: secret }))
  context.print({ accountId: made.identity.accountId, deviceId: made.identity.deviceId, phrase: made.phrase }, () =>
    welcome(made),
  )
}

async function unlock(context: Context, options: Options): Promise<void> {
  const client = await context.client()
  const secret = await passphrase(context, options.passphraseFile)
  context.done(await context.patiently('unlocking', client.unlock(secret)), ({ accountId }) => `unlocked ${accountId}`)
}

async function lock(context: Context): Promise<void> {
  const client = await context.client()
  await client.lock()
  context.done({ locked: true }, () => 'locked')
}
