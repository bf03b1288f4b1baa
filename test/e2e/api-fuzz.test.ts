/** The requests of `test/property/api-fuzz.test.ts` against a real daemon, fewer of them: its answers, its store, its errors. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_API_LIMITS } from '../../src/api/limits.ts'
import { ROUTES } from '../../src/api/routes.ts'
import { EVENT_TYPES } from '../../src/api/views/event-types.ts'
import { anyRequest, checkAnswer, exchange } from '../support/api-fuzz.ts'
import { befriend, PASSPHRASE, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'

const RUNS = Number(process.env['SOTTO_FUZZ_RUNS'] ?? 200)
const NO_LIMIT = 1_000_000
/** What asks the network may find nobody there. */
const NETWORK_FAULTS = new Set([502, 503, 504])
const ASKS_NETWORK: ReadonlySet<string> = new Set(['lookup', 'publish', 'rotate', 'session'])
/** Seconds of Argon2id each, and afterwards the home is another one; `verbs` and `account` tests have them. */
const ELSEWHERE = new Set(['/identity/rotate', '/identity/passphrase', '/backup', '/backup/restore', '/prekeys/rotate'])

const bed = new Testbed()
after(() => bed.close())

function withoutLimits(daemon: Daemon): void {
  const limits = Object.fromEntries(Object.keys(DEFAULT_API_LIMITS).map((name) => [name, NO_LIMIT]))
  writeFileSync(join(daemon.home, 'config.json'), JSON.stringify({ version: 1, api: { limits } }), { mode: 0o600 })
}

test(`AP-31 AP-11 AP-01 AP-08 ${RUNS} requests to a real daemon: no 5xx, each answer as its schema says (seed ${SEED})`, async (t) => {
  const [alice, bob] = [bed.daemon('alice'), bed.daemon('bob')]
  withoutLimits(bob)
  await alice.start()
  await bob.start()
  await until('they know each other', async () => (await bob.status()).peers >= 1)
  await Promise.all([alice.createIdentity(1), bob.createIdentity(1)])
  await befriend(alice, bob)
  const [friend, self] = [await alice.accountId(), await bob.accountId()]
  const ids: string[] = []
  for (let i = 0; i < 3; i++) ids.push((await bob.send(friend, `from bob ${i}`)).id)
  for (let i = 0; i < 3; i++) await alice.send(self, `from alice ${i}`)
  await bob.receives(friend, 'from alice 2')
  ids.push(...(await bob.messages(friend)).map(({ id }) => id))
  await bob.api('PUT', '/events/consumers/bot', { from: 0 })
  const known = [friend, self, ...ids, 'bot', 'message:received', '1', '👍', PASSPHRASE]
  const routes = ROUTES.filter(({ path }) => !ELSEWHERE.has(path))
  const where = { port: bob.apiPort, agent: new Agent({ keepAlive: true, maxSockets: 2 }) }
  t.after(() => {
    where.agent.destroy()
  })
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(anyRequest(routes, known), async (asked) => {
      const token = readFileSync(join(bob.home, 'api-token'), 'utf8').trim()
      const answer = await exchange(where, token, asked)
      checkAnswer(asked, answer, ASKS_NETWORK.has(asked.route.group) ? NETWORK_FAULTS : new Set())
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      if (asked.route.path === '/identity/lock') await bob.api('POST', '/identity/unlock', { passphrase: PASSPHRASE })
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  )
  t.diagnostic(
    [...statuses]
      .toSorted(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  )
  assert.equal((await bob.status()).state, 'ready')
  await checkEvents(alice)
  await checkEvents(bob)
  assert.doesNotMatch(bob.log, /request failed/)
})

/** AP-08: whatever happened is of a known type, and its data as the type says. */
async function checkEvents(daemon: Daemon): Promise<void> {
  const { events } = await daemon.api<{ events: { type: string; data: unknown }[] }>(
    'GET',
    '/events?since=0&limit=1000',
  )
  assert.ok(events.length > 10)
  for (const { type, data } of events) {
    const result = EVENT_TYPES[type]?.safeParse(data)
    assert.ok(result?.success === true, `${type} ${JSON.stringify(data)} ${JSON.stringify(result?.error?.issues)}`)
  }
}
