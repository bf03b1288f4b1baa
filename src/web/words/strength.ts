/**
 * A hint for people who choose a passphrase, not a rule: the daemon asks for eight characters and hardens each guess with Argon2id.
 * It guesses low: it counts kinds of characters, and takes off what repeats, runs in order, or stands first in every list.
 */
export interface Strength {
  /** 0 too short to be taken, 4 best. */
  readonly score: 0 | 1 | 2 | 3 | 4
  readonly words: string
}

const LENGTH_MIN = 8
const WORDS = ['too short', 'weak', 'fair', 'good', 'strong'] as const
const COMMON = /pass(?:word|phrase)?|qwert|asdf|letmein|welcome|admin|sotto|12345|iloveyou|monkey|dragon/gi

export function strengthOf(passphrase: string): Strength {
  if (passphrase.length < LENGTH_MIN) {
    return { score: 0, words: `${WORDS[0]}: at least ${LENGTH_MIN} characters` }
  }
  const bits = bitsOf(passphrase.replaceAll(COMMON, '#'))
  const score = bits < 36 ? 1 : bits < 52 ? 2 : bits < 70 ? 3 : 4
  return { score, words: score < 3 ? `${WORDS[score]}: some more unrelated words would help` : WORDS[score] }
}

function bitsOf(text: string): number {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/]
  const sizes = [26, 26, 10, 33]
  const alphabet = kinds.reduce((sum, kind, at) => sum + (kind.test(text) ? (sizes[at] ?? 0) : 0), 0)
  let counted = 0
  for (let at = 0; at < text.length; at++) {
    const step = at === 0 ? undefined : (text.codePointAt(at) ?? 0) - (text.codePointAt(at - 1) ?? 0)
    counted += step === 0 || step === 1 || step === -1 ? 0.25 : 1
  }
  const variety = new Set(text).size / text.length
  // Words are guessed as words: in long lower-case text a letter is worth about two bits less.
  const perLetter = Math.log2(Math.max(2, alphabet)) - (alphabet <= 59 && !/\d/.test(text) ? 1.4 : 0)
  return counted * perLetter * Math.min(1, 0.4 + variety)
}
