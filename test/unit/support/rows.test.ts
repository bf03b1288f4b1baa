import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namedTests, openRows, readmes, REQUIRED, testsIn } from '../../support/rows.ts'

test('rows are read off the names of tests', () => {
  const name = (text: string): string => `test(${text}, () => {})`
  const table = "for (const name of ['DT-09 a case', 'a DT-11 in the midst']) test(`${name} holds`, () => {})"
  const source = [
    table,
    name("'ID-01 E2-03 one thing'"),
    name('`F7 F12 seed ${SEED}`'),
    name("'no row, F100, ID-1'"),
  ].join('\n')
  assert.deepEqual(testsIn('test/x.test.ts', source), [
    { file: 'test/x.test.ts', name: 'ID-01 E2-03 one thing', rows: ['ID-01', 'E2-03'] },
    { file: 'test/x.test.ts', name: 'F7 F12 seed …', rows: ['F7', 'F12'] },
    { file: 'test/x.test.ts', name: 'DT-09 a case', rows: ['DT-09'] },
  ])
})

test('the names made up here prove no row', () => {
  assert.deepEqual(
    namedTests().filter(({ file }) => file.endsWith('support/rows.test.ts')),
    [],
  )
})

test('a row that no test names is open', () => {
  const all = Object.values(REQUIRED).flat()
  assert.equal(new Set(all).size, all.length)
  assert.deepEqual(openRows([{ file: 'x', name: 'x', rows: all.slice(1) }]), all.slice(0, 1))
})

test('TE-12 test/README.md says which test proves which row', () => {
  const { current, wanted } = readmes()
  assert.ok(current === wanted, 'test/README.md is out of date; run: node test/support/rows.ts --write')
})
