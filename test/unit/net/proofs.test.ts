import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { Proofs } from '../../../src/net/reach/proofs.ts'

const SELF = peerIdFromString('12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx')
const OTHER = peerIdFromString('12D3KooWGTCR4YBPhowk6MxXXFyUtLN8hAVW67dNTJmJAqXzv16D')
const OWN = '/ip4/8.8.4.4/tcp/4001'
const V1 = '/libp2p/autonat/1.0.0'

const silent = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => silent })

interface Dial {
  readonly to: string
  readonly force: boolean | undefined
  closed: boolean
}

/** What libp2p gives its services, as far as AutoNAT looks at it. */
function world(announced: readonly string[] = []) {
  const clock = new VirtualClock()
  const told: string[] = []
  const dials: Dial[] = []
  const asked: string[] = []
  const existing = { closed: false }
  const proofs = new Proofs({ announced, clock, rng: seededRng(3) })
  const components = {
    logger: { forComponent: () => silent },
    peerId: SELF,
    registrar: {
      handle: async () => {},
      unhandle: async () => {},
      register: async () => 'id',
    },
    addressManager: {
      getAddresses: () => [],
      getAddressesWithMetadata: () =>
        (announced.length > 0 ? [] : [OWN, '/ip4/192.168.1.4/tcp/4001', '/ip4/127.0.0.1/tcp/4001']).map((text) => ({
          multiaddr: multiaddr(text),
          verified: false,
          type: 'transport',
          expires: 0,
        })),
      confirmObservedAddr: (address: Multiaddr) => void told.push(`+${address.toString()}`),
      removeObservedAddr: (address: Multiaddr) => void told.push(`-${address.toString()}`),
      addPublicAddressMapping: (...mapping: unknown[]) => void told.push(`map ${mapping.join(' ')}`),
      removePublicAddressMapping: () => {},
    },
    transportManager: { dialTransportForMultiaddr: () => ({}) },
    connectionManager: {
      openConnection: async (to: Multiaddr, options: { force?: boolean }) => {
        if (options.force !== true) return { remoteAddr: to, close: async () => void (existing.closed = true) }
        const dial: Dial = { to: to.toString(), force: options.force, closed: false }
        dials.push(dial)
        return { remoteAddr: to, close: async () => void (dial.closed = true) }
      },
      getConnections: () => [],
      getMaxConnections: () => 100,
    },
    randomWalk: { walk: async function* walk() {} },
    peerStore: {
      // the first thing that AutoNAT looks at before it asks a peer
      get: async (peerId: unknown) => {
        asked.push(String(peerId))
        throw new Error('a test asks nobody')
      },
    },
    events: {},
  }
  return { proofs, components: components as never, clock, told, dials, asked, existing }
}

/** The inner parts of libp2p's service that the test plays its peers by. */
interface Service {
  readonly components: { readonly addressManager: { confirmObservedAddr(address: Multiaddr): void } }
  start(): Promise<void>
  stop(): Promise<void>
  handleAutonatMessage(
    message: unknown,
    connection: unknown,
    options: unknown,
  ): Promise<{ dialResponse: { status: string } }>
}

function connection(text: string): Connection {
  return { remotePeer: OTHER, remoteAddr: multiaddr(text), direction: 'inbound' } as unknown as Connection
}

const identify = (protocols: readonly string[], observed?: string, from = '/ip4/12.0.0.2/tcp/4001') =>
  ({
    peerId: OTHER,
    protocols,
    observedAddr: observed === undefined ? undefined : multiaddr(observed),
    connection: { ...connection(from), direction: 'outbound' },
  }) as never

test('NA-02 who asks to be dialled is dialled anew: the connection the question came on stays', async () => {
  const { proofs, components, dials, existing } = world()
  const service = proofs.autoNat.v1(components) as Service
  const from = '/ip4/9.9.9.9/tcp/5000'
  const message = {
    dial: { peer: { id: OTHER.toMultihash().bytes, addrs: [multiaddr('/ip4/9.9.9.9/tcp/4001').bytes] } },
  }
  const { dialResponse } = await service.handleAutonatMessage(message, connection(from), {})
  assert.equal(dialResponse.status, 'OK')
  assert.deepEqual(dials, [{ to: `/ip4/9.9.9.9/tcp/4001/p2p/${OTHER.toString()}`, force: true, closed: true }])
  assert.equal(existing.closed, false)
})

