/** The matrix as text, as lines of JSON, as an SVG heat map, and as a table in the README. Pure but for the writing at the end. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { KINDS, mustBeDirect } from './kinds.ts'
import type { Kind, Pair } from './kinds.ts'
import type { Figures, Path } from './measure.ts'

export interface Row {
  readonly pair: Pair
  readonly sotto: Figures
  /** Of js-libp2p as it comes, where it was asked for. */
  readonly stock: Figures | undefined
}

export interface Sum {
  readonly pairs: number
  readonly reached: number
  /** Pairs that have to be direct, and of these those that are. */
  readonly punchable: number
  readonly direct: number
}

const GIB = 1_073_741_824

export const isDirect = (path: Path): boolean => path.startsWith('direct')

export function sumOf(rows: readonly Row[], figures: (row: Row) => Figures | undefined = (row) => row.sotto): Sum {
  const pathOf = (row: Row): Path => figures(row)?.path ?? 'none'
  const punchable = rows.filter(({ pair }) => mustBeDirect(pair))
  return {
    pairs: rows.length,
    reached: rows.filter((row) => pathOf(row) !== 'none').length,
    punchable: punchable.length,
    direct: punchable.filter((row) => isDirect(pathOf(row))).length,
  }
}

/** What is not as it has to be, in words. */
export function shortfalls(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ pair, sotto: { path } }) => {
    if (path === 'none') return [`${pair.name}: nothing arrived`]
    return mustBeDirect(pair) && !isDirect(path) ? [`${pair.name}: ${path}, where a direct path is possible`] : []
  })
}

const rounded = (figures: Figures): Figures => ({
  path: figures.path,
  firstMessageMs: figures.firstMessageMs === null ? null : Math.round(figures.firstMessageMs),
  directMs: figures.directMs === null ? null : Math.round(figures.directMs),
  rttMs: figures.rttMs === null ? null : Math.round(figures.rttMs * 10) / 10,
  throughputMbit: figures.throughputMbit === null ? null : Math.round(figures.throughputMbit * 10) / 10,
})

/** The line of a pair. */
export function jsonLine({ pair, sotto, stock }: Row): string {
  return JSON.stringify({
    pair: pair.name,
    ...rounded(sotto),
    stock: stock === undefined ? null : rounded(stock),
  })
}

function number(value: number | null, unit: string, digits = 0): string {
  return value === null ? '–' : `${value.toFixed(digits)} ${unit}`
}

function cells({ pair, sotto, stock }: Row): readonly string[] {
  const own = [
    pair.name,
    sotto.path,
    number(sotto.firstMessageMs, 'ms'),
    number(sotto.directMs, 'ms'),
    number(sotto.rttMs, 'ms', 1),
    number(sotto.throughputMbit, 'Mbit/s', 1),
  ]
  return stock === undefined ? own : [...own, stock.path, number(stock.directMs, 'ms'), number(stock.rttMs, 'ms', 1)]
}

const HEAD = ['pair', 'path', 'first message', 'direct after', 'round trip', 'throughput']
const STOCK_HEAD = ['stock libp2p', 'direct after', 'round trip']
const headOf = (rows: readonly Row[]): readonly string[] =>
  rows.some(({ stock }) => stock !== undefined) ? [...HEAD, ...STOCK_HEAD] : HEAD

const WIDTHS = [20, 14, 14, 13, 11, 13, 14, 13, 11]

function textRow(values: readonly string[]): string {
  return values
    .map((value, i) => value.padEnd(WIDTHS[i] ?? 0))
    .join(' ')
    .trimEnd()
}

/** One line of the matrix for people. */
export const textLine = (row: Row): string => textRow(cells(row))
export const textHead = (stock: boolean): string => textRow(stock ? [...HEAD, ...STOCK_HEAD] : HEAD)

/** The sum in words. */
export function textSum(rows: readonly Row[]): string {
  const words = ({ pairs, reached, punchable, direct }: Sum): string =>
    `${reached} of ${pairs} pairs reach each other; ${direct} of ${punchable} that can be direct are`
  const own = words(sumOf(rows))
  return rows.some(({ stock }) => stock !== undefined)
    ? `${own} (stock libp2p: ${words(sumOf(rows, (row) => row.stock))})`
    : own
}

