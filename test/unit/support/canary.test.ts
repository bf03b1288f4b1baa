import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { canary, searchTrees } from '../../support/canary.ts'

test('I6 the search finds a canary in every form it knows, and nothing where there is none', () => {
  const root = mkdtempSync(join(tmpdir(), 'sotto-canary-'))
  try {
    const text = canary()
    const noise = Buffer.from(canary().repeat(50))
    const plain = Buffer.from(text)
    mkdirSync(join(root, 'deep', 'er'), { recursive: true })
    writeFileSync(join(root, 'clean'), Buffer.concat([noise, Buffer.from(canary())]))
    assert.deepEqual(searchTrees([root], text).found, [])
    const hidden: Readonly<Record<string, Buffer>> = {
      plain,
      utf16: Buffer.from(`x${text}`, 'utf16le'),
      hex: Buffer.from(plain.toString('hex')),
      upper: Buffer.from(plain.toString('hex').toUpperCase()),
      base64a: Buffer.from(plain.toString('base64')),
      base64b: Buffer.from(Buffer.concat([Buffer.of(7), plain, Buffer.of(9)]).toString('base64')),
      base64c: Buffer.from(Buffer.concat([Buffer.of(7, 8), plain, Buffer.of(9)]).toString('base64url')),
      pieces: Buffer.concat([plain.subarray(0, 30), Buffer.of(0), plain.subarray(40)]),
    }
    for (const [name, bytes] of Object.entries(hidden)) {
      const file = join(root, 'deep', 'er', name)
      writeFileSync(file, Buffer.concat([noise, bytes, noise]))
      const { found, files } = searchTrees([root], text)
      assert.equal(files, 2)
      assert.ok(found.length > 0 && found.every((sighting) => sighting.file === file), name)
      rmSync(file)
    }
    writeFileSync(join(root, `${text}.log`), '')
    assert.equal(searchTrees([root], text).found[0]?.form.startsWith('name'), true)
  } finally {
    rmSync(root, { recursive: true })
  }
})
