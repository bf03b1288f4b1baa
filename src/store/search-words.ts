/**
 * What a text is found by. Words are folded: NFKC, no case, no accents (those of Latin, Greek and Cyrillic; Arabic and Hebrew
 * points), so that `Žluťoučký` is found by `zlut`. Scripts that write no spaces (Han, kana, Thai, Lao, Khmer, Burmese) give every
 * pair of neighbouring characters, as the field does (Lucene's CJK bigrams): a dictionary (Intl.Segmenter) is slower, differs between
 * versions of ICU, and breaks a query elsewhere than the text. Emoji are words without skin tone and joiners: 👩🏽‍💻 gives 👩 and 💻.
 */

/** Characters of a word that count; the rest of a longer one (an address, a key) is not looked at. */
const WORD_CHARACTERS_MAX = 32
/** UTF-8 bytes of the longest word. */
export const WORD_BYTES_MAX = 4 * WORD_CHARACTERS_MAX
/** Different words of one text that are found; those of a book's chapter. */
export const TEXT_WORDS_MAX = 8_192
/** Characters (UTF-16) of a text that are looked at; half of them in texts without spaces make as many words as are kept. */
export const TEXT_CHARACTERS_MAX = 65_536
/** Words of one query; more are not looked at. */
const QUERY_WORDS_MAX = 16

const PLAIN = /^[\u0000-\u007f]*$/ // oxlint-disable-line no-control-regex
const PLAIN_WORDS = /[a-z0-9]+/g
/** Marks that readers leave out when they type; those of other scripts are letters to their readers. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]/g
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  ς: 'σ',
  ı: 'i',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  æ: 'ae',
  œ: 'oe',
}
const SPECIAL = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g')
const UNSPACED =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Bopomofo}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}ー'
/**
 * Marks that come in a row: eight, as many as any language needs, are looked at. Unicode puts marks in order by an insertion
 * sort, so a row without an end takes time by its square (UAX #15, 13.1: stream-safe text has 30). The two letters are those
 * that become marks when they are folded.
 */
const MARKS_IN_A_ROW = /([\p{M}\uff9e\uff9f]{8})[\p{M}\uff9e\uff9f]+/gu
const PIECES = new RegExp(
  `(?<unspaced>[${UNSPACED}]+)|(?<word>[[\\p{L}\\p{N}\\p{M}]--[${UNSPACED}\\u{FE0F}\\u{20E3}]]+)|(?<emoji>\\p{RI}\\p{RI}|[\\p{Extended_Pictographic}--[0-9#*©®]])`,
  'gv',
)
/** Of these one character is enough to look for. */
const DENSE = new RegExp(`^[${UNSPACED}\\p{sc=Hangul}\\p{Extended_Pictographic}\\p{RI}]`, 'v')

/** The words of a text, each once. */
export function wordsOf(text: string): readonly string[] {
  const words = new Set<string>()
  for (const word of split(text, true)) {
    words.add(word)
    if (words.size >= TEXT_WORDS_MAX) break
  }
  return [...words]
}

/** What a message needs to have a word beginning with, all of them; none where the query has no word. */
export function queryWords(query: string): readonly string[] {
  const words = [...new Set(split(query, false))]
  // What another one begins with asks for nothing more.
  const needed = words.filter((word) => !words.some((other) => other !== word && matches(other, word)))
  return needed.slice(0, QUERY_WORDS_MAX)
}

/** Whether a text's `word` answers a query's: the same, or begins with it. A single letter asks for itself. */
export function matches(word: string, asked: string): boolean {
  return word === asked || (word.startsWith(asked) && (isLong(asked) || isDense(asked)))
}

/** What all words that answer the query's word have in common: its first two characters, or one where that is enough to ask. */
export function beginningOf(word: string): string {
  const [first = '', second = ''] = word
  return isDense(first) ? first : first + second
}

/** More than one character, which may be two UTF-16 units. */
function isLong(word: string): boolean {
  return word.length > ((word.codePointAt(0) ?? 0) > 0xffff ? 2 : 1)
}

function isDense(word: string): boolean {
  return word > '\u00a8' && DENSE.test(word)
}

/** `whole`: the last character of a run without spaces counts by itself too, so that it is found by itself. */
function* split(full: string, whole: boolean): Generator<string> {
  const text = full.slice(0, TEXT_CHARACTERS_MAX)
  if (PLAIN.test(text)) {
    for (const [word] of text.toLowerCase().matchAll(PLAIN_WORDS)) yield word.slice(0, WORD_CHARACTERS_MAX)
    return
  }
  for (const { groups } of folded(text).matchAll(PIECES)) {
    const { unspaced, word, emoji } = groups as { unspaced?: string; word?: string; emoji?: string }
    if (unspaced !== undefined) yield* pairs(Array.from(unspaced), whole)
    else if (word !== undefined) yield shortened(word)
    else if (emoji !== undefined) yield emoji
  }
}

function folded(text: string): string {
  const bare = text.replace(MARKS_IN_A_ROW, '$1').normalize('NFKD').toLowerCase().replace(ACCENTS, '').normalize('NFKC')
  return bare.replace(SPECIAL, (letter) => LETTERS[letter] ?? letter)
}

function* pairs(characters: readonly string[], whole: boolean): Generator<string> {
  const last = characters.length - 1
  for (let i = 0; i < last; i++) yield `${characters[i]}${characters[i + 1]}`
  if (whole || last === 0) yield characters[last] ?? ''
}

function shortened(word: string): string {
  return word.length <= WORD_CHARACTERS_MAX ? word : Array.from(word).slice(0, WORD_CHARACTERS_MAX).join('')
}
