import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { composeOverlay } from '../docker/compose.ts'
import { planPeers } from '../docker/plan.ts'

const ROOT = join(import.meta.dirname, '../..')
const directory = mkdtempSync(join(tmpdir(), 'sotto-compose-'))
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(file: string, args: readonly string[], path = process.env['PATH']): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, [...args], { env: { ...process.env, PATH: path } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code) || 127, stdout, stderr })
    })
  })
}

const MAIN = join(ROOT, 'test', 'docker', 'main.ts')

test('TE-17 where docker is missing the simulation says so in one line and exits with 2', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [MAIN, 'chaos'], directory)
  assert.deepEqual([code, stdout, stderr], [2, '', 'docker is not installed\n'])
  const wrong = await run(process.execPath, [MAIN, 'chaos', '--peers', '1'], directory)
  assert.deepEqual([wrong.code, wrong.stdout, wrong.stderr], [2, '', '--peers takes a number from 5 to 60\n'])
})

interface Model {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly driver_opts: Readonly<Record<string, string>> }>>
}
interface Service {
  readonly read_only?: boolean
  readonly user?: string
  readonly privileged?: boolean
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly ports?: readonly unknown[]
  readonly volumes?: readonly { readonly target: string; readonly read_only?: boolean }[]
}

/** What Compose makes of the files; of the names alone where it is not there, since files.test.ts reads these. */
async function resolved(overlay: string): Promise<Model | undefined> {
  const files = ['-f', join(ROOT, 'docker', 'compose.yaml'), '-f', overlay]
  if ((await run('docker', ['compose', 'version'])).code !== 0) return undefined
  const { code, stdout, stderr } = await run('docker', ['compose', ...files, 'config', '--format', 'json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Model
}

test('TE-17 OP-24 Compose understands the files of a run: daemons without privileges, writing to their volume only', async (t) => {
  const overlay = join(directory, 'overlay.json')
  const plans = planPeers(10, 4)
  const run = { docker: join(ROOT, 'docker'), root: directory, plans, image: () => 'sotto:local', discover: false }
  writeFileSync(overlay, composeOverlay(run))
  const model = await resolved(overlay)
  assert.equal(Object.keys((JSON.parse(composeOverlay(run)) as Model).services).length, plans.length + 5)
  if (model === undefined) {
    t.diagnostic('Compose is not here: only the names were looked at')
    return
  }
  for (const { name } of plans) {
    const service: Service = model.services[name] ?? assert.fail(name)
    assert.deepEqual([service.read_only, service.user, service.cap_drop], [true, '1000:1000', ['ALL']], name)
    assert.deepEqual([service.privileged, service.cap_add, service.ports], [undefined, undefined, undefined], name)
    const written = service.volumes?.filter((volume) => volume.read_only !== true).map(({ target }) => target)
    assert.deepEqual(written, ['/data'], name)
  }
  for (const [name, { driver_opts: options }] of Object.entries(model.networks)) {
    assert.equal(options['com.docker.network.bridge.inhibit_ipv4'], 'true', `${name}: no address of the machine's`)
  }
})
