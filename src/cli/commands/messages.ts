import type { Command } from 'commander'
import type { MessageView, Page } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { LimitError, UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { count } from '../context.ts'
import { messageLine, statusOf, when } from '../render.ts'
import { resolveAccount } from '../resolve.ts'
import { petname } from './message.ts'

/** 1 MiB of text and a line break; the daemon counts exactly. */
const STDIN_MAX_BYTES = 1_048_576 + 2
const READ_COUNT = 20

interface SendOptions {
  readonly reply?: string
  readonly idempotencyKey?: string
}
interface ReadOptions {
  readonly peek?: boolean
  readonly limit?: number
  readonly cursor?: string
}

interface SearchOptions {
  readonly contact?: string
  readonly limit?: number
  readonly cursor?: string
}

/** What is said. */
export const registerMessages: Register = (program, open) => {
  program
    .command('send <who> [text]')
    .description('send a message; without text (or with -) it is read from standard input')
    .option('--reply <message>', 'the message that this one answers')
    .option('--idempotency-key <key>', 'sending again with the same key sends nothing new')
    .action(async (who: string, text: string | undefined, options: SendOptions, self: Command) =>
      send(open(self), who, text, options),
    )
  program
    .command('read [who]')
    .description('show a conversation and mark it as read; without a name, list the conversations')
    .option('--peek', 'do not mark as read')
    .option('-n, --limit <count>', 'how many messages', count)
    .option('--cursor <cursor>', 'older ones: the cursor that the last page gave')
    .action(async (who: string | undefined, options: ReadOptions, self: Command) =>
      who === undefined ? conversations(open(self)) : read(open(self), who, options),
    )
  program
    .command('search <words>')
    .description('find messages that have all the words, newest first')
    .option('--contact <who>', 'in one conversation only')
    .option('-n, --limit <count>', 'how many messages', count)
    .option('--cursor <cursor>', 'the page after: the cursor that the last one gave')
    .action(async (words: string, options: SearchOptions, self: Command) => search(open(self), words, options))
  program
    .command('starred')
    .description('the messages that you starred')
    .option('-n, --limit <count>', 'how many messages', count)
    .option('--cursor <cursor>', 'the page after: the cursor that the last one gave')
    .action(async (options: SearchOptions, self: Command) => starred(open(self), options))
}

async function send(context: Context, who: string, given: string | undefined, options: SendOptions): Promise<void> {
  const text = given === undefined || given === '-' ? await fromStdin(context) : given
  if (text === '') throw new UsageError('the message is empty')
  const client = await context.client()
  const to = await resolveAccount(client, who)
  const { reply: replyTo, idempotencyKey: id } = options
  const extra = { ...(replyTo === undefined ? {} : { replyTo }), ...(id === undefined ? {} : { id }) }
  const message = await context.patiently('sending', client.send(to, { text, ...extra }))
  context.print(message, () => `${statusOf(message)} ${message.id}`)
}

async function fromStdin(context: Context): Promise<string> {
  if (context.world.terminal.stdin) throw new UsageError('give the text, or pipe it: echo hello | sotto send NAME')
  const bytes = await context.world.readStdin(STDIN_MAX_BYTES)
  if (bytes.length > STDIN_MAX_BYTES) throw new LimitError('a text has at most 1 MiB')
  const text = new TextDecoder('utf-8', { fatal: true })
  try {
    return text.decode(bytes).replace(/\r?\n$/, '')
  } catch (error) {
    throw new UsageError('standard input is not UTF-8 text', { cause: error })
  }
}

async function conversations(context: Context): Promise<void> {
  const client = await context.client()
  context.print({ items: await client.conversations() }, ({ items }) => {
    const rows = items.map(({ name, contact, unread, lastMessage }) => [
      name === '' ? contact : name,
      unread === 0 ? '' : String(unread),
      lastMessage === null ? '' : when(lastMessage.sentAt),
      lastMessage === null ? '' : firstLine(lastMessage),
    ])
    return rows.length === 0 ? 'no conversations yet' : context.table(['WITH', 'NEW', 'LAST', ''], rows)
  })
}

function firstLine(message: MessageView): string {
  const [line = ''] = message.text.split('\n')
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}

async function read(context: Context, who: string, options: ReadOptions): Promise<void> {
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  const { cursor, limit = READ_COUNT } = options
  const page = await client.messages(accountId, cursor === undefined ? { limit } : { cursor, limit })
  const oldestFirst = page.items.toReversed()
  const name = await petname(client, accountId)
  const older = page.next === null ? [] : [`older: --cursor ${page.next}`]
  context.print({ items: oldestFirst, next: page.next }, () =>
    oldestFirst.length === 0
      ? 'nothing yet'
      : [...oldestFirst.map((message) => messageLine(message, name)), ...older].join('\n'),
  )
  const newest = oldestFirst.findLast((message) => !message.outgoing)
  if (options.peek !== true && newest !== undefined) await client.markRead(accountId, { upTo: newest.id })
}

async function search(context: Context, words: string, options: SearchOptions): Promise<void> {
  const client = await context.client()
  const { contact, cursor, limit = READ_COUNT } = options
  const where = contact === undefined ? {} : { contact: await resolveAccount(client, contact) }
  const page = await client.search({ query: words, limit, ...where, ...(cursor === undefined ? {} : { cursor }) })
  await printPage(context, client, page, 'nothing found')
}

async function starred(
  context: Context,
  { cursor, limit = READ_COUNT }: Omit<SearchOptions, 'contact'>,
): Promise<void> {
  const client = await context.client()
  const page = await client.starred({ limit, ...(cursor === undefined ? {} : { cursor }) })
  await printPage(context, client, page, 'nothing is starred')
}

async function printPage(context: Context, client: ApiClient, page: Page<MessageView>, none: string): Promise<void> {
  const names = new Map(context.json ? [] : (await client.contacts()).map(({ accountId, name }) => [accountId, name]))
  const more = page.next === null ? [] : [`more: --cursor ${page.next}`]
  context.print({ items: page.items, next: page.next }, ({ items }) =>
    items.length === 0
      ? none
      : [...items.map((message) => messageLine(message, names.get(message.contact) ?? '')), ...more].join('\n'),
  )
}
