/** Finds the facts, in the order in which one thing rests on another, and has them judged. */
import type { Stats } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { MessageView } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { readAddress } from '../../api/files.ts'
import { SottoError, messageOf } from '../../lib/errors.ts'
import type { Context } from '../context.ts'
import { ownVersion } from '../own-version.ts'
import { fail } from './check.ts'
import type { Check } from './check.ts'
import * as daemon from './daemon.ts'
import * as machine from './machine.ts'

const CONVERSATIONS_LOOKED_AT = 8

export async function examine(context: Context): Promise<readonly Check[]> {
  const { home } = context
  const mine = [
    machine.nodeCheck(process.versions.node),
    machine.configCheck(await settingsOf(context)),
    machine.homeCheck(await homeOf(home)),
    machine.diskCheck(await freeBytes(home)),
  ]
  try {
    const client = await context.client()
    return [...mine, ...(await examineDaemon(home, client))]
  } catch (error) {
    if (!(error instanceof SottoError)) throw error
    return [...mine, fail('daemon', error.message, 'start it: sotto daemon')]
  }
}

async function examineDaemon(home: string, client: ApiClient): Promise<readonly Check[]> {
  const status = await client.status()
  const address = await readAddress(home)
  const always = [
    { name: 'daemon', result: 'ok', detail: `answers, up for ${status.uptimeSeconds} s`, advice: '' } as const,
    machine.socketCheck(address === undefined ? undefined : (await look(address.socketPath))?.mode),
    daemon.versionCheck(status.version, await ownVersion()),
    daemon.accountCheck(status),
    daemon.reachCheck(await client.net()),
  ]
  if (status.state === 'empty' || status.state === 'locked') return always
  const [mailbox, identity, prekeys, received] = await Promise.all([
    client.mailbox(),
    client.identity(),
    client.prekeys(),
    lately(client),
  ])
  return [
    ...always,
    daemon.mailboxCheck(mailbox, Date.now()),
    daemon.cardCheck(identity, Date.now()),
    daemon.prekeysCheck(prekeys),
    daemon.clockCheck(received),
  ]
}

/** The newest messages of a few conversations. */
async function lately(client: ApiClient): Promise<readonly MessageView[]> {
  const conversations = (await client.conversations()).slice(0, CONVERSATIONS_LOOKED_AT)
  const pages = await Promise.all(conversations.map(({ contact }) => client.messages(contact, { limit: 20 })))
  return pages.flatMap(({ items }) => items)
}

async function settingsOf(
  context: Context,
): Promise<{ readonly fault?: string; readonly warnings: readonly string[] }> {
  const { loadSettings } = await import('../../config.ts')
  try {
    return await loadSettings({ home: context.homeFlag, env: context.world.env })
  } catch (error) {
    return { fault: messageOf(error), warnings: [] }
  }
}

async function homeOf(home: string): Promise<machine.HomeFacts> {
  const found = await look(home)
  if (found === undefined) return { mode: undefined, own: true, loose: [] }
  const names = await readdir(home).catch((): string[] => [])
  const loose: string[] = []
  for (const name of names.sort()) {
    const each = await look(join(home, name))
    if (each !== undefined && (each.mode & 0o077) !== 0 && !each.isDirectory()) loose.push(name)
  }
  return { mode: found.mode, own: found.uid === (process.getuid?.() ?? found.uid), loose }
}

/** Of the disk that the home lies on, or will. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path
    return missing ? freeBytes(dirname(path)) : undefined
  }
}

async function look(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined)
}