/** The table for the README. */
export function markdown(rows: readonly Row[]): string {
  const head = headOf(rows)
  const line = (values: readonly string[]): string => `| ${values.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(cells(row)))].join('\n')
}

const COLOURS: Readonly<Record<Path, string>> = {
  'direct-dial': '#1a7f37',
  'direct-punch': '#2da44e',
  'direct-webrtc': '#6fbf73',
  relay: '#d4a72c',
  mailbox: '#bc6c25',
  none: '#cf222e',
}
const CELL_WIDTH = 104
const CELL_HEIGHT = 44
const LEFT = 96
const TOP = 64
const LINE = 24

interface Spot {
  readonly x: number
  readonly y: number
}

function text({ x, y }: Spot, words: string, more = ''): string {
  return `<text x="${x}" y="${y}" ${more}>${words}</text>`
}

function cell(row: Row, { x, y }: Spot): string {
  const { path, directMs, firstMessageMs } = row.sotto
  const ms = isDirect(path) ? directMs : firstMessageMs
  const middle = x + CELL_WIDTH / 2
  const stock = row.stock === undefined ? '' : ` · stock ${row.stock.path.replace('direct-', '')}`
  return [
    `<rect x="${x + 1}" y="${y + 1}" width="${CELL_WIDTH - 2}" height="${CELL_HEIGHT - 2}" rx="4" fill="${COLOURS[path]}"><title>${row.pair.name}</title></rect>`,
    text(
      { x: middle, y: y + 18 },
      `${path.replace('direct-', '')} ${ms === null ? '' : `${ms.toFixed(0)} ms`}`.trim(),
      'class="in"',
    ),
    text({ x: middle, y: y + 34 }, `${number(row.sotto.rttMs, 'ms', 0)}${stock}`, 'class="in small"'),
  ].join('\n')
}

/** Who against whom, coloured by path: A's network down, B's across, hosts of one LAN in a row of their own. */
export function heatMap(rows: readonly Row[], caption: string): string {
  const columns = KINDS.filter((kind) => rows.some(({ pair }) => pair.b === kind))
  const sides: readonly (Kind | 'lan')[] = [...KINDS, 'lan']
  const down = sides.filter((side) => rows.some(({ pair }) => (pair.sameLan ? 'lan' : pair.a) === side))
  const width = Math.max(LEFT + columns.length * CELL_WIDTH + 16, 560)
  const height = TOP + down.length * CELL_HEIGHT + 2 * LINE + 8
  const at = (side: number, column: number): Spot => ({ x: LEFT + column * CELL_WIDTH, y: TOP + side * CELL_HEIGHT })
  const heads = columns.map((kind, i) =>
    text({ x: at(0, i).x + CELL_WIDTH / 2, y: TOP - 8 }, kind, 'text-anchor="middle"'),
  )
  const labels = down.map((side, i) =>
    text({ x: LEFT - 8, y: at(i, 0).y + 26 }, side === 'lan' ? 'one LAN' : side, 'text-anchor="end"'),
  )
  const body = rows.map((row) =>
    cell(row, at(down.indexOf(row.pair.sameLan ? 'lan' : row.pair.a), columns.indexOf(row.pair.b))),
  )
  const legend = Object.entries(COLOURS).map(([path, colour], i) => {
    const [x, y] = [LEFT + i * 88, TOP + down.length * CELL_HEIGHT + LINE]
    return `<rect x="${x}" y="${y - 11}" width="12" height="12" rx="2" fill="${colour}"/>${text({ x: x + 16, y }, path)}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#57606a">
<style>.in{fill:#fff;text-anchor:middle}.small{font-size:9.5px}</style>
${text({ x: 8, y: 20 }, caption)}
${[...heads, ...labels, ...body, ...legend].join('\n')}
</svg>
`
}

/** When and on what. */
export function circumstances(now: Date): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / GIB)
  const machine = `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB, Linux ${release()}, Node ${process.versions.node}`
  return `${now.toISOString().slice(0, 10)}, ${machine}`
}

const BEGIN = '<!-- nat: begin -->'
const END = '<!-- nat: end -->'

/** Puts a text between the marks. Throws where they are missing. */
export function between(document: string, body: string): string {
  const [before, rest] = document.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error('the marks in the README are gone')
  return `${before}${BEGIN}\n${body}\n${END}${after}`
}

/** Writes the picture and the table beside this file. */
export function writeReadme(rows: readonly Row[], now: Date): void {
  const file = join(import.meta.dirname, 'README.md')
  const where = circumstances(now)
  writeFileSync(join(import.meta.dirname, 'nat.svg'), heatMap(rows, `paths found by Sotto (${where.slice(0, 10)})`))
  const body = `${where}. ${textSum(rows)}.\n\n![heat map](nat.svg)\n\n${markdown(rows)}`
  writeFileSync(file, between(readFileSync(file, 'utf8'), body))
}
