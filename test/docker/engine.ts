/** The docker command: what is missing of it, and its words. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const OUTPUT_BYTES_MAX = 256 * 1_048_576
const TIMEOUT_MS = 900_000

export const PROJECT = 'sotto-sim'

/** One line that says what has to be there first; undefined where nothing is missing. */
export async function lacking(): Promise<string | undefined> {
  const asked = [
    { args: ['--version'], says: 'docker is not installed' },
    { args: ['info'], says: 'no Docker engine answers: start it, or set DOCKER_HOST' },
    { args: ['compose', 'version'], says: 'Docker Compose is missing: the plugin of version 2' },
  ]
  for (const { args, says } of asked) {
    if (!(await works(args))) return says
  }
  if (process.platform === 'linux' && process.getuid?.() === 0) return undefined
  return 'Linux and root are needed: the daemons’ disks are read, and their sockets called, from outside the containers'
}

async function works(args: readonly string[]): Promise<boolean> {
  return run('docker', [...args], { timeout: 30_000 }).then(
    () => true,
    () => false,
  )
}

/** What the command printed on both outputs. Throws Error with the last of it. */
export async function docker(...args: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run('docker', [...args], { maxBuffer: OUTPUT_BYTES_MAX, timeout: TIMEOUT_MS })
    return stdout + stderr
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    const last = stderr.trim().split('\n').slice(-3).join(' ')
    throw new Error(`docker ${args.slice(0, 3).join(' ')}: ${last === '' ? 'failed' : last}`, { cause: error })
  }
}

export interface Inspected {
  readonly Name: string
  readonly RestartCount: number
  readonly State: {
    readonly Running: boolean
    readonly OOMKilled: boolean
    readonly ExitCode: number
    readonly Pid: number
  }
  readonly Config: { readonly Image: string }
}

export async function inspect(containers: readonly string[]): Promise<readonly Inspected[]> {
  return JSON.parse(await docker('inspect', '--type', 'container', ...containers)) as Inspected[]
}

/** Compose on the files of a run. */
export class Compose {
  readonly #files: readonly string[]

  constructor(files: readonly string[]) {
    this.#files = files.flatMap((file) => ['-f', file])
  }

  async up(services: readonly string[]): Promise<void> {
    await docker('compose', '-p', PROJECT, ...this.#files, 'up', '-d', '--no-build', '--no-deps', ...services)
  }

  async down(): Promise<void> {
    await docker('compose', '-p', PROJECT, ...this.#files, 'down', '-v', '--remove-orphans', '-t', '2')
  }
}

export const containerOf = (service: string): string => `${PROJECT}-${service}-1`
export const networkOf = (network: string): string => `${PROJECT}_${network}`
