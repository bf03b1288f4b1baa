import { test } from 'node:test'
import assert from 'node:assert/strict'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { MultiaddrConnection } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../../src/lib/network-profile.ts'
import { connectionGater } from '../../../src/net/gater.ts'
import type { OpenConnection } from '../../../src/net/gater.ts'
import { CONNECTIONS_PER_NETWORK_MAX } from '../../../src/net/protocols.ts'

const peer = peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', new Uint8Array(32)))

function gate(profile: NetworkProfile, open: readonly OpenConnection[], trusted: readonly string[] = []) {
  const gater = connectionGater(profile, new Set(trusted), () => open)
  return {
    refuses: async (address: string): Promise<boolean> => {
      const from = { remoteAddr: multiaddr(address) } as MultiaddrConnection
      const [early, late] = [
        await gater.denyInboundConnection?.(from),
        await gater.denyInboundUpgradedConnection?.(peer, from),
      ]
      assert.equal(early, late)
      return early === true
    },
    refusesDial: async (address: string) => gater.denyDialMultiaddr?.(multiaddr(address)),
    keeps: async (address: Multiaddr) => gater.filterMultiaddrForPeer?.(peer, address),
  }
}

const from = (address: string, direction: OpenConnection['direction'] = 'inbound'): OpenConnection[] =>
  Array.from({ length: CONNECTIONS_PER_NETWORK_MAX }, () => ({ direction, remoteAddr: multiaddr(address) }))

test('AS-08 one network of public addresses gets only so many connections: an IPv4 /24, an IPv6 /48', async () => {
  const open = [...from('/ip4/8.8.8.8/tcp/1'), ...from('/ip6/2600:1:2::1/tcp/1')]
  for (const profile of [MAIN, LOCAL]) {
    const { refuses } = gate(profile, open)
    assert.equal(await refuses('/ip4/8.8.8.77/tcp/9'), true)
    assert.equal(await refuses('/ip4/8.8.9.8/tcp/9'), false)
    assert.equal(await refuses('/ip6/2600:1:2:ffff::7/tcp/9'), true)
    assert.equal(await refuses('/ip6/2600:1:3::7/tcp/9'), false)
    assert.equal(await refuses('/ip6/::ffff:8.8.8.9/tcp/9'), true, 'IPv4 as a dual-stack socket reports it')
  }
  assert.equal(await gate(MAIN, open.slice(1)).refuses('/ip4/8.8.8.77/tcp/9'), false, 'one less: there is room')
})

test('private sources, connections of our own making and profiles without diversity are not limited', async () => {
  const room = [...from('/ip4/127.0.0.1/tcp/1'), ...from('/ip4/10.0.0.1/tcp/1')]
  assert.equal(await gate(LOCAL, room).refuses('/ip4/127.0.0.1/tcp/9'), false)
  assert.equal(await gate(MAIN, room).refuses('/ip4/10.0.0.1/tcp/9'), false)
  assert.equal(await gate(MAIN, from('/ip4/8.8.8.8/tcp/1', 'outbound')).refuses('/ip4/8.8.8.8/tcp/9'), false)
  const free = gate({ ...MAIN, diversity: false }, from('/ip4/8.8.8.8/tcp/1'))
  assert.equal(await free.refuses('/ip4/8.8.8.8/tcp/9'), false)
})

test('names and private addresses are dialled on a public network only where the user gave them', async () => {
  const { refusesDial, keeps } = gate(MAIN, [], ['/dns4/boot.example/tcp/1', '/ip4/10.0.0.1/tcp/1'])
  assert.equal(await refusesDial(`/dns4/boot.example/tcp/1/p2p/${peer.toString()}`), false)
  assert.equal(await refusesDial('/ip4/10.0.0.1/tcp/1'), false)
  assert.equal(await refusesDial('/ip4/8.8.8.8/tcp/1'), false)
  assert.equal(await refusesDial('/dns4/router.lan/tcp/80'), true)
  assert.equal(await refusesDial('/ip4/10.0.0.2/tcp/1'), true)
  assert.equal(await keeps(multiaddr('/dns4/boot.example/tcp/1')), false)
  assert.equal(await gate(LOCAL, []).refusesDial('/dns4/router.lan/tcp/80'), false)
})
