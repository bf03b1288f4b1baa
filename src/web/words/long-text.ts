/** Long texts are shown in part at first: a megabyte takes a browser seconds to lay out, and a reader longer. */

/** In characters of UTF-16. */
export const LONG_TEXT_MAX = 8_192

/** The beginning of a long text, whole characters only; undefined where it is short enough to be shown as it is. */
export function beginningOf(text: string): string | undefined {
  if (text.length <= LONG_TEXT_MAX) return undefined
  const cut = text.slice(0, LONG_TEXT_MAX)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}
