/**
 * `npm run test:e2e`: real daemons, and their page in a real Chromium; with `--page` the page alone. Where there is no Chromium it
 * says so, and what to do; with `SOTTO_BROWSER=required`, as in CI, that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { browserPath } from './page/browser.ts'

const DAEMONS = 'test/e2e/**/*.test.ts'
const PAGE = 'test/page/**/*.test.ts'
/** Most of the time they wait for one another's daemons. */
const SIDE_BY_SIDE = 3

function main(): number {
  const { values } = parseArgs({ options: { page: { type: 'boolean', default: false } } })
  const browser = browserPath() !== undefined
  if (!browser) {
    process.stderr.write('no Chromium on this machine: the page is not tested; install it, or set SOTTO_CHROMIUM\n')
    if (process.env['SOTTO_BROWSER'] === 'required') return 1
  }
  // What is tested is what stands in the sources now.
  const built = spawnSync('npm', ['run', '--silent', 'build:page'], { stdio: 'inherit' })
  if (built.status !== 0) return built.status ?? 1
  const files = [...(values.page ? [] : [DAEMONS]), ...(browser ? [PAGE] : [])]
  if (files.length === 0) return 0
  const args = ['--test', `--test-concurrency=${SIDE_BY_SIDE}`, ...files]
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
}

process.exitCode = main()
