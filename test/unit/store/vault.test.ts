import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { utf8 } from '../../../src/lib/bytes.ts'
import {
  ConflictError,
  LimitError,
  LockedError,
  NotFoundError,
  PassphraseError,
  StorageError,
  UsageError,
} from '../../../src/lib/errors.ts'
import { BUCKET } from '../../../src/store/buckets.ts'
import type { BucketName } from '../../../src/store/buckets.ts'
import { openSealedFile, sealFile } from '../../../src/store/sealed-file.ts'
import { createVault, openVault, Vault, vaultExists } from '../../../src/store/vault.ts'
import { bytes, CHEAP, temporary, tools } from './fixtures.ts'

const VALUE = utf8('a value')
const newVault = (): Vault => new Vault(bytes(32), tools)

test('ID-16 the vault opens with its passphrase only, also one that NFKC calls the same', async (t) => {
  const path = join(temporary(t), 'vault')
  assert.equal(await vaultExists(path), false)
  await assert.rejects(openVault(path, 'pässword', tools), NotFoundError)
  const made = await createVault(path, 'pässword', tools, CHEAP)
  assert.equal(await vaultExists(path), true)
  const opened = await openVault(path, 'pa\u0308ssword', tools)
  const key = made.key('settings', { id: utf8('x') })
  assert.deepEqual(opened.key('settings', { id: utf8('x') }), key)
  assert.deepEqual(opened.open('settings', key, made.seal('settings', key, VALUE)), VALUE)
  await assert.rejects(openVault(path, 'password', tools), PassphraseError)
  await assert.rejects(openVault(path, '', tools), UsageError)
  await assert.rejects(createVault(path, 'another', tools, CHEAP), ConflictError)
})

test('ID-16 sealed files are 0600 and leave nothing beside them', async (t) => {
  const home = temporary(t)
  const path = join(home, 'account.sealed')
  writeFileSync(`${path}.new`, 'left by a crash')
  chmodSync(`${path}.new`, 0o644)
  await sealFile(path, 'account', bytes(64), 'phrase', tools, CHEAP)
  await sealFile(path, 'account', bytes(64), 'phrase', tools, CHEAP)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(home), ['account.sealed'])
})

test('the account key has a file, a salt and a passphrase of its own', async (t) => {
  const home = temporary(t)
  const secret = bytes(64)
  await createVault(join(home, 'vault'), 'daily', tools, CHEAP)
  await sealFile(join(home, 'account.sealed'), 'account', secret, 'rare', tools, CHEAP)
  assert.deepEqual(await openSealedFile(join(home, 'account.sealed'), 'account', 'rare', tools), secret)
  await assert.rejects(openSealedFile(join(home, 'account.sealed'), 'account', 'daily', tools), PassphraseError)
  await assert.rejects(openSealedFile(join(home, 'account.sealed'), 'vault', 'rare', tools), PassphraseError)
  await assert.rejects(openVault(join(home, 'account.sealed'), 'rare', tools), PassphraseError)
})

test('a damaged sealed file never opens, and asks for no memory beyond the limit', async (t) => {
  const path = join(temporary(t), 'account.sealed')
  await sealFile(path, 'account', bytes(64), 'phrase', tools, CHEAP)
  const good = readFileSync(path)
  const open = (): Promise<Uint8Array> => openSealedFile(path, 'account', 'phrase', tools)
  // The four high bytes ask for gigabytes or for hundreds of passes: refused before Argon2id begins.
  for (const at of [0, 1, 2]) {
    const bad = Buffer.from(good)
    bad[at] = 0xff
    writeFileSync(path, bad)
    await assert.rejects(open(), StorageError, `byte ${at}`)
  }
  for (let at = 7; at < good.length; at += 5) {
    const bad = Buffer.from(good)
    bad[at] = (bad[at] ?? 0) ^ 1
    writeFileSync(path, bad)
    await assert.rejects(open(), (error) => error instanceof PassphraseError || error instanceof StorageError, `${at}`)
  }
  for (const bad of [good.subarray(0, -1), Buffer.alloc(0), Buffer.alloc(9_000)]) {
    writeFileSync(path, bad)
    await assert.rejects(open(), StorageError)
  }
  await assert.rejects(
    sealFile(path, 'account', bytes(1), 'phrase', tools, { ...CHEAP, memoryKiB: 2 ** 21 }),
    LimitError,
  )
  await assert.rejects(sealFile('/dev/null/x', 'account', bytes(1), 'phrase', tools, CHEAP), StorageError)
})

test('LS-01 a sealed value opens under its own key, bucket and vault only, and no flipped bit passes', () => {
  const vault = newVault()
  const key = vault.key('contacts', { id: bytes(32) })
  const sealed = vault.seal('contacts', key, VALUE)
  assert.deepEqual(vault.open('contacts', key, sealed), VALUE)
  assert.equal(vault.open('contacts', vault.key('contacts', { id: bytes(32) }), sealed), undefined)
  assert.equal(vault.open('conversations', key, sealed), undefined)
  assert.equal(newVault().open('contacts', key, sealed), undefined)
  for (let at = 0; at < sealed.length; at++) {
    const flipped = sealed.slice()
    flipped[at] = (flipped[at] ?? 0) ^ 0x10
    assert.equal(vault.open('contacts', key, flipped), undefined, `byte ${at}`)
    assert.equal(vault.open('contacts', key, sealed.subarray(0, at)), undefined, `length ${at}`)
  }
})

test('one value sealed twice looks different, and its size says no more than its length', () => {
  const vault = newVault()
  const key = vault.key('settings', { id: VALUE })
  assert.notDeepEqual(vault.seal('settings', key, VALUE), vault.seal('settings', key, VALUE))
  assert.equal(vault.seal('settings', key, VALUE).length, VALUE.length + 1 + 24 + 16)
})

test('record keys are blinded by bucket and vault; only the order is in the clear', () => {
  const vault = newVault()
  const id = bytes(32)
  const keys = (Object.keys(BUCKET) as BucketName[]).map((bucket) => vault.key(bucket, { id }).subarray(1))
  assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, keys.length)
  assert.notDeepEqual(newVault().key('contacts', { id }), vault.key('contacts', { id }))
  const ordered = vault.key('messages', { id, order: 258 })
  assert.deepEqual(ordered.subarray(0, 17), vault.key('messages', { id }))
  assert.deepEqual(ordered.subarray(17), Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2))
  assert.deepEqual(vault.key('events', { order: 1 }), Uint8Array.of(BUCKET.events, 0, 0, 0, 0, 0, 0, 0, 1))
})

test('SE-05 a locked vault does nothing any more', () => {
  const master = bytes(32)
  const vault = new Vault(master, tools)
  assert.ok(
    master.every((byte) => byte === 0),
    'the master key is wiped once the bucket keys are made',
  )
  const key = vault.key('settings', { id: VALUE })
  const sealed = vault.seal('settings', key, VALUE)
  assert.equal(vault.locked, false)
  vault.lock()
  assert.equal(vault.locked, true)
  assert.throws(() => vault.key('settings', { id: VALUE }), LockedError)
  assert.throws(() => vault.seal('settings', key, VALUE), LockedError)
  assert.throws(() => vault.open('settings', key, sealed), LockedError)
})
