/** The upgrader among parts that only count what is asked of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/log.ts'
import { LOCAL } from '../../../../src/lib/network-profile.ts'
import { seededRng } from '../../../../src/lib/rng.ts'
import { protocolsOf } from '../../../../src/net/protocols.ts'
import { Upgrader } from '../../../../src/net/upgrade/upgrader.ts'
import type { UpgraderInit } from '../../../../src/net/upgrade/upgrader.ts'
import { UDP } from '../../../../src/wire/upgrade.ts'
import type { UdpMapping } from '../../../../src/wire/upgrade.ts'

const PEER = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'

test('NA-02 OP-03 what we find out about UDP by trying is no change of ours: it neither ends a pause nor is asked anew', async () => {
  const clock = new VirtualClock()
  const did: string[] = []
  const state = { udp: UDP.unknown as UdpMapping, addresses: ['/ip4/11.0.0.2/tcp/4001'] }
  let onRelayed: (peerId: string) => void = () => {}
  const relayed = {
    direction: 'outbound',
    newStream: async () => {
      did.push('try')
      state.udp = state.udp === UDP.perDestination ? UDP.endpointIndependent : UDP.perDestination
      throw new Error('refused')
    },
  }
  const parts = {
    node: { addEventListener() {}, handle: async () => {}, removeEventListener() {}, unhandle: async () => {} },
    dialer: { direct: () => undefined },
    streams: {
      onRelayed: (listener: typeof onRelayed) => void (onRelayed = listener),
      onCut() {},
      relayedTo: () => relayed,
    },
    webRtc: { udp: () => state.udp, look: async () => {}, forget: () => void did.push('forget'), stop: async () => {} },
    tcp: {},
  }
  const upgrader = new Upgrader({
    ...(parts as unknown as UpgraderInit),
    selfId: 'self',
    limits: protocolsOf('local').upgrade,
    profile: LOCAL,
    addresses: () => state.addresses,
    clock,
    rng: seededRng(1),
    log: silentLogger,
  })
  await upgrader.start()
  upgrader.changed()
  assert.deepEqual(did, ['forget'])
  onRelayed(PEER)
  for (let at = 0; at < 20; at++) {
    await clock.advance(1_000)
    upgrader.changed()
  }
  assert.deepEqual(did, ['forget', 'try'])
  state.addresses = ['/ip4/11.0.0.3/tcp/4001']
  upgrader.changed()
  await clock.advance(12_000)
  assert.deepEqual(did.slice(2, 4), ['forget', 'try'])
  await upgrader.stop()
})
