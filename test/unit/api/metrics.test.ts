/** `/readyz` and `/metrics`: whether it works and how much it does, never whom it concerns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { ALICE, BOB, CAROL, hexId } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'

async function scrape({ ask }: Harness): Promise<Map<string, number>> {
  const { status, text, headers } = await ask('/metrics')
  assert.equal(status, 200)
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

test('OP-18 /readyz is open and says no more than yes or no', async (t) => {
  const clock = new VirtualClock()
  const { ask, application } = await serve(t, { clock })
  const asked = async () => {
    const { status, text } = await ask('/readyz', { token: null })
    return [status, text]
  }
  assert.deepEqual(await asked(), [200, '{"status":"ready"}'])
  application.calls.length = 0
  for (let i = 0; i < 20; i++) await asked()
  assert.deepEqual(application.calls, [], 'one look a second, however many ask')
  for (const state of ['locked', 'empty', 'joining'] as const) {
    application.state = state
    await clock.advance(1_000)
    assert.deepEqual(await asked(), [503, '{"status":"not-ready"}'], state)
    assert.equal((await ask('/healthz', { token: null })).status, 200)
  }
})

test('OP-18 /metrics tells outbox, holder, peers, reachability, relays, process, and requests by route and status', async (t) => {
  const h = await serve(t)
  await h.ask(`${V1}/contacts/${BOB}`)
  await h.ask(`${V1}/contacts/${CAROL}`)
  await h.ask(`${V1}/messages/${hexId(99)}`)
  await h.ask(`${V1}/status`, { token: null })
  await h.ask('/nothing/of/ours')
  const found = await scrape(h)
  for (const [name, value] of [
    ['sotto_outbox_waiting', 0],
    ['sotto_holder_records', 2],
    ['sotto_holder_bytes', 100],
    ['sotto_peers', 4],
    ['sotto_relays', 1],
    ['sotto_relay_reservations', 0],
    ['sotto_state{state="ready"}', 1],
    ['sotto_state{state="locked"}', 0],
    ['sotto_reachability{state="behind-nat"}', 1],
    ['sotto_api_event_streams', 0],
    ['sotto_outbox_delivered_total', 0],
    [`sotto_api_requests_total{method="GET",route="${V1}/contacts/:id",status="200"}`, 2],
    [`sotto_api_requests_total{method="GET",route="${V1}/messages/:id",status="404"}`, 1],
    [`sotto_api_requests_total{method="GET",route="${V1}/status",status="401"}`, 1],
    ['sotto_api_requests_total{method="GET",route="none",status="404"}', 1],
    [`sotto_api_request_seconds_count{route="${V1}/contacts/:id"}`, 2],
  ] as const)
    assert.equal(found.get(name), value, name)
  assert.ok((found.get('process_resident_memory_bytes') ?? 0) > 1_000_000)
  assert.ok((found.get('process_cpu_seconds') ?? 0) > 0)
})

test('OP-18 events are counted by type from the first scrape on, each once, and delivered messages among them', async (t) => {
  const h = await serve(t)
  h.application.emit('message:delivered', { id: hexId(1), contact: BOB })
  assert.equal((await scrape(h)).get('sotto_outbox_delivered_total'), 0)
  for (let i = 0; i < 3; i++) h.application.emit('message:delivered', { id: hexId(i), contact: BOB })
  h.application.emit('contact:added', { contact: CAROL })
  const [first] = await Promise.all([scrape(h), scrape(h)])
  assert.equal(first.get('sotto_outbox_delivered_total'), 3)
  const second = await scrape(h)
  assert.equal(second.get('sotto_outbox_delivered_total'), 3)
  assert.equal(second.get('sotto_events_total{type="contact:added"}'), 1)
})

test('OP-18 SE-09 no account, message, name or address is in the metrics', async (t) => {
  const h = await serve(t)
  await h.ask(`${V1}/contacts`, { body: { target: ALICE, name: 'C4N4RY' } })
  await h.ask(`${V1}/messages`, { body: { to: BOB, text: 'C4N4RY' } })
  await h.ask(`${V1}/C4N4RY`)
  await h.ask(`${V1}/contacts/${BOB}?C4N4RY=1`)
  const { text } = await h.ask('/metrics')
  assert.ok(!/C4N4RY|sotto1|12D3Koo|[0-9a-f]{32}|\/ip4\//.test(text))
  assert.equal((await h.ask('/metrics', { token: null })).status, 401)
  assert.equal((await h.ask('/metrics', { method: 'POST' })).status, 404)
})
