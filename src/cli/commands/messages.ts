import type { Command } from 'commander'
import type { MessageView, WhyView } from '../../api/application.ts'
import type { ApiClient } from '../../api/client.ts'
import { LimitError, UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { count } from '../context.ts'
import { messageLine, safeLine, statusOf, table, when } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

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
    .description('find texts that contain the words')
    .option('--contact <who>', 'in one conversation only')
    .option('-n, --limit <count>', 'how many messages', count)
    .action(async (words: string, options: SearchOptions, self: Command) => search(open(self), words, options))
  program
    .command('export')
    .description('print contacts, conversations and every message as JSON')
    .action(async (_options: object, self: Command) => exportAll(open(self)))
  const msg = program.command('msg').description('one message')
  msg
    .command('show <id>')
    .description('show it')
    .action(async (id: string, _options: object, self: Command) => showMessage(open(self), id))
  msg
    .command('why <id>')
    .description('what is proved about its delivery, and what happens next')
    .action(async (id: string, _options: object, self: Command) => why(open(self), id))
  msg
    .command('take-back <id>')
    .description('take back a message that has not been delivered yet')
    .action(async (id: string, _options: object, self: Command) => takeBack(open(self), id))
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
    return rows.length === 0 ? 'no conversations yet' : table(['WITH', 'NEW', 'LAST', ''], rows)
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

async function petname(client: ApiClient, accountId: string): Promise<string> {
  const contact = await client.contact(accountId)
  return contact.name === '' ? `${accountId.slice(0, 14)}…` : contact.name
}

async function search(context: Context, words: string, { contact, limit = READ_COUNT }: SearchOptions): Promise<void> {
  const client = await context.client()
  const where = contact === undefined ? {} : { contact: await resolveAccount(client, contact) }
  const items = await client.search({ query: words, limit, ...where })
  const names = new Map((await client.contacts()).map(({ accountId, name }) => [accountId, name]))
  context.print({ items }, () =>
    items.length === 0
      ? 'nothing found'
      : items.map((message) => messageLine(message, names.get(message.contact) ?? '')).join('\n'),
  )
}

/** Always JSON: it is for other programs. Groups are an empty list until there are any. */
async function exportAll(context: Context): Promise<void> {
  const client = await context.client()
  const conversations = await client.conversations()
  const messages: MessageView[] = []
  for (const { contact } of conversations) messages.push(...(await allMessages(client, contact)))
  const all = { contacts: await client.contacts(), conversations, messages, groups: [] }
  context.print(all, () => JSON.stringify(all, undefined, 2))
}

/** Oldest first. */
async function allMessages(client: ApiClient, contact: string): Promise<readonly MessageView[]> {
  const pages: MessageView[] = []
  let next: string | null | undefined
  do {
    const page = await client.messages(contact, next == null ? { limit: 200 } : { cursor: next, limit: 200 })
    pages.push(...page.items)
    next = page.next
  } while (next !== null)
  return pages.toReversed()
}

async function showMessage(context: Context, id: string): Promise<void> {
  const client = await context.client()
  const message = await client.message(id)
  const name = context.json ? '' : await petname(client, message.contact)
  context.print(message, () => messageLine(message, name))
}

async function why(context: Context, id: string): Promise<void> {
  const client = await context.client()
  context.print(await client.why(id), explain)
}

async function takeBack(context: Context, id: string): Promise<void> {
  const client = await context.client()
  const message = await context.patiently('taking back', client.takeBack(id))
  context.print(message, () => `${statusOf(message)} ${message.id}`)
}

function explain(view: WhyView): string {
  const devices = view.devices.flatMap((device) => [
    `device ${device.deviceId}: ${device.path}, ${device.attempts} attempts, expires ${when(device.expiresAt)}`,
    ...(device.nextAttemptAt === null ? [] : [`  next attempt ${when(device.nextAttemptAt)}`]),
    ...device.holders.map((holder) => `  receipt of ${holder.peerId} at ${when(holder.at)}`),
    ...(device.proved === null ? [] : [`  shown by ${device.proved.holders} holders at ${when(device.proved.at)}`]),
    ...device.steps.map((step) => `  ${when(step.at)} ${safeLine(step.event)} ${safeLine(step.detail)}`.trimEnd()),
  ])
  return [`${view.status}: ${safeLine(view.summary)}`, ...devices].join('\n')
}
