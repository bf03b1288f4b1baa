import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadSettings } from '../../src/config.ts'
import { StorageError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { offlineInit, runDaemon } from '../../src/node.ts'

test('a home that anybody may write to is refused, and nothing is put there', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'sotto-home-'))
  t.after(async () => rm(home, { recursive: true }))
  await chmod(home, 0o777)
  const settings = await loadSettings({ home, env: {} })
  await assert.rejects(offlineInit(settings, 'correct horse'), StorageError)
  assert.deepEqual(await readdir(home), [])
})

test('LS-18 without the holder role there is no database for it, with it there is', async (t) => {
  for (const enabled of ['false', 'true']) {
    const home = await mkdtemp(join(tmpdir(), 'sotto-home-'))
    t.after(async () => rm(home, { recursive: true }))
    const env = { SOTTO_HOLDER: enabled, SOTTO_NETWORK: 'local', SOTTO_LISTEN: '/ip4/127.0.0.1/tcp/0' }
    const daemon = await runDaemon(await loadSettings({ home, env }), silentLogger, {})
    await daemon.stop()
    assert.equal((await readdir(home)).includes('held'), enabled === 'true')
  }
})
