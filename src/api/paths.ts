/** Where the daemon and its clients meet: the home directory and the files of the API in it. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** Which home is meant: the flag, `SOTTO_HOME`, `XDG_DATA_HOME/sotto`, `~/.local/share/sotto`; absolute. */
export function resolveHome(flag: string | undefined, env: Environment): string {
  const named = flag ?? nonEmpty(env['SOTTO_HOME'])
  if (named !== undefined) return resolve(named)
  const data = nonEmpty(env['XDG_DATA_HOME']) ?? join(nonEmpty(env['HOME']) ?? homedir(), '.local', 'share')
  return resolve(data, 'sotto')
}

/** Mode 0600: `{ pid, host, port, socketPath }` of the daemon that serves this home; gone when it stopped. */
export function addressFile(home: string): string {
  return join(home, 'api.json')
}

/** Mode 0600: the bearer token, 43 characters of base64url. */
export function tokenFile(home: string): string {
  return join(home, 'api-token')
}

/** Mode 0600: named tokens, as hashes. */
export function tokensFile(home: string): string {
  return join(home, 'tokens.json')
}

/** Mode 0600: what `sotto open` gives the browser; there for a minute at the most. */
export function pageOpenFile(home: string): string {
  return join(home, 'page-open.html')
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}
