/** What a reaction may be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isEmoji } from '../../../src/protocol/emoji.ts'

test('PR-13 a reaction is one emoji: with tone, joined, a flag, a keycap; and nothing else', () => {
  for (const emoji of ['👍', '❤️', '❤', '👍🏽', '👩🏽‍💻', '🏳️‍🌈', '🇩🇪', '1️⃣', '#️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '☺️', '👨‍👩‍👧‍👦']) {
    assert.equal(isEmoji(emoji), true, emoji)
  }
  const others = [
    '',
    ' ',
    'a',
    '1',
    'ok',
    '👍👍',
    '👍 ',
    'x👍',
    '\u202e',
    '\u200d',
    '\ufe0f',
    '#',
    'Z\u0351\u0352',
    '🇩',
    '\u{e0041}',
  ]
  for (const text of others) assert.equal(isEmoji(text), false, JSON.stringify(text))
})

test('PR-13 no text of letters is one', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 16, unit: 'grapheme-ascii' }), (text) => {
      assert.equal(isEmoji(text), false)
    }),
  )
})
