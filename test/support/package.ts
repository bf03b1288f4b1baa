/** The package as it would be published, and an installation of it: made without a network. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
/** What the package is made from; nothing else of the checkout is looked at. */
const SOURCES = [
  'src',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vite.config.ts',
  'README.md',
  'LICENSE',
]
const OUTPUT_MAX_BYTES = 64 * 1_048_576

export interface Packed {
  /** Path of the tarball. */
  readonly file: string
  readonly size: number
  /** Paths in it. */
  readonly files: readonly string[]
}

/** `npm pack`, with its build, in a copy of the sources: a page that other tests look at is not built anew under them. */
export function pack(folder: string): Packed {
  mkdirSync(folder, { recursive: true })
  for (const name of SOURCES) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const output = npm(folder, ['pack', '--json'])
  const [{ filename, size, files }] = JSON.parse(output.slice(output.indexOf('['))) as [PackResult]
  return { file: join(folder, filename), size, files: files.map(({ path }) => path) }
}

interface PackResult {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

/**
 * `npm install TARBALL` into an empty folder. The packages that it depends on lie there already, as the lock file has them: npm
 * finds each of them good, or would have to ask a registry, which it may not. What the package does not name, npm takes away.
 */
export function install(folder: string, { file }: Packed): void {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock
  const wanted = Object.entries(packages).filter(
    ([path, { dev, peer }]) => path !== '' && dev !== true && peer !== true && existsSync(join(ROOT, path)),
  )
  for (const [path, { bin = {} }] of wanted) {
    const nested = path.indexOf('/node_modules/') !== -1
    if (!nested) cpSync(join(ROOT, path), join(folder, path), { recursive: true, verbatimSymlinks: true })
    if (nested) continue
    for (const name of Object.keys(bin)) {
      const link = join(folder, 'node_modules', '.bin', name)
      mkdirSync(dirname(link), { recursive: true })
      if (!existsSync(link)) cpSync(join(ROOT, 'node_modules', '.bin', name), link, { verbatimSymlinks: true })
    }
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  npm(folder, ['install', '--offline', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', file])
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly peer?: boolean; readonly bin?: Readonly<Record<string, string>> }>
  >
}

/** With a home and a cache of its own: what lies on this machine does not help, and is not touched. */
function npm(folder: string, args: readonly string[]): string {
  const home = join(folder, '..', 'npm-home')
  mkdirSync(home, { recursive: true })
  const env = { PATH: process.env['PATH'], HOME: home, npm_config_cache: join(home, 'cache') }
  const options = { cwd: folder, env, encoding: 'utf8', maxBuffer: OUTPUT_MAX_BYTES } as const
  const { status, stdout, stderr } = spawnSync('npm', [...args, '--no-update-notifier'], options)
  if (status !== 0) throw new Error(`npm ${args[0] ?? ''} failed: ${stderr.slice(-2_000)}${stdout.slice(-2_000)}`)
  return stdout
}
