import type { Command } from 'commander'
import type { MessageState } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { DaemonError, LockedError, NetworkError, TimeoutError, UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { resolveAccount } from '../resolve.ts'

const POLL_MS = 150
const TIMEOUT_MS = 60_000

/** A condition: its result when it holds, undefined while it does not. */
type Check = (client: ApiClient) => Promise<object | undefined>

/** For scripts: returns when something has come about. */
export const registerWait: Register = (program, open) => {
  program
    .command('wait')
    .description(
      'wait for: up, ready, peers=N, message, message=NAME, stored=ID, delivered=ID, read=ID (60 s, or --timeout)',
    )
    .requiredOption('--for <condition>', 'what to wait for')
    .action(async (options: { for: string }, self: Command) => wait(open(self), options.for))
}

async function wait(context: Context, condition: string): Promise<void> {
  const check = parse(condition)
  const timeoutMs = context.timeoutMs ?? TIMEOUT_MS
  const found = await context.patiently(`waiting for ${condition}`, poll(context, check, Date.now() + timeoutMs))
  context.print({ for: condition, ...found }, () => condition)
}

async function poll(context: Context, check: Check, deadline: number): Promise<object> {
  let down: Error | undefined
  while (Date.now() < deadline) {
    down = undefined
    try {
      const found = await check(await context.client())
      if (found !== undefined) return found
    } catch (error) {
      // It may be starting, or be unlocked in a moment.
      if (!(error instanceof DaemonError || error instanceof LockedError)) throw error
      context.close()
      down = error
    }
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS)
    })
  }
  if (down !== undefined) throw down
  throw new TimeoutError('it did not come about in time; see: sotto status')
}

function parse(condition: string): Check {
  const [what = '', value] = condition.split(/=(.*)/s, 2)
  if (what === 'up' && value === undefined) return up
  if (what === 'ready' && value === undefined) return ready
  if (what === 'peers' && value !== undefined && /^[0-9]{1,6}$/.test(value)) return peers(Number(value))
  if (what === 'message') return message(value)
  if (value !== undefined && (what === 'stored' || what === 'delivered' || what === 'read')) return reached(value, what)
  throw new UsageError('wait for: up, ready, peers=N, message, message=NAME, stored=ID, delivered=ID or read=ID')
}

/** It answers, whatever its keys and peers do. */
async function up(client: ApiClient): Promise<object> {
  const { state, peerId, addresses } = await client.status()
  return { state, peerId, addresses }
}

async function ready(client: ApiClient): Promise<object | undefined> {
  const status = await client.status()
  return status.state === 'ready' ? { accountId: status.accountId, peers: status.peers } : undefined
}

function peers(wanted: number): Check {
  return async (client) => {
    const { peers } = await client.status()
    return peers >= wanted ? { peers } : undefined
  }
}

/** An unread message, of anybody or of one contact; one that came before counts. */
function message(who: string | undefined): Check {
  return async (client) => {
    const only = who === undefined ? undefined : await resolveAccount(client, who)
    const all = await client.conversations()
    const found = all.find(({ contact, unread }) => unread > 0 && (only === undefined || contact === only))
    return found === undefined ? undefined : { contact: found.contact, unread: found.unread }
  }
}

const ORDER: readonly MessageState[] = ['queued', 'stored', 'delivered', 'read']

function reached(id: string, wanted: MessageState): Check {
  return async (client) => {
    const { status } = await client.message(id)
    if (status === 'taken-back') throw new NetworkError('the message was taken back')
    if (status === 'expired' || status === 'failed')
      throw new NetworkError(`the message ${status}; see: sotto msg why ID`)
    return ORDER.indexOf(status) >= ORDER.indexOf(wanted) ? { id, status } : undefined
  }
}
