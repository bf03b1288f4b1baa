import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DaemonError,
  LockedError,
  NetworkError,
  NotFoundError,
  PassphraseError,
  RateError,
} from '../../../src/lib/errors.ts'
import { explain } from '../../../src/web/words/errors.ts'
import { excerpt } from '../../../src/web/words/excerpt.ts'
import { pieces } from '../../../src/web/words/links.ts'
import { bytesWords, count } from '../../../src/web/words/network.ts'
import { phraseFault, placesToCheck, wordFits, wordsOf } from '../../../src/web/words/phrase.ts'
import { preview } from '../../../src/web/words/preview.ts'
import { spotOf, turnOf } from '../../../src/web/words/ring.ts'
import { statusWords } from '../../../src/web/words/status.ts'
import { strengthOf } from '../../../src/web/words/strength.ts'
import { targetFault } from '../../../src/web/words/target.ts'
import { dayName, duration } from '../../../src/web/words/time.ts'
import { ALICE, messageView } from '../support/fake-api.ts'

describe('status words', () => {
  test('each state has words of its own, and stored says how many of how many', () => {
    const states = ['queued', 'stored', 'delivered', 'read', 'expired', 'failed', 'taken-back'] as const
    const words = states.map((status) => statusWords({ status, stored: 4, storedOf: 5, path: 'mailbox' }))
    expect(new Set(words.map(({ short }) => short)).size).toBe(states.length)
    expect(words[1]?.short).toBe('stored 4/5')
    expect(words.every(({ long }) => long.endsWith('.'))).toBe(true)
  })

  test('nothing is claimed that the daemon did not say', () => {
    expect(statusWords({ status: 'stored', stored: 0, storedOf: 0, path: 'none' }).short).toBe('stored')
    expect(statusWords({ status: 'delivered', stored: 0, storedOf: 5, path: 'none' }).long).not.toMatch(
      /directly|holders/,
    )
    expect(statusWords({ status: 'delivered', stored: 0, storedOf: 5, path: 'direct' }).long).toMatch(/directly/)
  })
})

describe('errors in words', () => {
  test('each says what happened, and what to do next where something can be done', () => {
    expect(explain(new DaemonError('the daemon does not answer')).next).toMatch(/sotto daemon/)
    expect(explain(new LockedError('the keys are sealed')).next).toMatch(/passphrase/)
    expect(explain(new PassphraseError('the passphrase does not open the keys'))).toEqual({
      what: 'The passphrase does not open the keys.',
      next: expect.stringMatching(/Caps Lock/) as unknown,
    })
    expect(explain(new NetworkError('x')).next).toMatch(/network screen/)
    expect(explain(new NotFoundError('no such contact.'))).toEqual({ what: 'No such contact.', next: '' })
    expect(explain(new RateError('slow down', 30_000)).next).toBe('Try again in 30 s.')
    expect(explain(new RateError('slow down', 600_000)).next).toBe('Try again in 10 minutes.')
  })

  test('a fault of the page tells nothing of its inside', () => {
    expect(explain(new TypeError('x.y is undefined')).what).not.toMatch(/undefined/)
  })
})

describe('the recovery phrase', () => {
  const phrase = Array.from({ length: 24 }, (_, at) => `word${at + 1}`).join(' ')
  test('three different places are asked, in order, whatever the dice say', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (dice) => {
        const rolls = [...dice.take(500)]
        // Dice that always fall alike would never end it.
        if (new Set(rolls.map((roll) => Math.floor(roll * 24))).size < 3) return
        let at = 0
        const places = placesToCheck(() => rolls[at++ % rolls.length] ?? 0)
        expect(new Set(places).size).toBe(3)
        expect(places.toSorted((one, other) => one - other)).toEqual(places)
        expect(places.every((place) => place >= 0 && place < 24)).toBe(true)
      }),
    )
  })
  test('a word fits at its own place only, however it is spaced and capitalised', () => {
    expect(wordFits(phrase, 4, ' WORD5 ')).toBe(true)
    expect(wordFits(phrase, 4, 'word6')).toBe(false)
    expect(wordFits(phrase, 4, '')).toBe(false)
  })
  test('says how many words are missing', () => {
    expect(phraseFault(phrase)).toBeUndefined()
    expect(phraseFault(`  ${phrase.toUpperCase().replaceAll(' ', '\n')} `)).toBeUndefined()
    expect(phraseFault('one two')).toBe('These are 2 words; the phrase has 24.')
    expect(phraseFault(' ')).toBe('Type the 24 words.')
    expect(wordsOf('').length).toBe(0)
  })
})

