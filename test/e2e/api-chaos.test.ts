/** `npm run chaos -- api`, of a size that fits a test run: reader and daemon are killed while events happen. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiChaos } from '../chaos/api/run.ts'
import { Testbed } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'

const EVENTS = Number(process.env['SOTTO_CHAOS_EVENTS'] ?? 300)
const bed = new Testbed()
after(() => bed.close())

test(`AP-06 ${EVENTS} events, reader and daemon killed at random: none lost, none doubled for a named consumer (seed ${SEED})`, async (t) => {
  const say = (line: string): void => t.diagnostic(line)
  const result = await new ApiChaos(bed, {
    events: EVENTS,
    seed: SEED,
    daemonKillEvery: 400,
    readerKillEvery: 60,
    say,
  }).run()
  say(JSON.stringify(result))
  assert.deepEqual([result.lost, result.doubled, result.breaches], [0, 0, []])
  assert.ok(result.answered >= EVENTS && result.events >= result.answered)
  assert.ok(result.daemonKills > 0 && result.readerKills > 2, JSON.stringify(result))
})
