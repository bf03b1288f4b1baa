/** The API's three small files: written whole or not at all, readable by the owner only. */
import { chmod, open, readFile, rename, rm } from 'node:fs/promises'
import { fromBase64url, toBase64url } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { fromSystemError } from './errors.ts'
import type { Scope } from './application/access.ts'
import { addressFile, pageOpenFile, tokenFile, tokensFile } from './paths.ts'

const OWNER_ONLY = 0o600
const TOKEN_BYTES = 32

/** Where a running daemon listens. */
export interface ApiAddress {
  readonly pid: number
  readonly host: string
  readonly port: number
  readonly socketPath: string
}

/** Reads the address file; undefined where no daemon has left one (or an unreadable one). */
export async function readAddress(home: string): Promise<ApiAddress | undefined> {
  const text = await readText(addressFile(home))
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as Partial<ApiAddress>
    const { pid, host, port, socketPath } = value
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof port !== 'number') return undefined
    return typeof socketPath === 'string' ? { pid, host, port, socketPath } : undefined
  } catch {
    return undefined
  }
}

export async function writeAddress(home: string, address: ApiAddress): Promise<void> {
  await writeOwnerOnly(addressFile(home), `${JSON.stringify(address)}\n`)
}

/** Removes the address file, but never another daemon's. */
export async function removeAddress(home: string, pid: number): Promise<void> {
  const current = await readAddress(home)
  if (current?.pid === pid) await rm(addressFile(home), { force: true })
}

/** The token on disk, or undefined where there is none or it is not 32 bytes of base64url. */
export async function readToken(home: string): Promise<string | undefined> {
  const text = (await readText(tokenFile(home)))?.trim()
  return text !== undefined && fromBase64url(text)?.length === TOKEN_BYTES ? text : undefined
}

/** Writes a fresh token of 32 random bytes over whatever was there. */
export async function renewToken(home: string, rng: Rng): Promise<string> {
  const token = toBase64url(rng.bytes(TOKEN_BYTES))
  await writeOwnerOnly(tokenFile(home), `${token}\n`)
  return token
}

/** The token of this home, made on first use; a copy whose mode was loosened is tightened again. */
export async function openToken(home: string, rng: Rng): Promise<string> {
  const known = await readToken(home)
  if (known === undefined) return renewToken(home, rng)
  await chmod(tokenFile(home), OWNER_ONLY)
  return known
}

/** A named token as it is kept. Times are Unix milliseconds. */
export interface StoredToken {
  readonly id: string
  readonly name: string
  readonly scope: Scope
  /** SHA-256 of the token, hexadecimal. */
  readonly hash: string
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly usedAt: number | null
}

/** The named tokens; none where there is no file. Throws StorageError for one that is damaged: revoked ones must not come back. */
export async function readTokens(home: string): Promise<readonly StoredToken[]> {
  const text = await readText(tokensFile(home))
  if (text === undefined) return []
  try {
    const { version, tokens } = JSON.parse(text) as { version?: unknown; tokens?: unknown }
    if (version === 1 && Array.isArray(tokens) && tokens.every(isStoredToken)) return tokens
  } catch {
    // said below
  }
  throw new StorageError('tokens.json is damaged; move it away and create the tokens anew')
}

export async function writeTokens(home: string, tokens: readonly StoredToken[]): Promise<void> {
  await writeOwnerOnly(tokensFile(home), `${JSON.stringify({ version: 1, tokens }, null, 1)}\n`)
}

function isStoredToken(value: unknown): value is StoredToken {
  if (typeof value !== 'object' || value === null) return false
  const { id, name, scope, hash, createdAt, expiresAt, usedAt } = value as Partial<StoredToken>
  const isTime = (at: unknown): boolean => at === null || Number.isSafeInteger(at)
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    (scope === 'read' || scope === 'send' || scope === 'admin') &&
    /^[0-9a-f]{64}$/.test(hash ?? '') &&
    Number.isSafeInteger(createdAt) &&
    isTime(expiresAt) &&
    isTime(usedAt)
  )
}

/**
 * A page that leads on to `url`, for a browser to open: every user of the machine can read a command line, and nobody else this
 * file. Its path. Throws StorageError.
 */
export async function writePageOpen(home: string, url: string): Promise<string> {
  const quoted = url.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  const head = `<meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Sotto</title>`
  const refresh = `<meta http-equiv="refresh" content="0; url=${quoted}">`
  const text = `<!doctype html>${head}${refresh}<p><a href="${quoted}" rel="noreferrer">Sotto</a></p>\n`
  await writeOwnerOnly(pageOpenFile(home), text)
  return pageOpenFile(home)
}

export async function removePageOpen(home: string): Promise<void> {
  await rm(pageOpenFile(home), { force: true })
}

/** Writes beside the target and renames, so that a reader sees the old text or the new. */
async function writeOwnerOnly(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`
  try {
    await rm(draft, { force: true })
    const handle = await open(draft, 'wx', OWNER_ONLY)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, path)
  } catch (error) {
    throw fromSystemError(error, 'cannot write the API files')
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fromSystemError(error, 'cannot read the API files')
  }
}
