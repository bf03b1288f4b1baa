/** The study as a picture: an SVG of its own, readable on light and on dark ground. */
import type { ChurnRow, Study } from './experiments.ts'
import { publishedRow } from './published.ts'
import { COPIES_MAX, figure } from './table.ts'
import type { Tally } from './study.ts'

const WIDTH = 860
const LEFT = 78
const RIGHT = 24
const PLOT_WIDTH = WIDTH - LEFT - RIGHT
const PANEL_HEIGHT = 210
const PANEL_STEP = 330
const TOP = 74
const HEIGHT = TOP + 3 * PANEL_STEP - 60
const FLOOR_EXPONENT = -7

const STYLE = `text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px } .small { font-size: 11px } .tiny { font-size: 9.5px }
.axis { stroke: #57606a; stroke-width: 1 } .grid { stroke: #8c959f; stroke-width: 0.5; stroke-dasharray: 2 4 } .limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 7 4 }
.once { fill: #d4662a } .repair { fill: #3b82c4 } .sender { fill: #2f9e63 } .known { stroke: #24292f; stroke-width: 2.5 } .line { fill: none; stroke-width: 2 } .worst { stroke: #8c959f; stroke-width: 6; stroke-opacity: 0.55 }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de } .axis { stroke: #9da7b1 } .grid { stroke: #6e7781 } .known { stroke: #f0f6fc } .limit { stroke: #ff7b72 } }`

/** Distinct also in grey by their dashes. */
const LINES = [
  ['#d4662a', ''],
  ['#3b82c4', '6 3'],
  ['#2f9e63', '2 3'],
  ['#a86fd6', '10 3'],
  ['#c9a227', '8 3 2 3'],
  ['#d6568c', '4 2'],
] as const

/** Rows at k = 5 of all models. */
export function plot({ churn, seed }: Study): string {
  const rows = churn.filter(({ replicas }) => replicas === 5)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Letters under churn: unread, lost and copied, with and without repair">`,
    `<style>${STYLE}</style>`,
    text(LEFT, 24, `Letters of 30 days under churn, k = 5 (seed ${seed})`, 'title'),
    panel(0, unread(rows)),
    panel(1, darkDays(rows)),
    panel(2, copies(rows)),
    '</svg>\n',
  ].join('\n')
}

const panel = (index: number, body: string): string =>
  `<g transform="translate(${LEFT} ${TOP + index * PANEL_STEP})">\n${body}\n</g>`

/** Where a share stands on a logarithmic scale; none at all stands on the floor. */
const logarithmic = (value: number): number =>
  PANEL_HEIGHT * (value <= 0 ? 1 : Math.min(1, Math.log10(value) / FLOOR_EXPONENT))

const POWERS = Array.from(
  { length: 1 - FLOOR_EXPONENT },
  (_, power) => [logarithmic(10 ** -power), power === 0 ? '1' : `1e-${power}`] as const,
)

/** Share of hourly reads that find nothing, by model. */
function unread(rows: readonly ChurnRow[]): string {
  const series = (row: ChurnRow): readonly (readonly [string, Tally])[] => [
    ['once', row.once],
    ['repair', row.repair],
    ['sender', row.sender],
  ]
  const slot = PLOT_WIDTH / rows.length
  const bars = rows.flatMap((row, i) =>
    series(row).map(([name, tally], j) => {
      const value = tally.failed / tally.reads
      const x = i * slot + slot * (0.14 + 0.25 * j)
      return bar(x, logarithmic(value), slot * 0.22, name, figure(value))
    }),
  )
  return [
    heading('Hourly reads that find nothing (share, logarithmic)'),
    legend([
      ['once', 'put once'],
      ['repair', 'repair'],
      ['sender', "repair and the sender's rechecks"],
    ]),
    axes(POWERS, 'share of reads'),
    ...bars,
    names(rows, slot),
  ].join('\n')
}

/** The loss curve: letters that a whole day did not find. */
function darkDays(rows: readonly ChurnRow[]): string {
  const days = rows[0]?.once.dark.length ?? 1
  const shares = (tally: Tally): number[] => tally.dark.map((count) => count / tally.records)
  const x = (day: number): number => (PLOT_WIDTH * day) / (days - 1)
  const path = (values: readonly number[]): string =>
    values.map((value, day) => `${day === 0 ? 'M' : 'L'}${round(x(day))} ${round(logarithmic(value))}`).join('')
  const lines = rows.map(({ once }, i) => {
    const [colour, dashes] = LINES[i % LINES.length] ?? LINES[0]
    return `<path class="line" stroke="${colour}" stroke-dasharray="${dashes}" d="${path(shares(once))}"/>`
  })
  const worst = shares({ ...rowsWorst(rows), records: 1 })
  const labels = [1, 5, 10, 15, 20, 25, 30].filter((day) => day <= days)
  return [
    heading('Loss curve: letters that no read of a whole day finds (share, logarithmic)'),
    ...rows.map(({ model }, i) => lineKey(i, model)),
    text(
      0,
      PANEL_HEIGHT + 78,
      'Thin: put once. Thick grey: with repair, the worst of all models on each day (none on the floor).',
      'small',
    ),
    axes(POWERS, 'share of letters'),
    ...lines,
    `<path class="line worst" d="${path(worst)}"/>`,
    ...labels.map((day) => text(x(day - 1), PANEL_HEIGHT + 18, String(day), 'small', 'middle')),
    text(PLOT_WIDTH / 2, PANEL_HEIGHT + 36, 'day of the letter', 'small', 'middle'),
  ].join('\n')
}

