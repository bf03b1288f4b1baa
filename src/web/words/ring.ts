/** Where a position of the key space stands on a ring: 64 hexadecimal digits, once round, from the top clockwise. */
export interface Spot {
  readonly x: number
  readonly y: number
}

/** Digits that are looked at: more than a screen can show. */
const DIGITS = 12

/** The part of the way round, from 0 up to 1; undefined for what is no position. */
export function turnOf(position: string): number | undefined {
  const head = position.slice(0, DIGITS)
  return /^[0-9a-f]{12}$/i.test(head) ? Number.parseInt(head, 16) / 16 ** DIGITS : undefined
}

export function spotOf(turn: number, radius: number): Spot {
  const angle = turn * 2 * Math.PI - Math.PI / 2
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) }
}
