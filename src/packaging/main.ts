/**
 * What `npm run build` does: everything that the package ships, into `dist`. Node takes no types below `node_modules`, so the
 * daemon goes there as JavaScript; the page, the manual and what shells complete by go with it.
 */
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { completion, SHELLS } from '../cli/completion.ts'
import { manPage } from '../cli/man.ts'
import { program } from '../cli/run.ts'
import { verbTree } from '../cli/tree.ts'
import { SOURCES } from '../config.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DIST = join(ROOT, 'dist')
const PAGE = 'web'

/** Runs a program; ends the build where it fails. */
function run(program: string, ...args: readonly string[]): void {
  const { status } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** What an earlier build left would be shipped too. The page is left to its own build. */
async function clear(): Promise<void> {
  await mkdir(DIST, { recursive: true })
  for (const name of await readdir(DIST)) {
    if (name !== PAGE) await rm(join(DIST, name), { recursive: true, force: true })
  }
}

async function writeDocuments(): Promise<void> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const verbs = verbTree(program())
  const environment = SOURCES.map(({ env, path }) => [env, `the setting ${path.join('.')}`] as const)
  await writeFile(join(DIST, 'sotto.1'), manPage(verbs, { version, date: dateOf(), environment }))
  await mkdir(join(DIST, 'completions'), { recursive: true })
  for (const shell of SHELLS) {
    await writeFile(join(DIST, 'completions', `sotto.${shell}`), completion(shell, verbs))
  }
}

/** The day of the build, or the one that whoever builds again and compares gives (reproducible-builds.org). */
function dateOf(): string {
  const seconds = Number(process.env['SOURCE_DATE_EPOCH'])
  const date = process.env['SOURCE_DATE_EPOCH'] === undefined ? new Date() : new Date(seconds * 1_000)
  return date.toISOString().slice(0, 10)
}

await clear()
run(join(ROOT, 'node_modules', '.bin', 'tsc'), '-p', 'tsconfig.build.json')
await chmod(join(DIST, 'cli', 'main.js'), 0o755)
run('npm', 'run', '--silent', 'build:page')
await writeDocuments()
