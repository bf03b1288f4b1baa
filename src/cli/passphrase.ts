import { readFile } from 'node:fs/promises'
import { fromSystemError } from '../api/errors.ts'
import { UsageError } from '../lib/errors.ts'
import type { Context } from './context.ts'

const SECRET_MAX_BYTES = 4_096
const PASSPHRASE_MIN_CHARACTERS = 8
const PHRASE_WORDS = 24

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
  return chosen(context, await givenPassphrase(context, file), 'New passphrase (8 characters or more): ')
}

/** A secret besides the home's passphrase: from the file, or asked for, and with `twice` chosen as a new one. */
export async function otherPassphrase(
  context: Context,
  { file, question, twice }: { file: string | undefined; question: string; twice: boolean },
): Promise<string> {
  const given = file === undefined ? undefined : await readSecret(context, file, 'the passphrase file')
  return twice ? chosen(context, given, question) : (given ?? ask(context, question))
}

async function chosen(context: Context, given: string | undefined, question: string): Promise<string> {
  const typed = given ?? (await ask(context, question))
  if (typed.length < PASSPHRASE_MIN_CHARACTERS) throw new UsageError('a passphrase has at least 8 characters')
  if (given === undefined && (await ask(context, 'Once more: ')) !== typed)
    throw new UsageError('the two passphrases differ')
  return typed
}

/** The 24 words, typed without being shown. Throws UsageError. */
export async function askPhrase(context: Context): Promise<string> {
  if (!context.world.terminal.stdin) throw new UsageError('no terminal to ask for the words: use --phrase-file')
  const words = (await context.world.askHidden('The 24 words, with spaces between: ')).toLowerCase().trim().split(/\s+/)
  if (words.length !== PHRASE_WORDS) throw new UsageError(`the phrase has 24 words; these are ${words.length}`)
  return words.join(' ')
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
