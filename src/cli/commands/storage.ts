import { createReadStream } from 'node:fs'
import { open as openFile, rename, rm, stat } from 'node:fs/promises'
import type { Command } from 'commander'
import type { MessageView } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { fromSystemError } from '../../api/errors.ts'
import { ConflictError, NotFoundError, UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { otherPassphrase, passphrase } from '../passphrase.ts'
import { safeJson, when } from '../render.ts'

const PAGE = 200

interface BackupOptions {
  readonly passphraseFile?: string
  readonly backupPassphraseFile?: string
  readonly force?: boolean
}

/** Copies: sealed for oneself, open for other programs. */
export const registerStorage: Register = (program, open) => {
  const backup = program.command('backup').description('a sealed copy of account, contacts, messages and settings')
  backup
    .command('create <file>')
    .description('write one; it has a passphrase of its own')
    .option('--passphrase-file <file>', 'read the passphrase of this home from a file')
    .option('--backup-passphrase-file <file>', 'read the passphrase of the backup from a file')
    .option('--force', 'replace the file')
    .action(async (file: string, options: BackupOptions, self: Command) => create(open(self), file, options))
  backup
    .command('restore <file>')
    .description('make the account of an empty home from a backup')
    .option('--passphrase-file <file>', 'read the passphrase that this home gets from a file')
    .option('--backup-passphrase-file <file>', 'read the passphrase of the backup from a file')
    .action(async (file: string, options: BackupOptions, self: Command) => restore(open(self), file, options))
  program
    .command('export')
    .description('print contacts, conversations and every message as JSON; with --jsonl one line for each')
    .action(async (_options: object, self: Command) => exportAll(open(self)))
  program
    .command('file [arguments...]')
    .description('reserved: sending files is not in this version')
    .allowUnknownOption()
    .action(() => {
      throw new UsageError('sending files is not in this version of Sotto')
    })
}

async function create(context: Context, file: string, options: BackupOptions): Promise<void> {
  if (options.force !== true && (await stat(file).catch(() => undefined)) !== undefined)
    throw new ConflictError('the file is there already; choose another, or use --force')
  const client = await context.client()
  const current = await passphrase(context, options.passphraseFile)
  const sealed = await otherPassphrase(context, {
    file: options.backupPassphraseFile,
    question: 'Passphrase for the backup (8 characters or more): ',
    twice: true,
  })
  const meter = new Meter()
  const draft = `${file}.${process.pid}.part`
  try {
    await context.interruptible(async () => {
      const work = save(draft, client.backup({ current, passphrase: sealed }), meter)
      await context.patiently('writing the backup', work, () => meter.text())
    })
    await rename(draft, file)
  } catch (error) {
    throw fromSystemError(error, 'cannot write the backup')
  } finally {
    await rm(draft, { force: true })
  }
  context.done({ file, bytes: meter.bytes }, () => `${file} is written, ${meter.text()}`)
  context.say('without its passphrase nobody can open it, you neither')
}

/** Beside the target, which it takes the place of when it is whole. */
async function save(draft: string, chunks: AsyncIterable<Uint8Array>, meter: Meter): Promise<void> {
  const handle = await openFile(draft, 'wx', 0o600)
  try {
    for await (const chunk of chunks) {
      await handle.writeFile(chunk)
      meter.bytes += chunk.length
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function restore(context: Context, file: string, options: BackupOptions): Promise<void> {
  const { size } = await stat(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new NotFoundError('the file is not there', { cause: error })
    throw fromSystemError(error, 'cannot read the backup')
  })
  const client = await context.client()
  if ((await client.status()).state !== 'empty')
    throw new ConflictError('this home has an account already; restore into an empty one with another --home')
  const sealed = await otherPassphrase(context, {
    file: options.backupPassphraseFile,
    question: 'Passphrase of the backup: ',
    twice: false,
  })
  const newPassphrase = await otherPassphrase(context, {
    file: options.passphraseFile ?? context.world.env['SOTTO_PASSPHRASE_FILE'],
    question: 'New passphrase for this home (8 characters or more): ',
    twice: true,
  })
  const meter = new Meter(size)
  const summary = await context.interruptible((signal) => {
    const backup = metered(createReadStream(file, { signal }), meter)
    const work = client.restoreBackup({ backup, passphrase: sealed, newPassphrase })
    return context.patiently('restoring', work, () => meter.text())
  })
  context.done(summary, ({ accountId, createdAt, contacts, messages }) => {
    const what = `${contacts} contacts and ${messages} messages`
    return `account ${accountId} is back with ${what}, as of ${when(createdAt)}`
  })
}

async function* metered(chunks: AsyncIterable<Uint8Array>, meter: Meter): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    meter.bytes += chunk.length
    yield chunk
  }
}

/** How far a copy is. */
class Meter {
  bytes = 0
  readonly #total: number | undefined

  constructor(total?: number) {
    this.#total = total
  }

  text(): string {
    const done = `${(this.bytes / 1_048_576).toFixed(1)} MiB`
    return this.#total === undefined ? done : `${done} of ${(this.#total / 1_048_576).toFixed(1)} MiB`
  }
}

/** Always JSON: it is for other programs. Groups are an empty list until there are any. */
async function exportAll(context: Context): Promise<void> {
  const client = await context.client()
  const [contacts, conversations] = await Promise.all([client.contacts(), client.conversations()])
  if (context.jsonLines) {
    const line = (type: string, value: object): void => {
      context.world.stdout(`${safeJson({ schemaVersion: 1, type, ...value })}\n`)
    }
    for (const contact of contacts) line('contact', contact)
    for (const conversation of conversations) line('conversation', conversation)
    for (const { contact } of conversations) for await (const each of messagesOf(client, contact)) line('message', each)
    return
  }
  const messages: MessageView[] = []
  const collect = async (): Promise<void> => {
    for (const { contact } of conversations) {
      const newestFirst = []
      for await (const each of messagesOf(client, contact)) newestFirst.push(each)
      // One by one: a hundred thousand arguments are more than a call takes.
      for (const each of newestFirst.toReversed()) messages.push(each)
    }
  }
  await context.patiently('collecting', collect(), () => `${messages.length} messages`)
  const all = { contacts, conversations, messages, groups: [] }
  context.print(all, () => safeJson(all, 2))
}

/** Newest first, a page at a time. */
async function* messagesOf(client: ApiClient, contact: string): AsyncGenerator<MessageView> {
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await client.messages(contact, cursor === undefined ? { limit: PAGE } : { cursor, limit: PAGE })
    yield* page.items
    cursor = page.next
  }
}
