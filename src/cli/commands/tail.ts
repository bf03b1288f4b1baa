import type { Command } from 'commander'
import type { EventView } from '../../api/application/events.ts'
import type { MessageView } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { NotFoundError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { count } from '../context.ts'
import { messageLine, safeLine, when } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

const TAIL_COUNT = 10
/** Events that mean a new line in a conversation; their data carries the message's id. */
const NEW_MESSAGE = new Set(['message:received', 'message:queued'])

interface Options {
  readonly follow?: boolean
  readonly events?: boolean
  readonly since?: string
  readonly consumer?: string
  readonly limit?: number
}

/** What happens, as it happens. */
export const registerTail: Register = (program, open) => {
  program
    .command('tail [who]')
    .description('the newest messages of one or all conversations; --follow goes on')
    .option('-f, --follow', 'keep showing what comes, over restarts of the daemon')
    .option('--events', 'numbered events instead of messages')
    .option('--since <number>', 'events after this one')
    .option('--consumer <name>', 'events that this named reader has not had yet; each counts as had once it is printed')
    .option('-n, --limit <count>', 'how many to begin with', count)
    .action(async (who: string | undefined, options: Options, self: Command) => {
      const context = open(self)
      if (options.consumer !== undefined) await tailConsumer(context, options.consumer, options)
      else await (options.events === true ? tailEvents(context, options) : tailMessages(context, who, options))
    })
  registerConsumers(program, open)
}

async function tailEvents(context: Context, options: Options): Promise<void> {
  const client = await context.client()
  const { limit = TAIL_COUNT } = options
  const { last } = await client.eventsSince(0, 1)
  const since = options.since === undefined ? Math.max(0, last - limit) : Number.parseInt(options.since, 10) || 0
  if (options.follow !== true) {
    const page = await client.eventsSince(since, Math.min(1_000, limit))
    for (const event of page.events) printEvent(context, event)
    return
  }
  for await (const item of untilStopped(context, client, since)) {
    if (item.type === 'event') printEvent(context, item.event)
    if (item.type === 'gap') context.say(gapText(item))
  }
}

const registerConsumers: Register = (program, open) => {
  const consumer = program.command('consumer').description('readers of events that the daemon remembers')
  consumer
    .command('list', { isDefault: true })
    .description('who reads, and how far each has come')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print({ items: await (await context.client()).consumers() }, ({ items }) => {
        const rows = items.map(({ name, acknowledged, seenAt }) => [name, String(acknowledged), when(seenAt)])
        return rows.length === 0 ? 'no readers yet' : context.table(['NAME', 'HAD', 'SEEN'], rows)
      })
    })
  consumer
    .command('remove <name>')
    .description('forget how far it has come')
    .action(async (name: string, _options: object, self: Command) => {
      const context = open(self)
      await (await context.client()).removeConsumer(name)
      context.done({ removed: name }, () => `${safeLine(name)} is forgotten`)
    })
}

/** Where the reader stopped last, whoever it was; the daemon remembers it over restarts of both. */
async function tailConsumer(context: Context, name: string, { follow, limit = 1_000 }: Options): Promise<void> {
  const client = await context.client()
  const { acknowledged } = await client.consumer(name)
  const had = async (number: number): Promise<void> => {
    await client.acknowledge(name, number)
  }
  if (follow !== true) {
    const { events, gap } = await client.eventsFor(name, Math.min(1_000, limit))
    if (gap !== null) context.say(gapText(gap))
    for (const event of events) printEvent(context, event)
    const last = events.at(-1)
    if (last !== undefined) await had(last.number)
    return
  }
  for await (const item of untilStopped(context, client, acknowledged)) {
    if (item.type === 'gap') context.say(gapText(item))
    if (item.type !== 'event') continue
    printEvent(context, item.event)
    await had(item.event.number)
  }
}

const gapText = ({ from, to }: { from: number; to: number }): string => `events ${from} to ${to} are no longer kept`

async function tailMessages(context: Context, who: string | undefined, options: Options): Promise<void> {
  const client = await context.client()
  const only = who === undefined ? undefined : await resolveAccount(client, who)
  // The number comes before the history: what arrives in between is shown by one or the other, and once.
  const { last } = await client.eventsSince(0, 1)
  const names = await namesOf(client)
  const history = await newest(client, only, options.limit ?? TAIL_COUNT)
  const shown = new Set(history.map((message) => message.id))
  for (const message of history) printMessage(context, message, names)
  if (options.follow !== true) return
  for await (const item of untilStopped(context, client, last)) {
    if (item.type !== 'event' || !NEW_MESSAGE.has(item.event.type)) continue
    const message = await fetchMessage(client, item.event)
    if (message === undefined || shown.delete(message.id)) continue
    if (only !== undefined && message.contact !== only) continue
    if (!names.has(message.contact)) for (const [id, name] of await namesOf(client)) names.set(id, name)
    printMessage(context, message, names)
  }
}

/** Events until Ctrl-C, which ends a tail as it ends any tail: well. */
async function* untilStopped(context: Context, client: ApiClient, since: number): ReturnType<ApiClient['events']> {
  const stop = new AbortController()
  void stopOnSignal(context, stop)
  yield* client.events(since, stop.signal)
}

async function stopOnSignal(context: Context, stop: AbortController): Promise<void> {
  await context.world.untilSignal()
  stop.abort()
}

async function newest(client: ApiClient, only: string | undefined, limit: number): Promise<readonly MessageView[]> {
  const all = await client.conversations()
  const wanted = all.filter(({ contact }) => only === undefined || contact === only)
  const pages = await Promise.all(
    wanted.map(({ contact }) => client.messages(contact, { limit: Math.min(200, limit) })),
  )
  const messages = pages.flatMap((page) => page.items)
  return messages.toSorted((a, b) => a.committedAt.localeCompare(b.committedAt)).slice(-limit)
}

async function namesOf(client: ApiClient): Promise<Map<string, string>> {
  const contacts = await client.contacts()
  return new Map(contacts.map(({ accountId, name }) => [accountId, name]))
}

/** The message that an event speaks of; undefined where it has been deleted since. */
async function fetchMessage(client: ApiClient, event: EventView): Promise<MessageView | undefined> {
  const id = (event.data as { id?: unknown } | null)?.id
  if (typeof id !== 'string') return undefined
  return client.message(id).catch((error: unknown) => {
    if (error instanceof NotFoundError) return undefined
    throw error
  })
}

function printMessage(context: Context, message: MessageView, names: ReadonlyMap<string, string>): void {
  const known = names.get(message.contact) ?? ''
  context.print(message, () => messageLine(message, known === '' ? `${message.contact.slice(0, 14)}…` : known))
}

function printEvent(context: Context, event: EventView): void {
  context.print(
    event,
    () => `${event.number}  ${when(event.at)}  ${safeLine(event.type)}  ${safeLine(JSON.stringify(event.data))}`,
  )
}
