import { readFile } from 'node:fs/promises'
import { fromSystemError } from '../api/errors.ts'
import { UsageError } from '../lib/errors.ts'
import type { Context } from './context.ts'

const SECRET_MAX_BYTES = 4_096
const PASSPHRASE_MIN_CHARACTERS = 8

/** The passphrase as files or the environment give it: the flag, `SOTTO_PASSPHRASE_FILE`, `SOTTO_PASSPHRASE`. */
export async function givenPassphrase(context: Context, file: string | undefined): Promise<string | undefined> {
  const { env } = context.world
  const path = file ?? env['SOTTO_PASSPHRASE_FILE']
  if (path !== undefined && path !== '') return readSecret(context, path, 'the passphrase file')
  return env['SOTTO_PASSPHRASE'] === '' ? undefined : env['SOTTO_PASSPHRASE']
}

/** The same, or asked for on the terminal. */
export async function passphrase(context: Context, file: string | undefined): Promise<string> {
  return (await givenPassphrase(context, file)) ?? (await ask(context, 'Passphrase: '))
}

/** A new one: at least eight characters, typed twice when it is typed. */
export async function newPassphrase(context: Context, file: string | undefined): Promise<string> {
  const given = await givenPassphrase(context, file)
  const chosen = given ?? (await ask(context, 'New passphrase (8 characters or more): '))
  if (chosen.length < PASSPHRASE_MIN_CHARACTERS) throw new UsageError('a passphrase has at least 8 characters')
  if (given === undefined && (await ask(context, 'Once more: ')) !== chosen)
    throw new UsageError('the two passphrases differ')
  return chosen
}

/** A secret from a file (`-`: standard input), without its last line break. */
export async function readSecret(context: Context, path: string, what: string): Promise<string> {
  const bytes = path === '-' ? await context.world.readStdin(SECRET_MAX_BYTES) : await read(path, what)
  if (bytes.length > SECRET_MAX_BYTES) throw new UsageError(`${what} is too large`)
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '') throw new UsageError(`${what} is empty`)
  return text
}

async function read(path: string, what: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UsageError(`${what} is not there`, { cause: error })
    throw fromSystemError(error, `cannot read ${what}`)
  })
}

async function ask(context: Context, question: string): Promise<string> {
  if (context.world.terminal.stdin) return context.world.askHidden(question)
  throw new UsageError('no passphrase: use --passphrase-file, SOTTO_PASSPHRASE_FILE or SOTTO_PASSPHRASE')
}
