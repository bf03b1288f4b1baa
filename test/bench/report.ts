/** How figures are shown: a table for people, one JSON object a line for machines. */
import type { Figure, Goal } from './harness.ts'

/** Exactly the fields that quality.md names. */
export function jsonLine(figure: Figure): string {
  const { name, metric, value, unit, peer, peerValue, ratio, runs } = figure
  return JSON.stringify({
    name,
    metric,
    value: rounded(value),
    unit,
    peer,
    peerValue: peerValue === null ? null : rounded(peerValue),
    ratio: ratio === null ? null : rounded(ratio),
    runs,
  })
}

const HEADS = ['metric', 'Sotto', 'peer', 'unit', 'ratio', 'goal', ''] as const

/** The figures of one bench, in columns. */
export function table(figures: readonly Figure[]): string {
  const peers = [...new Set(figures.flatMap(({ peer }) => peer ?? []))]
  const rows = [HEADS, ...figures.map(cells)]
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 1 || i === 2 || i === 4 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  const [first] = figures
  const title = `${first?.name ?? ''}, medians of ${first?.runs ?? 0} runs${peers.length > 0 ? `, beside ${peers.join(' and ')}` : ''}`
  return [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

function cells({ metric, value, peerValue, unit, ratio, goal }: Figure): readonly string[] {
  const told = goal === undefined ? undefined : reached(goal, value, ratio)
  return [
    metric,
    shown(value),
    peerValue === null ? '' : shown(peerValue),
    unit,
    ratio === null ? '' : `${ratio.toFixed(2)}×`,
    goal === undefined ? '' : goalText(goal),
    told === undefined ? '' : told ? 'reached' : 'missed',
  ]
}

function goalText({ of, at, bound }: Goal): string {
  return `${at === 'most' ? '≤' : '≥'} ${bound}${of === 'ratio' ? '×' : ''}`
}

function reached(goal: Goal, value: number, ratio: number | null): boolean | undefined {
  const measured = goal.of === 'ratio' ? ratio : value
  if (measured === null) return undefined
  return goal.at === 'most' ? measured <= goal.bound : measured >= goal.bound
}

function shown(value: number): string {
  return rounded(value).toLocaleString('en', { maximumFractionDigits: 3 })
}

/** Four digits: more would be noise. */
function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
}
