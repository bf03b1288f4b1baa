/** The part of a text around the first word that was searched for, with what fits marked. */
export interface Piece {
  readonly text: string
  readonly hit: boolean
}

const BEFORE = 40
const LENGTH_MAX = 200

export function excerpt(text: string, query: string): readonly Piece[] {
  const words = query.split(/\s+/).filter((word) => word !== '')
  const line = text.replaceAll(/\s+/g, ' ')
  if (words.length === 0) return [{ text: line.slice(0, LENGTH_MAX), hit: false }]
  const pattern = new RegExp(
    words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|'),
    'giu',
  )
  const first = line.search(pattern)
  const start = Math.max(0, first - BEFORE)
  const shown = line.slice(start, start + LENGTH_MAX)
  const pieces: Piece[] = start > 0 ? [{ text: '…', hit: false }] : []
  let at = 0
  for (const { index, 0: found } of shown.matchAll(pattern)) {
    if (index > at) pieces.push({ text: shown.slice(at, index), hit: false })
    pieces.push({ text: found, hit: true })
    at = index + found.length
  }
  const rest = shown.slice(at) + (start + LENGTH_MAX < line.length ? '…' : '')
  return rest === '' ? pieces : [...pieces, { text: rest, hit: false }]
}
