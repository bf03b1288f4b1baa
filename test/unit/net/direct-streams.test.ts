/** Who is told when a stream opens and when none is left, and what a stream carries besides messages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { DIRECT_FRAME } from '../../../src/wire/direct.ts'
import type { DirectFrame } from '../../../src/wire/direct.ts'
import { newHost, soon, until } from './hosts.ts'

const watched = async (t: TestContext) => {
  const host = await newHost(t)
  const told: string[] = []
  const frames: DirectFrame[] = []
  host.direct.onStream((_peerId, open) => void told.push(open ? 'open' : 'gone'))
  host.direct.onFrame(async (_peerId, frame) => void frames.push(frame))
  return { host, told, frames }
}
const live: DirectFrame = { kind: DIRECT_FRAME.live, body: { envelope: Uint8Array.of(1, 2, 3) } }
const beat: DirectFrame = { kind: DIRECT_FRAME.beat, body: {} }

test('PR-01 both ends hear of a stream when it is there, and when none is left; live signals and beats go over it', async (t) => {
  const [a, b] = [await watched(t), await watched(t)]
  await b.host.direct.send(a.host.routing.self(), live, soon())
  await b.host.direct.send({ id: a.host.peerId, addresses: [] }, beat, soon())
  await until(() => a.frames.length === 2)
  assert.deepEqual(a.frames, [live, beat])
  await until(() => a.host.direct.hearsLive(b.host.peerId) && b.host.direct.hearsLive(a.host.peerId))
  assert.ok(a.host.direct.connected(b.host.peerId) && b.host.direct.connected(a.host.peerId))
  const twice = ['open', 'open']
  assert.deepEqual([a.told, b.told], [twice, twice], 'a stream, and that the peer knows live signals')
  await b.host.disconnect(a.host.peerId)
  await until(() => a.told.includes('gone') && b.told.includes('gone'))
  assert.ok(!a.host.direct.connected(b.host.peerId) && !b.host.direct.connected(a.host.peerId))
  await a.host.direct.send(b.host.routing.self(), live, soon())
  await until(() => b.frames.length === 1)
  await until(() => a.told.at(-1) === 'open' && b.told.at(-1) === 'open')
})
