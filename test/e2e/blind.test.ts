/** `npm run verify:blind`, small: what holders keep tells nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'
import { verifyBlind } from '../verify/findings.ts'

test('TE-14 MB-10 MB-24 MB-26 MB-27 I6 holders are blind: no text, no name, five sizes, bytes like random ones', async () => {
  const { letters, sizesBytes, leaks, bytes } = await verifyBlind(7)
  assert.deepEqual(leaks, [])
  assert.ok(letters >= 10 && bytes > 100_000, `${letters} letters, ${bytes} bytes were looked at`)
  assert.ok(sizesBytes.every((size) => SIZE_CLASSES_BYTES.some((allowed) => allowed === size)))
})
