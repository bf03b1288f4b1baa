import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArgumentError, readArguments, SCENARIOS } from '../../docker/arguments.ts'

const NOW = 1_234_567

test('TE-17 every scenario has the same numbers behind it, and a seed that can be asked for', () => {
  for (const scenario of SCENARIOS) {
    const standard = { peers: 20, people: 6, minutes: 10, json: false, keep: false, discover: false }
    assert.deepEqual(readArguments([scenario], NOW), { scenario, ...standard, seed: NOW % 1_000_000 })
  }
  const given = readArguments(
    ['chaos', '--peers', '6', '--minutes', '0.5', '--seed', '7', '--json', '--keep', '--discover'],
    NOW,
  )
  assert.deepEqual(given, {
    scenario: 'chaos',
    peers: 6,
    people: 3,
    minutes: 0.5,
    seed: 7,
    json: true,
    keep: true,
    discover: true,
  })
})

test('what cannot be played is refused in one line', () => {
  const wrong = [
    [],
    ['storm'],
    ['chaos', 'churn'],
    ['chaos', '--peers', '4'],
    ['chaos', '--peers', '6.5'],
    ['chaos', '--peers', ''],
    ['chaos', '--people', '11'],
    ['chaos', '--peers', '6', '--people', '4'],
    ['chaos', '--minutes', '0'],
    ['chaos', '--seed', 'x'],
    ['chaos', '--nodes', '20'],
  ]
  for (const argv of wrong) assert.throws(() => readArguments(argv, NOW), ArgumentError, argv.join(' '))
})
