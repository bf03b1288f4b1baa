import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { NetworkError, TimeoutError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import type { Dialer } from '../../../src/net/dialer.ts'
import { DirectStreams } from '../../../src/net/direct/direct.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { soon } from './hosts.ts'
import { numbered } from './relayed.ts'

test('DT-15 a stream that does not come about in time: the direct connection is asked whether it is alive', async () => {
  for (const [error, asked] of [
    [new TimeoutError('late'), ['peer']],
    [new NetworkError('refused'), []],
  ] as const) {
    const probed: string[] = []
    const dialer = {
      direct: () => undefined,
      open: async () => Promise.reject(error),
      probeDirect: async (peerId: string) => void probed.push(peerId),
    } as unknown as Dialer
    const streams = new DirectStreams({
      dialer,
      withKnown: (peer) => peer,
      limits: protocolsOf('local').direct,
      clock: new VirtualClock(),
      log: silentLogger,
    })
    await assert.rejects(streams.send({ id: 'peer', addresses: [] }, numbered(0), soon()))
    assert.deepEqual(probed, asked)
  }
})
