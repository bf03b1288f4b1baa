/**
 * What a reaction may be. By properties of Unicode (UTS 51) and not by its list of known sequences: that one grows with
 * every version, and the other side may have a newer one.
 */

/** Nothing but what emoji are made of: joiner, variation selector, keycap and tags among it. */
const PARTS = /^[\p{Emoji}\p{Emoji_Component}\p{Extended_Pictographic}]+$/u
/** A digit is among the parts of a keycap, and none itself. */
const CORE = /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|\u20e3/u
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Whether the text is one emoji, as a reader sees one. The text is bounded by the caller. */
export function isEmoji(text: string): boolean {
  return PARTS.test(text) && CORE.test(text) && [...GRAPHEMES.segment(text)].length === 1
}
