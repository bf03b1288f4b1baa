/** Texts that a stranger chose: long, and made to be slow or to deceive. */
import { fireEvent, render, waitFor } from '@testing-library/preact'
import { describe, expect, test, vi } from 'vitest'
import { MessageText } from '../../../src/web/screens/conversation/message-text.tsx'
import { pieces } from '../../../src/web/words/links.ts'
import { beginningOf, LONG_TEXT_MAX } from '../../../src/web/words/long-text.ts'

const MIB = 1_048_576
const filled = (unit: string): string => unit.repeat(Math.ceil(MIB / unit.length)).slice(0, MIB)
/** Work that would grow with the square of a mebibyte does not end within the time of any test. */
const HOSTILE = [
  `https://${filled('!')}x`,
  `https://a.example/${filled(').')}x`,
  filled('https://a!!!!!!! '),
  filled('https://'),
  filled('http'),
  filled('https://a.example/x '),
  filled('https://%% '),
  filled(`https://a.example/${'a'.repeat(2_000)} `),
  filled('https://a\u202e'),
]

describe('hostile texts', () => {
  test('TE-08 a mebibyte of anything is walked through once: no more than 200 addresses are looked at, none above 2,048', () => {
    const parse = vi.spyOn(URL, 'parse')
    for (const text of HOSTILE) {
      parse.mockClear()
      const found = pieces(text)
      expect(found.map((piece) => piece.text).join('')).toBe(text)
      expect(parse.mock.calls.length).toBeLessThanOrEqual(200)
      const lengths = found.flatMap(({ href }) => (href === null ? [] : [href.length]))
      expect(lengths.length).toBeLessThanOrEqual(200)
      expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(2_048)
    }
  })

  test('TE-08 an address ends where text turns around or hides, and never shows a name before an @', () => {
    for (const hidden of ['\u202e', '\u200b', '\u2066', '\u00ad', '\ufeff']) {
      expect(pieces(`https://a.example/x${hidden}y`)[0]).toEqual({
        text: 'https://a.example/x',
        href: 'https://a.example/x',
      })
    }
    expect(pieces('https://bank.example@evil.example/')).toEqual([
      { text: 'https://bank.example@evil.example/', href: null },
    ])
    const { container } = render(<MessageText text="see https://a.example/x" />)
    expect(container.querySelector('a > bdi')?.textContent).toBe('https://a.example/x')
  })

  test('TE-08 a long message is shown in part until all of it is asked for', async () => {
    const long = `${'x'.repeat(LONG_TEXT_MAX)} the end`
    const { container, getByRole } = render(<MessageText text={long} />)
    const shown = () => container.querySelector('.message-text')?.textContent ?? ''
    expect(shown()).toBe(`${'x'.repeat(LONG_TEXT_MAX)}…`)
    fireEvent.click(getByRole('button', { name: /^Show all/ }))
    await waitFor(() => {
      expect(shown()).toBe(long)
      expect((getByRole('button', { name: 'Show less' }) as HTMLButtonElement).disabled).toBe(false)
    })
    fireEvent.click(getByRole('button', { name: 'Show less' }))
    await waitFor(() => {
      expect(shown().length).toBe(LONG_TEXT_MAX + 1)
    })
  })

  test('a short one is whole, and no character is cut in two', () => {
    expect(beginningOf('x'.repeat(LONG_TEXT_MAX))).toBeUndefined()
    const cut = beginningOf(`${'x'.repeat(LONG_TEXT_MAX - 1)}👍👍`)
    expect([cut?.length, cut?.isWellFormed()]).toEqual([LONG_TEXT_MAX - 1, true])
  })
})
