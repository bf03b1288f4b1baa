import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PassphraseError, StorageError } from '../../../src/lib/errors.ts'
import { FILE_SYSTEM, readWholeFile, writeFileAtomically } from '../../../src/store/atomic-file.ts'
import type { KeyFiles } from '../../../src/store/atomic-file.ts'
import { finishReseal, reseal } from '../../../src/store/reseal.ts'
import { openSealedFile, sealFile } from '../../../src/store/sealed-file.ts'
import { createVault, openVault } from '../../../src/store/vault.ts'
import { bytes, CHEAP, temporary, tools } from './fixtures.ts'
import type { Cleanup } from './fixtures.ts'

const NAME = { id: Uint8Array.of(7) }
const secret = bytes(64)

async function sealedHome(t: Cleanup): Promise<{ paths: { vault: string; accountKey: string }; key: Uint8Array }> {
  const home = temporary(t)
  const paths = { vault: join(home, 'vault'), accountKey: join(home, 'account.sealed') }
  const vault = await createVault(paths.vault, 'first', tools, CHEAP)
  await sealFile(paths.accountKey, 'account', secret, 'first', tools, CHEAP)
  return { paths, key: vault.key('contacts', NAME) }
}

/** The passphrase that opens both files; anything else is a home that nobody can open. */
async function opener(home: Awaited<ReturnType<typeof sealedHome>>): Promise<string> {
  const opens: string[] = []
  for (const phrase of ['first', 'second']) {
    try {
      const vault = await openVault(home.paths.vault, phrase, tools)
      assert.deepEqual(await openSealedFile(home.paths.accountKey, 'account', phrase, tools), secret)
      assert.deepEqual(vault.key('contacts', NAME), home.key)
      opens.push(phrase)
    } catch (error) {
      assert.ok(error instanceof PassphraseError)
    }
  }
  assert.equal(opens.length, 1, 'exactly one passphrase opens vault and account key')
  return opens[0] ?? ''
}

test('LS-01 a changed passphrase opens the same master key and account key, the old one nothing', async (t) => {
  const home = await sealedHome(t)
  await assert.rejects(reseal(home.paths, 'wrong', 'second', tools, CHEAP), PassphraseError)
  assert.equal(await opener(home), 'first')
  await reseal(home.paths, 'first', 'second', tools, CHEAP)
  assert.equal(await opener(home), 'second')
  assert.equal(existsSync(`${home.paths.vault}.next`), false)
})

test('LS-01 LS-08 cut short anywhere, the new passphrase opens both files or neither', async (t) => {
  const ends = new Set<string>()
  for (let steps = 0; ; steps++) {
    const home = await sealedHome(t)
    const ended = await reseal(home.paths, 'first', 'second', { ...tools, keyFiles: cutShort(steps) }, CHEAP).then(
      () => true,
      () => false,
    )
    await finishReseal(home.paths, {})
    ends.add(await opener(home))
    assert.equal(existsSync(`${home.paths.vault}.next`), false)
    if (ended) break
    assert.ok(steps < 10)
  }
  assert.deepEqual([...ends], ['first', 'second'])
})

/** Lets so many writes happen, then the machine goes down. */
function cutShort(steps: number): KeyFiles {
  let left = steps
  const power = (): void => {
    if (left-- <= 0) throw new StorageError('the power went')
  }
  return {
    read: async (path) => FILE_SYSTEM.read(path),
    write: async (path, content) => {
      power()
      await FILE_SYSTEM.write(path, content)
    },
    remove: async (path) => {
      power()
      await FILE_SYSTEM.remove?.(path)
    },
  }
}

test('LS-01 an account key with a passphrase of its own keeps it', async (t) => {
  const home = await sealedHome(t)
  await sealFile(home.paths.accountKey, 'account', secret, 'rare', tools, CHEAP)
  const before = readFileSync(home.paths.accountKey)
  await reseal(home.paths, 'first', 'second', tools, CHEAP)
  await openVault(home.paths.vault, 'second', tools)
  assert.deepEqual(readFileSync(home.paths.accountKey), before)
})

test('LS-01 where files cannot be deleted an empty one stands for none; a damaged one is said to be that', async (t) => {
  const home = await sealedHome(t)
  const keyFiles: KeyFiles = { read: readWholeFile, write: writeFileAtomically }
  await reseal(home.paths, 'first', 'second', { ...tools, keyFiles }, CHEAP)
  assert.equal(readFileSync(`${home.paths.vault}.next`).length, 0)
  await finishReseal(home.paths, { keyFiles })
  assert.equal(await opener(home), 'second')
  writeFileSync(`${home.paths.vault}.next`, 'half')
  await assert.rejects(finishReseal(home.paths, {}), StorageError)
})
