/** The bill of materials, as whoever runs a daemon makes it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '..', '..')
const OUTPUT_MAX_BYTES = 64 * 1_048_576

interface Component {
  readonly name: string
  readonly version: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
}
interface Locked {
  readonly version: string
  readonly integrity: string
  readonly dev?: boolean
  readonly peer?: boolean
}

/** What a daemon runs, as the lock file has it: name, version and SHA-512. */
function locked(): readonly string[] {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, Locked>> }
  return Object.entries(packages)
    .filter(([path, { dev, peer }]) => path !== '' && dev !== true && peer !== true)
    .map(([path, { version, integrity }]) => {
      const sha512 = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
      return `${path.split('node_modules/').at(-1) ?? ''} ${version} ${sha512}`
    })
}

test('SE-12 npm sbom lists every package that a daemon runs, each with its hash, without asking anybody', async () => {
  const command = /`npm (sbom [^`]+)`/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? assert.fail()
  const args = [...command.split(' '), '--package-lock-only', '--offline']
  const { stdout } = await promisify(execFile)('npm', args, { cwd: ROOT, maxBuffer: OUTPUT_MAX_BYTES })
  const { components } = JSON.parse(stdout) as { components: readonly Component[] }
  const listed = new Set(
    components.map(({ name, version, hashes = [] }) => {
      const sha512 = hashes.find(({ alg }) => alg === 'SHA-512')?.content ?? ''
      return `${name} ${version} ${sha512}`
    }),
  )
  const wanted = locked()
  assert.ok(wanted.length > 200, `${wanted.length} packages`)
  assert.deepEqual(
    wanted.filter((each) => !listed.has(each)),
    [],
  )
})
