/** A text in pieces: what is an address of the web, and what is not. Only http and https: nothing else is ever a link. */
export interface TextPiece {
  readonly text: string
  readonly href: string | null
}

/** In characters. Longer ones are shown as text: no address that is meant for people is. */
const ADDRESS_MAX = 2_048
/** In one message; what follows is text. */
const ADDRESSES_MAX = 200
/** Nor does one hold what is not seen, or turns around the direction of the text behind it (UTS 39, UAX 9). */
const ADDRESS = /https?:\/\/[^\s<>"'`\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/gi
/** What ends a sentence rather than an address. */
const TAIL = '.,;:!?)]}»”’'

/** One walk through the text, whatever is in it: a stranger chose it. */
export function pieces(text: string): readonly TextPiece[] {
  const found: TextPiece[] = []
  let at = 0
  let tried = 0
  for (const { 0: raw, index } of text.matchAll(ADDRESS)) {
    if (++tried > ADDRESSES_MAX) break
    const address = raw.length > ADDRESS_MAX ? '' : withoutTail(raw)
    if (!isPlain(address)) continue
    if (index > at) found.push({ text: text.slice(at, index), href: null })
    found.push({ text: address, href: address })
    at = index + address.length
  }
  if (at < text.length || found.length === 0) found.push({ text: text.slice(at), href: null })
  return found
}

/** By hand: a pattern that is anchored at the end is tried anew at every character of a long tail. */
function withoutTail(raw: string): string {
  let end = raw.length
  while (TAIL.includes(raw.charAt(end - 1)) && end > 0) end--
  return raw.slice(0, end)
}

/** With a name before an `@` the address looks like one of somebody else's. */
function isPlain(address: string): boolean {
  const url = URL.parse(address)
  return url !== null && url.username === '' && url.password === ''
}
