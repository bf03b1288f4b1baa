/**
 * Which test proves which row of the requirements: read off the names of the tests. `node test/support/rows.ts --write`
 * writes the table into test/README.md; a unit test says when that is due.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const README = join(ROOT, 'test', 'README.md')
const BEGIN = '<!-- rows: begin -->'
const END = '<!-- rows: end -->'

const range = (family: string, ...numbers: readonly (number | readonly [number, number])[]): readonly string[] =>
  numbers.flatMap((entry) => {
    const [from, to] = typeof entry === 'number' ? [entry, entry] : entry
    const width = family === 'F' ? 1 : 2
    const dash = family === 'F' ? '' : '-'
    return Array.from({ length: to - from + 1 }, (_, i) => `${family}${dash}${String(from + i).padStart(width, '0')}`)
  })

/**
 * What has to be shown so far: critical and important rows of the families that are built. No test's are TE-15 (iterate on findings),
 * OP-23 (the order of building: a plan) and OP-11 (10,000 connections of one relay: its figure depends on the machine; the roles'
 * bounds are tested, OP-17, and what one connection costs stands in test/README.md). AP-29 asks for nothing that could be checked.
 */
export const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  'Identity and keys': range('ID', 1, 2, 5, 6, [8, 13], 16, 18, 21, 22, 24, 25, 26, 30),
  'End-to-end protocol': range(
    'E2',
    [1, 16],
    [18, 20],
    [22, 24],
    [26, 29],
    [32, 37],
    [39, 42],
    [44, 48],
    50,
    54,
    56,
    57,
  ),
  'Direct transport': range('DT', 1, 3, 4, 6, 10, [14, 17], [19, 21]),
  'Mailbox and DHT storage': range('MB', 1, 3, [5, 30], [32, 35], 37, 38, [40, 48]),
  Prekeys: range('PK', [1, 14], 16, [18, 24]),
  'Local store': range('LS', [1, 16], 18, 20, 21),
  'Presence, receipts, profiles, messages': range('PR', 1, [3, 13], [15, 18]),
  'Local API': range('AP', [1, 26], 28, [30, 32], 34, 35),
  'Command line and packages': range('CL', 1, [4, 7], [9, 11], 13, 14, 16),
  'Bootstrap, relays, operations': range('OP', 1, 2, [5, 8], 10, [12, 14], [16, 19], 24, [26, 28]),
  'NAT traversal': range('NA', 1, 2, [4, 9]),
  Security: range('SE', [1, 19]),
  'Anti-spam': range('AS', [1, 3], [5, 9]),
  'No infrastructure': range('VI', 1),
  Tests: range('TE', [1, 14], [16, 18]),
  'Defects of earlier designs': range('F', [1, 12], 17, 27, 35),
}

export interface NamedTest {
  readonly file: string
  readonly name: string
  readonly rows: readonly string[]
}

const TEST = /\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/g
const ROW = /\b(?:(?:ID|E2|PK|DT|NT|MB|LS|SY|GR|ON|ME|PR|AP|CL|OP|NA|SE|AS|TE|VI)-\d{2}|F\d{1,2})\b/g
const LITERAL = new RegExp(`(['"\`])((?:${ROW.source})(?:\\\\.|(?!\\1)[^\\n])*)\\1`, 'g')

/** The test of this very file holds made-up names, which prove nothing. */
const EXAMPLES = join('test', 'unit', 'support', 'rows.test.ts')

/** Every test whose name names a row. */
export function namedTests(): readonly NamedTest[] {
  const files = globSync('test/**/*.test.{ts,tsx}', { cwd: ROOT, exclude: [EXAMPLES] }).sort()
  return files.flatMap((file) => testsIn(file, readFileSync(join(ROOT, file), 'utf8')))
}

/** The tests of one file: what `test(` is called with, and texts that begin with a row, from which names are made. */
export function testsIn(file: string, source: string): readonly NamedTest[] {
  const literals = new Set([...source.matchAll(TEST), ...source.matchAll(LITERAL)].map(([, , raw = '']) => raw))
  return [...literals].flatMap((raw) => {
    const rows = [...new Set(raw.match(ROW))]
    const name = raw
      .replaceAll(/\$\{[^}]*\}/g, '…')
      .replaceAll(/\\(.)/g, '$1')
      .replaceAll(/\s+/g, ' ')
    return rows.length === 0 ? [] : [{ file, name, rows }]
  })
}

/** The required rows that no test names. */
export function openRows(tests: readonly NamedTest[]): readonly string[] {
  const proved = new Set(tests.flatMap(({ rows }) => rows))
  return Object.values(REQUIRED)
    .flat()
    .filter((row) => !proved.has(row))
}

/** The part of test/README.md that is written by this script. */
export function renderRows(tests: readonly NamedTest[]): string {
  const open = openRows(tests)
  const lines = [BEGIN, '']
  lines.push(open.length === 0 ? 'Every required row has a test.' : `Open, without a test: ${open.join(', ')}.`)
  for (const [family, rows] of Object.entries(REQUIRED)) lines.push('', `### ${family}`, '', ...tableOf(rows, tests))
  const required = new Set(Object.values(REQUIRED).flat())
  const further = [...new Set(tests.flatMap((test) => test.rows))].filter((row) => !required.has(row)).sort()
  lines.push('', '### Further rows', '', ...tableOf(further, tests), '', END)
  return lines.join('\n')
}

function tableOf(rows: readonly string[], tests: readonly NamedTest[]): readonly string[] {
  const proofs = (row: string): string =>
    tests
      .filter((test) => test.rows.includes(row))
      .map(
        ({ file, name }) =>
          `${name.replaceAll(ROW, '').replaceAll('|', '\\|').trim()} (\`${file.slice('test/'.length)}\`)`,
      )
      .join('<br>')
  return ['| row | proved by |', '|---|---|', ...rows.map((row) => `| ${row} | ${proofs(row) || '**open**'} |`)]
}

/** test/README.md as it is, and as it should be. */
export function readmes(): { readonly current: string; readonly wanted: string } {
  const current = readFileSync(README, 'utf8')
  const [head = '', rest = ''] = current.split(BEGIN)
  const [, tail = ''] = rest.split(END)
  return { current, wanted: `${head}${renderRows(namedTests())}${tail}` }
}

if (import.meta.main) {
  const { current, wanted } = readmes()
  if (process.argv.includes('--write') && current !== wanted) writeFileSync(README, wanted)
  console.log(`open rows: ${openRows(namedTests()).join(', ') || 'none'}`)
}
