/**
 * The regression gate: the figures of this run beside those of an earlier one. Only ratios to the peer are compared, since times of
 * two runs on a shared machine say nothing about each other.
 */
import type { Figure } from './harness.ts'

/** What `--tolerance` is where nobody says. */
export const TOLERANCE_PERCENT = 25

export interface Regression {
  readonly name: string
  readonly metric: string
  readonly before: number
  /** Undefined: the bench ran and did not measure it any more. */
  readonly now: number | undefined
}

interface Entry {
  readonly name: string
  readonly metric: string
  readonly ratio: number
}

const keyOf = ({ name, metric }: { readonly name: string; readonly metric: string }): string => `${name} | ${metric}`

/** The ratios in a file of `npm run bench -- --json`; figures without a peer have none. Throws TypeError for another file. */
export function parseBaseline(text: string): ReadonlyMap<string, Entry> {
  const entries = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(entryOf)
  if (entries.length === 0) throw new TypeError('the baseline is empty')
  return new Map(
    entries.flatMap((entry) => (entry.ratio === null ? [] : [[keyOf(entry), { ...entry, ratio: entry.ratio }]])),
  )
}

function entryOf(line: string): { readonly name: string; readonly metric: string; readonly ratio: number | null } {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new TypeError('the baseline is not what --json prints', { cause: error })
  }
  const { name, metric, ratio } = (value ?? {}) as Record<string, unknown>
  const good = typeof name === 'string' && typeof metric === 'string' && (ratio === null || isRatio(ratio))
  if (!good) throw new TypeError('the baseline has a line that is no figure')
  return { name, metric, ratio }
}

const isRatio = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0

/** Whether more is better: what the goal says, and without one the unit: things a second, not time or bytes a thing. */
function moreIsBetter({ goal, unit }: Pick<Figure, 'goal' | 'unit'>): boolean {
  return goal?.of === 'ratio' ? goal.at === 'least' : /(\/|per )(CPU )?s$/.test(unit)
}

/** The figures whose ratio is worse than the baseline's by more than the tolerance, and those that a bench lost. */
export function regressions(
  baseline: ReadonlyMap<string, Entry>,
  figures: readonly Figure[],
  tolerancePercent: number = TOLERANCE_PERCENT,
): readonly Regression[] {
  const factor = 1 + tolerancePercent / 100
  const measured = new Map(figures.map((figure) => [keyOf(figure), figure]))
  const ran = new Set(figures.map(({ name }) => name))
  return [...baseline].flatMap(([key, { name, metric, ratio: before }]): readonly Regression[] => {
    if (!ran.has(name)) return []
    const figure = measured.get(key)
    const now = figure?.ratio ?? undefined
    if (figure === undefined || now === undefined) return [{ name, metric, before, now: undefined }]
    const worse = moreIsBetter(figure) ? now * factor < before : now > before * factor
    return worse ? [{ name, metric, before, now }] : []
  })
}

/** One line for each, or one that says that there is none. */
export function renderRegressions(found: readonly Regression[], tolerancePercent: number): string {
  if (found.length === 0) return `no ratio is worse than the baseline by more than ${tolerancePercent} %`
  const lines = found.map(({ name, metric, before, now }) => {
    const told = now === undefined ? 'not measured any more' : `${now.toFixed(2)}×`
    return `  ${name}: ${metric}: ${before.toFixed(2)}× before, ${told}`
  })
  return [`worse than the baseline by more than ${tolerancePercent} %:`, ...lines].join('\n')
}
