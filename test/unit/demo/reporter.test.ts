import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reporter } from '../../demo/reporter.ts'

function recorder(isTTY: boolean) {
  let text = ''
  return { isTTY, write: (more: string) => (text += more), text: () => text }
}

async function story(reporter: Reporter, last: () => Promise<{ shown: string }>): Promise<void> {
  reporter.title('A title')
  await reporter.step('first', async () => ({ shown: 'as it should', facts: { count: 3 } }))
  await reporter.step('second', last)
}

let now = 0
const clock = (): number => (now += 500)

test('with --json there is one object per step and a last line', async () => {
  const out = recorder(true)
  const reporter = new Reporter({ json: true, out, noColor: false, now: clock })
  await story(reporter, async () => ({ shown: 'too' }))
  reporter.end(true)
  const lines = out
    .text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  assert.deepEqual(lines, [
    { step: 1, name: 'first', ok: true, seconds: 0.5, detail: 'as it should', count: 3 },
    { step: 2, name: 'second', ok: true, seconds: 0.5, detail: 'too' },
    { ok: true, seconds: 2.5, steps: 2 },
  ])
})

test('a step that does not hold ends the story and is said', async () => {
  const out = recorder(false)
  const reporter = new Reporter({ json: true, out, noColor: false, now: clock })
  const fail = async (): Promise<never> => {
    throw new Error('four receipts')
  }
  await assert.rejects(story(reporter, fail), /four receipts/)
  reporter.end(false)
  const lines = out
    .text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { ok: boolean })
  assert.deepEqual(
    lines.map(({ ok }) => ok),
    [true, false, false],
  )
})

test('off a terminal, or with NO_COLOR, there is not one escape', async () => {
  for (const [isTTY, noColor] of [
    [false, false],
    [false, true],
  ] as const) {
    const out = recorder(isTTY)
    const reporter = new Reporter({ json: false, out, noColor, now: clock })
    await story(reporter, async () => ({ shown: 'too' }))
    reporter.end(true)
    assert.ok(!out.text().includes('\u001b') && !out.text().includes('\r'))
    assert.match(out.text(), /✔ {2}1 first .* as it should\n/)
  }
  const out = recorder(true)
  const reporter = new Reporter({ json: false, out, noColor: true, now: clock })
  await story(reporter, async () => ({ shown: 'too' }))
  assert.ok(!out.text().includes('\u001b[3') && !out.text().includes('\u001b[1'))
})

test('after Ctrl-C nothing more is said', async () => {
  const out = recorder(true)
  const reporter = new Reporter({ json: false, out, noColor: false, now: clock })
  reporter.abandon()
  const before = out.text()
  await story(reporter, async () => ({ shown: 'too' }))
  reporter.end(true)
  assert.ok(!out.text().slice(before.length).includes('✔') && !out.text().includes('held'))
})