test('AS-08 dials for others are bounded, whoever asks', async () => {
  const { proofs, components, dials, clock } = world()
  const service = proofs.autoNat.v1(components) as Service
  const message = {
    dial: { peer: { id: OTHER.toMultihash().bytes, addrs: [multiaddr('/ip4/9.9.9.9/tcp/4001').bytes] } },
  }
  for (let at = 0; at < 60; at++) await service.handleAutonatMessage(message, connection('/ip4/9.9.9.9/tcp/5000'), {})
  assert.equal(dials.length, 32)
  await clock.advance(1_000)
  for (let at = 0; at < 60; at++) await service.handleAutonatMessage(message, connection('/ip4/9.9.9.9/tcp/5000'), {})
  assert.equal(dials.length, 36)
})

test('NA-02 connected peers are asked, the proof is told to libp2p, and rounds in vain say so', async (t) => {
  const { proofs, components, clock, told, asked } = world()
  const service = proofs.autoNat.v1(components) as Service
  await service.start()
  t.after(async () => service.stop())
  const direct = connection('/ip4/12.0.0.2/tcp/4001')
  proofs.look([direct])
  assert.equal(proofs.candidates(), 'open')
  assert.deepEqual(asked, [], 'it has not said that it answers')
  proofs.identified(identify([V1]))
  proofs.look([connection(`/ip4/12.0.0.2/tcp/4001/p2p/${OTHER.toString()}/p2p-circuit`)])
  assert.deepEqual(asked, [], 'not over a relay')
  proofs.look([direct])
  proofs.look([direct])
  assert.deepEqual(asked, [OTHER.toString()], 'once in a round')
  await clock.advance(16_000)
  proofs.look([direct])
  assert.equal(proofs.candidates(), 'failed')
  assert.deepEqual(proofs.unproved(), [OWN])
  let proved = 0
  proofs.onProof(() => void proved++)
  service.components.addressManager.confirmObservedAddr(multiaddr(OWN))
  assert.deepEqual([proved, proofs.verified()], [1, [OWN]])
  proofs.look([direct])
  proofs.look([direct])
  assert.deepEqual(told, [`+${OWN}`], 'once')
})

test('NA-02 a port that the router forwards is found by itself: what others see of us, with our port', async (t) => {
  const { proofs, components, told } = world()
  const service = proofs.autoNat.v1(components) as Service
  await service.start()
  t.after(async () => service.stop())
  proofs.identified(identify([V1], '/ip4/21.0.0.2/tcp/34787', '/ip4/12.0.0.2/tcp/4001'))
  proofs.identified(identify([V1], '/ip4/21.0.0.2/tcp/34787', '/ip4/13.0.0.2/tcp/4001'))
  proofs.look([])
  service.components.addressManager.confirmObservedAddr(multiaddr('/ip4/21.0.0.2/tcp/4001'))
  proofs.look([])
  assert.deepEqual(told, ['map 8.8.4.4 4001 21.0.0.2 4001 tcp', '+/ip4/21.0.0.2/tcp/4001'])
})

test('NA-02 what the user announced counts when one stranger got in, an address of the machine when two did', () => {
  const announced = world(['/ip4/11.0.0.2/tcp/4001'])
  announced.proofs.autoNat.v1(announced.components)
  const plain = world()
  plain.proofs.autoNat.v1(plain.components)
  for (const { proofs } of [announced, plain]) {
    proofs.opened(connection('/ip4/21.0.0.2/tcp/5000'), false)
    proofs.look([])
  }
  assert.deepEqual(announced.proofs.verified(), ['/ip4/11.0.0.2/tcp/4001'])
  assert.deepEqual(plain.proofs.verified(), [])
  plain.proofs.opened(connection('/ip4/22.0.0.2/tcp/5000'), true)
  plain.proofs.look([])
  assert.deepEqual(plain.proofs.verified(), [], 'a punched hole proves nothing')
  plain.proofs.opened(connection('/ip4/23.0.0.2/tcp/5000'), false)
  plain.proofs.look([])
  assert.deepEqual(plain.proofs.verified(), [OWN])
})
