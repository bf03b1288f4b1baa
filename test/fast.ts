/** Runs the fast tests in two processes side by side, without isolation: loading libp2p once per file costs more than all of them. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

const FILES = [
  'test/architecture.test.ts',
  'test/unit/**/*.test.ts',
  'test/property/**/*.test.ts',
  'test/vectors/**/*.test.ts',
]
const shards = Math.min(2, availableParallelism())

const run = (shard: number): Promise<number> =>
  new Promise((resolve) => {
    const options = ['--test', '--test-isolation=none', '--test-reporter=dot', `--test-shard=${shard}/${shards}`]
    spawn(process.execPath, [...options, ...FILES], { stdio: 'inherit' }).on('close', (code) => {
      resolve(code ?? 1)
    })
  })

const codes = await Promise.all(Array.from({ length: shards }, (_, i) => run(i + 1)))
process.exitCode = Math.max(...codes)
