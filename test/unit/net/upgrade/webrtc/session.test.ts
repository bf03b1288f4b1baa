/** A meeting that does not open. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../../../src/lib/clock.ts'
import { NetworkError } from '../../../../../src/lib/errors.ts'
import type { MeetingEvents } from '../../../../../src/net/upgrade/webrtc/helper.ts'
import { Session } from '../../../../../src/net/upgrade/webrtc/session.ts'

const own = { ufrag: 'abcd', pwd: 'a'.repeat(22), fingerprint: new Uint8Array(32), candidates: [] }
const order = { answers: own, stun: undefined, bind: undefined }

async function begun() {
  const clock = new VirtualClock()
  const session = new Session(clock)
  const heard: MeetingEvents[] = []
  let isClosed = false
  const meet = (_order: unknown, events: MeetingEvents) => {
    heard.push(events)
    const close = (): void => {
      isClosed = true
      events.closed()
    }
    return { answered: () => {}, send: () => {}, close }
  }
  const described = session.begin({ meet }, order)
  const events = heard[0] ?? assert.fail()
  events.described(own)
  assert.deepEqual(await described, own)
  return { clock, session, events, isClosed: () => isClosed }
}

test('AS-08 NA-02 a meeting that is not open ten seconds after it began is over, whoever answered', async () => {
  const { clock, session, isClosed } = await begun()
  const opened = assert.rejects(session.open(), NetworkError)
  await clock.advance(9_999)
  assert.equal(isClosed(), false)
  await clock.advance(1)
  assert.equal(isClosed(), true)
  await opened
})

test('NA-02 one that is open lasts', async () => {
  const { clock, session, events, isClosed } = await begun()
  events.open({ ip: '21.0.0.2', port: 1 })
  assert.deepEqual(await session.open(), { ip: '21.0.0.2', port: 1 })
  await clock.advance(60_000)
  assert.equal(isClosed(), false)
})
