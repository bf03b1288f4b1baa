import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBaseline, regressions, renderRegressions } from '../../bench/baseline.ts'
import type { Figure } from '../../bench/harness.ts'
import { jsonLine } from '../../bench/report.ts'

const figure = (metric: string, ratio: number | null, more: Partial<Figure> = {}): Figure => ({
  name: 'put',
  metric,
  value: 5,
  unit: 'ms',
  peer: ratio === null ? null : 'hyperdht',
  peerValue: ratio === null ? null : 2,
  ratio,
  runs: 5,
  ...more,
})
const fileOf = (...figures: readonly Figure[]) => parseBaseline(figures.map(jsonLine).join('\n'))
const metrics = (...args: Parameters<typeof regressions>) => regressions(...args).map(({ metric }) => metric)

test('TE-02 a ratio that is worse by more than a quarter is a regression, and one that is a quarter worse is none', () => {
  const before = fileOf(figure('p95', 2), figure('median', 2))
  assert.deepEqual(metrics(before, [figure('p95', 2.5), figure('median', 1)]), [])
  assert.deepEqual(metrics(before, [figure('p95', 2.51), figure('median', 2)]), ['p95'])
  assert.deepEqual(metrics(before, [figure('p95', 2.51), figure('median', 2.3)], 10), ['p95', 'median'])
  assert.deepEqual(metrics(before, [figure('p95', 4), figure('median', 3)], 100), [])
})

test('TE-02 times alone are not compared: a machine that is ten times slower has the same ratios', () => {
  const before = fileOf(figure('p95', 2), figure('CPU', null))
  assert.deepEqual(
    metrics(before, [figure('p95', 2, { value: 50, peerValue: 25 }), figure('CPU', null, { value: 99 })]),
    [],
  )
})

test('TE-02 where more is better, less is a regression: by the goal, and without one by the unit', () => {
  const least = { goal: { of: 'ratio', at: 'least', bound: 1 } } as const
  const before = fileOf(figure('rate', 1), figure('speed', 1), figure('msg', 1))
  const now = (ratio: number) => [
    figure('rate', ratio, { unit: 'msg/s' }),
    figure('speed', ratio, { unit: 'MB', ...least }),
    figure('msg', ratio, { unit: 'msg/CPU s' }),
  ]
  assert.deepEqual(metrics(before, now(1.4)), [])
  assert.deepEqual(metrics(before, now(0.79)), ['rate', 'speed', 'msg'])
})

test('TE-02 a figure that the bench lost is a regression; one of a bench that did not run, or that is new, is none', () => {
  const before = fileOf(figure('p95', 2), figure('p95', 2, { name: 'read' }))
  const [lost] = regressions(before, [figure('median', 9)])
  assert.deepEqual(lost, { name: 'put', metric: 'p95', before: 2, now: undefined })
  assert.match(renderRegressions([lost], 25), /put: p95: 2\.00× before, not measured/)
  assert.match(renderRegressions([], 25), /no ratio is worse/)
})

test('TE-02 a file that no bench has printed is refused', () => {
  for (const text of [
    '',
    'not JSON',
    '{}',
    '{"name":"put","metric":"p95","ratio":"2"}',
    '{"name":"put","metric":"p95","ratio":-1}',
  ]) {
    assert.throws(() => parseBaseline(text), TypeError, text)
  }
})
