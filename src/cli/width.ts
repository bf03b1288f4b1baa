/** How many columns of a terminal a text takes. */

/** Made with its first use: it costs ten milliseconds, and most verbs print no table. */
let segmenter: Intl.Segmenter | undefined

/** What a terminal shows in one place. */
function graphemes(text: string): readonly string[] {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.split('')
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** East Asian wide and full-width forms, and what is shown as a picture (UAX #11, UTS #51). */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u
const INVISIBLE = /^[\p{Mark}\u200b-\u200d\u2060]+$/u

export function displayWidth(text: string): number {
  let width = 0
  for (const grapheme of graphemes(text)) width += widthOf(grapheme)
  return width
}

/** The text, or its beginning with `…` where it takes more than `columns`. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let [width, kept] = [1, '']
  for (const grapheme of graphemes(text)) {
    width += widthOf(grapheme)
    if (width > columns) break
    kept += grapheme
  }
  return `${kept}…`
}

function widthOf(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0
  return WIDE.test(grapheme) ? 2 : 1
}
