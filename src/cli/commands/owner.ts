import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { AvatarView, ProfileView } from '../../api/application/profile.ts'
import type { SettingsChange, SettingsView } from '../../api/application/settings.ts'
import { fromSystemError } from '../../api/errors.ts'
import { LimitError, UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { cleanPicture } from '../picture.ts'
import { fields } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

const AVATAR_MAX_BYTES = 24 * 1_024

interface ProfileOptions {
  readonly name?: string
  readonly bio?: string
  readonly avatar?: string
}

/** What others see of the owner, and what the owner chose. */
export const registerOwner: Register = (program, open) => {
  const profile = program.command('profile').description('what contacts see of you')
  profile
    .command('show [who]', { isDefault: true })
    .description('show yours, or what a contact says of itself')
    .action(async (who: string | undefined, _options: object, self: Command) => showProfile(open(self), who))
  profile
    .command('set')
    .description('change it; contacts are told')
    .option('--name <text>', 'what you call yourself, at most 64 bytes')
    .option('--bio <text>', 'a few words, at most 512 bytes')
    .option('--avatar <file>', 'a small picture (PNG, JPEG or WebP, at most 24 KiB); "none" takes it away')
    .action(async (options: ProfileOptions, self: Command) => setProfile(open(self), options))
  const settings = program
    .command('settings')
    .description('what you chose: receipts, typing, presence, how long things stay')
  settings
    .command('get [name]', { isDefault: true })
    .description('show them, or one')
    .action(async (name: string | undefined, _options: object, self: Command) => getSettings(open(self), name))
  settings
    .command('set <name> <value>')
    .description(`${Object.keys(KINDS).join(', ')}: on, off, a number, or none`)
    .action(async (name: string, value: string, _options: object, self: Command) => setSetting(open(self), name, value))
}

async function showProfile(context: Context, who: string | undefined): Promise<void> {
  const client = await context.client()
  const profile =
    who === undefined ? await client.profile() : await client.contactProfile(await resolveAccount(client, who))
  context.print(profile, profileText)
}

function profileText({ name, bio, avatar }: ProfileView): string {
  const picture = avatar === null ? null : `${avatar.type}, ${Math.floor((avatar.data.length * 3) / 4)} bytes`
  return fields({ name: name === '' ? null : name, bio: bio === '' ? null : bio, picture })
}

async function setProfile(context: Context, { name, bio, avatar }: ProfileOptions): Promise<void> {
  if (name === undefined && bio === undefined && avatar === undefined)
    throw new UsageError('say what to change: --name, --bio or --avatar')
  const picture = avatar === undefined ? {} : { avatar: avatar === 'none' ? null : await readAvatar(avatar) }
  const change = { ...(name === undefined ? {} : { name }), ...(bio === undefined ? {} : { bio }), ...picture }
  const client = await context.client()
  context.done(await client.updateProfile(change), profileText)
}

async function readAvatar(file: string): Promise<AvatarView> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw fromSystemError(error, 'cannot read the picture')
  })
  const clean = cleanPicture(bytes)
  if (clean.bytes.length > AVATAR_MAX_BYTES) throw new LimitError('the picture has at most 24 KiB')
  return { type: clean.type, data: clean.bytes.toString('base64') }
}

const KINDS: Readonly<Record<keyof SettingsView, 'switch' | 'number'>> = {
  readReceipts: 'switch',
  typing: 'switch',
  presence: 'switch',
  retentionDays: 'number',
  autoLockMinutes: 'number',
  defaultTimerSeconds: 'number',
}

async function getSettings(context: Context, name: string | undefined): Promise<void> {
  const client = await context.client()
  const all = await client.settings()
  if (name === undefined) {
    context.print(all, (view) =>
      fields(Object.fromEntries(Object.entries(view).map(([key, value]) => [key, shown(value as SettingValue)]))),
    )
    return
  }
  const value = all[known(name)]
  context.print({ setting: name, value }, () => shown(value))
}

async function setSetting(context: Context, name: string, text: string): Promise<void> {
  const key = known(name)
  const change: SettingsChange = { [key]: KINDS[key] === 'switch' ? switchOf(text) : numberOf(text) }
  const after = await (await context.client()).updateSettings(change)
  context.done({ setting: name, value: after[key] }, ({ value }) => `${name} is ${shown(value)} now`)
}

type SettingValue = boolean | number | null

function shown(value: SettingValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return value === null ? 'none' : String(value)
}

function known(name: string): keyof SettingsView {
  if (!Object.hasOwn(KINDS, name)) throw new UsageError(`the settings are ${Object.keys(KINDS).join(', ')}`)
  return name as keyof SettingsView
}

function switchOf(text: string): boolean {
  if (/^(on|true|yes)$/i.test(text)) return true
  if (/^(off|false|no)$/i.test(text)) return false
  throw new UsageError('this setting is on or off')
}

function numberOf(text: string): number | null {
  if (text === 'none') return null
  if (!/^[0-9]{1,9}$/.test(text)) throw new UsageError('this setting is a whole number, or none')
  return Number(text)
}
