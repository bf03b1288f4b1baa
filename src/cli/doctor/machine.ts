/** Checks of this machine and the home: no daemon is asked. Pure; `look.ts` finds the facts. */
import { ok, fail, warn } from './check.ts'
import type { Check } from './check.ts'

const MIB = 1_048_576
const DISK_LEAST_BYTES = 100 * MIB
const DISK_LITTLE_BYTES = 1_024 * MIB
/** As `engines` of package.json has it. */
const NODE_LEAST = [24, 7] as const

export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const enough = major > NODE_LEAST[0] || (major === NODE_LEAST[0] && minor >= NODE_LEAST[1])
  return enough
    ? ok('node', `Node ${version}`)
    : fail('node', `Node ${version}`, `install Node ${NODE_LEAST.join('.')} or newer`)
}

export interface HomeFacts {
  /** Undefined where there is no home yet. */
  readonly mode: number | undefined
  readonly own: boolean
  /** Names in it that others may read or write. */
  readonly loose: readonly string[]
}

export function homeCheck({ mode, own, loose }: HomeFacts): Check {
  if (mode === undefined) return warn('home', 'there is none yet', 'make one: sotto init')
  if (!own) return fail('home', 'it belongs to another user', 'run as its owner, or use another --home')
  if ((mode & 0o002) !== 0) return fail('home', 'anybody may write to it', 'chmod 700 the home')
  if ((mode & 0o077) !== 0) return warn('home', 'others may look into it', 'chmod 700 the home')
  if (loose.length > 0) return warn('home', `others may read ${loose.join(', ')}`, 'chmod 600 these files in the home')
  return ok('home', 'only you have access')
}

export function diskCheck(freeBytes: number | undefined): Check {
  if (freeBytes === undefined) return warn('disk', 'free space is not known', 'look at it yourself: df')
  const free = `${Math.floor(freeBytes / MIB)} MiB free`
  if (freeBytes < DISK_LEAST_BYTES) return fail('disk', free, 'make room: without it nothing can be kept')
  if (freeBytes < DISK_LITTLE_BYTES) return warn('disk', free, 'make room soon')
  return ok('disk', free)
}

/** @param faults of the settings, or what the loader warned of. */
export function configCheck(found: { readonly fault?: string; readonly warnings: readonly string[] }): Check {
  if (found.fault !== undefined) return fail('config', found.fault, 'mend it: sotto config set, or sotto config path')
  const [first] = found.warnings
  return first === undefined
    ? ok('config', 'settings are valid')
    : warn('config', found.warnings.join('; '), 'see: sotto config get')
}

/** @param socket mode of the socket file, undefined where it is not there. */
export function socketCheck(socket: number | undefined): Check {
  if (socket === undefined) return fail('socket', 'the socket of the API is not there', 'start the daemon again')
  return (socket & 0o077) === 0
    ? ok('socket', 'only you may use it')
    : warn('socket', 'others may use it', 'start the daemon again: it makes the socket for you alone')
}
