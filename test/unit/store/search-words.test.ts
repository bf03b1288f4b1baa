/** What a text from anybody costs to be made findable, and what of it is looked at. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryWords, TEXT_CHARACTERS_MAX, wordsOf } from '../../../src/store/search-words.ts'

/** A megabyte of marks takes minutes where the work grows with the square of a row; a test that does not end in time has failed. */
const ONE_MIB = 1_048_576

test(
  'LS-02 rows of marks without an end, also of letters that are folded to marks, take no time',
  { timeout: 20_000 },
  () => {
    for (const marks of ['\u0315\u0301', '\u0323\u0315\u031b\u0301', '\uff9e\u0301', '\uff9f\u0315\u0301']) {
      const text = 'a' + marks.repeat(Math.floor(ONE_MIB / 2 / marks.length))
      assert.ok(wordsOf(text).length > 0)
      assert.ok(wordsOf(`${text} behind`).length > 0)
      assert.ok(queryWords(text).length > 0)
    }
  },
)

test('LS-02 as many marks as a language writes are looked at', () => {
  assert.deepEqual(wordsOf('Việt Žluťoučký'), ['viet', 'zlutoucky'])
  assert.deepEqual(wordsOf('ｶﾞｷﾞ'), wordsOf('ガギ'))
  const stacked = 'o\u0302\u0301\u0323\u0308\u0304'
  assert.deepEqual(wordsOf(`${stacked}k`), ['ok'])
})

test('LS-02 of a text as much is looked at as its first 64 Ki characters', () => {
  const words = wordsOf(`début ${' '.repeat(TEXT_CHARACTERS_MAX - 11)}fine lost`)
  assert.deepEqual(words, ['debut', 'fine'])
})