describe('the passphrase hint', () => {
  test('short is refused, common is weak, unrelated words are strong', () => {
    expect(strengthOf('short').score).toBe(0)
    expect(strengthOf('password123').score).toBe(1)
    expect(strengthOf('aaaaaaaaaaaaaaaa').score).toBe(1)
    expect(strengthOf('12345678901234').score).toBe(1)
    expect(strengthOf('maple orbit candle frost').score).toBe(4)
    expect(strengthOf('kR7#mw!2Qz').score).toBeGreaterThanOrEqual(3)
  })
  test('a longer one of the same kind is never called weaker', () => {
    const word = fc.stringMatching(/^[a-z]{3,8}$/)
    fc.assert(
      fc.property(fc.array(word, { minLength: 3, maxLength: 6 }), (words) => {
        const less = words.slice(0, -1).join(' ')
        expect(strengthOf(words.join(' ')).score).toBeGreaterThanOrEqual(Math.min(strengthOf(less).score, 3) - 1)
      }),
    )
  })
})

describe('texts', () => {
  test('only http and https become links, without the full stop behind them', () => {
    expect(pieces('see https://a.example/x?y=1, ok').map(({ href }) => href)).toEqual([
      null,
      'https://a.example/x?y=1',
      null,
    ])
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'sotto:abc']) {
      expect(pieces(text)).toEqual([{ text, href: null }])
    }
  })
  test('pieces and excerpts never lose or add a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const whole = `${text} https://a.example/${encodeURIComponent('x')}. ${text}`
        expect(
          pieces(whole)
            .map((piece) => piece.text)
            .join(''),
        ).toBe(whole)
      }),
    )
  })
  test('LS-09 what was searched is marked, special characters and all', () => {
    expect(excerpt('Tomorrow at (nine)?', '(nine')).toEqual([
      { text: 'Tomorrow at ', hit: false },
      { text: '(nine', hit: true },
      { text: ')?', hit: false },
    ])
    expect(excerpt(`${'x '.repeat(200)}needle`, 'needle').some(({ hit, text }) => hit && text === 'needle')).toBe(true)
    expect(excerpt('plain', '')).toEqual([{ text: 'plain', hit: false }])
  })
  test('a preview is one line, and says what is gone', () => {
    expect(preview(messageView(1, { text: 'a\n\nb' }))).toBe('a b')
    expect(preview(messageView(1, { text: '', gone: 'deleted' }))).toBe('Message deleted')
    expect(preview(messageView(1, { text: '', gone: 'expired' }))).toBe('Message disappeared')
    expect(preview(messageView(1, { text: 'x'.repeat(1_000) })).length).toBe(160)
  })
  test('numbers, sizes and times as people say them', () => {
    expect([count(1, 'peer'), count(2, 'mailbox', 'mailboxes')]).toEqual(['1 peer', '2 mailboxes'])
    expect([bytesWords(512), bytesWords(1_536), bytesWords(2 ** 31)]).toEqual(['512 bytes', '1.5 KiB', '2.0 GiB'])
    expect([duration(5), duration(90), duration(3_600), duration(604_800)]).toEqual([
      '5 seconds',
      '90 seconds',
      '1 hour',
      '1 week',
    ])
    const now = new Date(2026, 10, 22, 9).getTime()
    expect(dayName(new Date(2026, 10, 22, 1).toISOString(), now)).toBe('Today')
    expect(dayName(new Date(2026, 10, 21, 23).toISOString(), now)).toBe('Yesterday')
  })
})

describe('whom to add', () => {
  test('a link or an account id, whole', () => {
    expect(targetFault(ALICE)).toBeUndefined()
    expect(targetFault('sotto:AbC-_9')).toBeUndefined()
    expect(targetFault(ALICE.slice(0, -1))).toMatch(/cut off/)
    expect(targetFault('sotto-verify:abc')).toMatch(/safety/)
    expect(targetFault('bob')).toMatch(/no invite/)
  })
})

describe('the ring', () => {
  test('a position stands where its digits say, clockwise from the top', () => {
    expect(turnOf('80'.padEnd(64, '0'))).toBe(0.5)
    expect(turnOf('nothing')).toBeUndefined()
    const { x, y } = spotOf(0.25, 100)
    expect([Math.round(x), Math.round(y)]).toEqual([100, 0])
  })
})