/** By day the largest share of any model under repair, as the tally of one letter. */
function rowsWorst(rows: readonly ChurnRow[]): Tally {
  const [first] = rows
  if (first === undefined) throw new RangeError('nothing to plot')
  const dark = first.repair.dark.map((_, day) =>
    Math.max(...rows.map(({ repair }) => (repair.dark[day] ?? 0) / repair.records)),
  )
  return { ...first.repair, dark }
}

function copies(rows: readonly ChurnRow[]): string {
  const slot = PLOT_WIDTH / rows.length
  const cost = ({ repair }: ChurnRow): number => repair.copies / repair.records
  const top = Math.max(COPIES_MAX, ...rows.map(cost)) * 1.15
  const y = (value: number): number => PANEL_HEIGHT * (1 - value / top)
  const bars = rows.flatMap((row, i) => {
    const [x, width] = [i * slot + slot * 0.3, slot * 0.4]
    const known = publishedRow(row.model, 5)?.copies
    const mark =
      known === undefined
        ? []
        : [
            `<line class="known" x1="${round(x - 8)}" x2="${round(x + width + 8)}" y1="${round(y(known))}" y2="${round(y(known))}"/>`,
          ]
    return [bar(x, y(cost(row)), width, 'repair', cost(row).toFixed(1)), ...mark]
  })
  const step = top > 50 ? 20 : 5
  const ticks = Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => [y(i * step), String(i * step)] as const)
  return [
    heading('What repair costs: copies of a letter in 30 days'),
    text(
      0,
      PANEL_HEIGHT + 40,
      `Line across a bar: as published. Dashed: I8, at most ${COPIES_MAX} in the model ours.`,
      'small',
    ),
    axes(ticks, 'copies'),
    ...bars,
    `<line class="limit" x1="0" x2="${PLOT_WIDTH}" y1="${round(y(COPIES_MAX))}" y2="${round(y(COPIES_MAX))}"/>`,
    names(rows, slot),
  ].join('\n')
}

const round = (value: number): string => String(Math.round(value * 10) / 10)

const heading = (words: string): string => text(0, -16, words, 'title')

function text(x: number, y: number, words: string, kind = '', anchor = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${escaped(words)}</text>`
}

const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** At least a mark on the floor, with its value above. */
function bar(x: number, y: number, width: number, kind: string, label: string): string {
  const top = Math.min(y, PANEL_HEIGHT - 2)
  return `<rect class="${kind}" x="${round(x)}" y="${round(top)}" width="${round(width)}" height="${round(PANEL_HEIGHT - top)}"/>${text(x + width / 2, top - 4, label, 'tiny', 'middle')}`
}

function axes(ticks: readonly (readonly [number, string])[], label: string): string {
  const lines = ticks.map(
    ([y, words]) =>
      `<line class="grid" x1="0" x2="${PLOT_WIDTH}" y1="${round(y)}" y2="${round(y)}"/>${text(-8, y + 4, words, 'small', 'end')}`,
  )
  const frame = `<path class="axis line" d="M0 0V${PANEL_HEIGHT}H${PLOT_WIDTH}"/>`
  const name = `<text class="small" transform="translate(-58 ${PANEL_HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escaped(label)}</text>`
  return [...lines, frame, name].join('\n')
}

const names = (rows: readonly ChurnRow[], slot: number): string =>
  rows
    .map(({ model, availability }, i) =>
      text((i + 0.5) * slot, PANEL_HEIGHT + 18, `${model} (${availability.toFixed(2)})`, 'small', 'middle'),
    )
    .join('\n')

const KEY_STEP = 120

function legend(keys: readonly (readonly [kind: string, words: string])[]): string {
  return keys
    .map(
      ([kind, words], i) =>
        `<rect class="${kind}" x="${i * KEY_STEP}" y="${PANEL_HEIGHT + 34}" width="12" height="12"/>${text(i * KEY_STEP + 18, PANEL_HEIGHT + 45, words, 'small')}`,
    )
    .join('\n')
}

function lineKey(index: number, words: string): string {
  const [colour, dashes] = LINES[index % LINES.length] ?? LINES[0]
  const [x, y] = [index * (PLOT_WIDTH / 6), PANEL_HEIGHT + 56]
  return `<path class="line" stroke="${colour}" stroke-dasharray="${dashes}" d="M${round(x)} ${y}h22"/>${text(x + 27, y + 4, words, 'small')}`
}
