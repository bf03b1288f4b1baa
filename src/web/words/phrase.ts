/** The 24 words of recovery: shown once, checked at three places. Their checksum is the daemon's to check. */
export const PHRASE_WORDS = 24
const CHECKED = 3

export const wordsOf = (phrase: string): readonly string[] => {
  const text = phrase.normalize('NFKD').toLowerCase().trim()
  return text === '' ? [] : text.split(/\s+/)
}

/** Three different places, from 0, in ascending order. `random` gives numbers from 0 up to 1. */
export function placesToCheck(random: () => number): readonly number[] {
  const places = new Set<number>()
  while (places.size < CHECKED) places.add(Math.floor(random() * PHRASE_WORDS))
  return [...places].sort((one, other) => one - other)
}

/** Whether what was typed is the word at the place, however it is capitalised. */
export const wordFits = (phrase: string, place: number, typed: string): boolean =>
  wordsOf(phrase)[place] === typed.normalize('NFKD').toLowerCase().trim()

/** What is wrong with words that were typed to restore, or undefined. */
export function phraseFault(phrase: string): string | undefined {
  const { length } = wordsOf(phrase)
  if (length === PHRASE_WORDS) return undefined
  return length === 0 ? `Type the ${PHRASE_WORDS} words.` : `These are ${length} words; the phrase has ${PHRASE_WORDS}.`
}
