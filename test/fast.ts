/**
 * Runs the fast tests in two processes side by side, without isolation: loading libp2p once per file costs more than all of them.
 * With `--rooms` those of net and services, which have sockets, databases and whole mailboxes in them and take as long again.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

const FAST = [
  'test/architecture.test.ts',
  'test/unit/*.test.ts',
  'test/unit/!(net|services)/**/*.test.ts',
  'test/property/**/*.test.ts',
  'test/vectors/**/*.test.ts',
  'test/upgrade/**/*.test.ts',
]
const ROOMS = ['test/unit/net/**/*.test.ts', 'test/unit/services/**/*.test.ts']
const files = process.argv.includes('--rooms') ? ROOMS : FAST
const shards = Math.min(2, availableParallelism())

const run = (shard: number): Promise<number> =>
  new Promise((resolve) => {
    const options = ['--test', '--test-isolation=none', '--test-reporter=dot', `--test-shard=${shard}/${shards}`]
    spawn(process.execPath, [...options, ...files], { stdio: 'inherit' }).on('close', (code) => {
      resolve(code ?? 1)
    })
  })

const codes = await Promise.all(Array.from({ length: shards }, (_, i) => run(i + 1)))
process.exitCode = Math.max(...codes)
