/** What others wrote and we run: pinned, and not run while it is installed. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, Locked>> }
const manifest = JSON.parse(read('package.json')) as Locked
const others = Object.entries(packages).filter(([path]) => path !== '')

test('SE-12 SE-15 every package is pinned by the SHA-512 of its bytes, and the lock file is of this package.json', () => {
  assert.ok(others.length > 500, `${others.length} packages`)
  const loose = others.filter(([, { integrity, link }]) => link === true || integrity?.startsWith('sha512-') !== true)
  assert.deepEqual(
    loose.map(([path]) => path),
    [],
  )
  for (const kind of ['dependencies', 'devDependencies'] as const) {
    assert.deepEqual(packages['']?.[kind], manifest[kind])
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is not exact`)
      assert.equal(packages[`node_modules/${name}`]?.version, version, name)
    }
  }
  assert.match(read('.npmrc'), /^save-exact=true$/m)
})

/** Why each of them does its work although `npm ci --ignore-scripts` leaves its script out. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'node_modules/classic-level': 'its package has the addon built for each platform',
  'node_modules/node': 'brings the Node that who has one of 24.7 or newer does not need',
  'node_modules/@signalapp/libsignal-client': 'only measured against: not installed with --omit=dev',
}

test('SE-15 what has an install script works without it: npm ci --ignore-scripts is enough', () => {
  const scripted = others.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)
  assert.deepEqual(scripted.sort(), Object.keys(SCRIPTS).sort())
  for (const path of scripted) if (path !== 'node_modules/classic-level') assert.equal(packages[path]?.dev, true, path)
  const prebuilt = join(ROOT, 'node_modules', 'classic-level', 'prebuilds')
  for (const platform of ['linux-x64', 'linux-arm64', 'win32-x64']) assert.ok(existsSync(join(prebuilt, platform)))
  for (const guide of ['bootstrap/README.md', 'docker/Dockerfile'])
    assert.match(read(guide), /npm ci .*--ignore-scripts/)
})
