/** libp2p's own services of AutoNAT, played with by peers that answer as they like. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import { fromMultihash } from '../../../src/net/peer-id.ts'
import { Proofs } from '../../../src/net/reach/proofs.ts'
import { until } from './hosts.ts'

const SELF = peerIdFromString('12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx')
const OTHER = peerIdFromString('12D3KooWGTCR4YBPhowk6MxXXFyUtLN8hAVW67dNTJmJAqXzv16D')
const OWN = '/ip4/8.8.4.4/tcp/4001'
const LAN = '/ip4/192.168.1.4/tcp/4001'
const V1 = '/libp2p/autonat/1.0.0'
const V2 = '/libp2p/autonat/2/dial-request'
const PROTOCOLS = [V1, V2] as const
/** `DIAL_RESPONSE` of status OK, and `dialResponse` that the first address was dialled: with their lengths. */
const YES = { [V1]: [6, 0x08, 1, 0x1a, 2, 0x08, 0], [V2]: [8, 0x12, 6, 0x08, 0xc8, 1, 0x18, 0xc8, 1] } as const
/** The same with `E_DIAL_ERROR`. */
const NO = { [V1]: [6, 0x08, 1, 0x1a, 2, 0x08, 100], [V2]: [7, 0x12, 5, 0x08, 0xc8, 1, 0x18, 100] } as const

const silent = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => silent })

interface Service {
  start(): Promise<void>
  stop(): Promise<void>
  handleAutonatMessage(
    message: unknown,
    connection: unknown,
    options: unknown,
  ): Promise<{ dialResponse: { status: string } }>
}

interface WorldOptions {
  readonly announced?: readonly string[]
  readonly listed?: readonly string[]
}

/** What libp2p gives its services, as far as AutoNAT looks at it. */
function world({ announced = [], listed = [OWN, LAN] }: WorldOptions = {}) {
  const clock = new VirtualClock()
  const told: string[] = []
  const judged: string[] = []
  const dials: { to: string; closed: boolean }[] = []
  const existing = { closed: false }
  const handlers = new Map<string, StreamHandler>()
  const topologies: string[] = []
  const connections: unknown[] = []
  const proofs = new Proofs({ announced, clock, rng: seededRng(3) })
  const components = {
    logger: { forComponent: () => silent },
    peerId: SELF,
    registrar: {
      handle: async (protocol: string, handler: StreamHandler) => void handlers.set(protocol, handler),
      unhandle: async () => {},
      register: async (protocol: string) => String(topologies.push(protocol)),
    },
    addressManager: {
      getAddresses: () => [],
      getAddressesWithMetadata: () =>
        (announced.length > 0 ? [] : [...listed, '/ip4/127.0.0.1/tcp/4001']).map((text) => ({
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
    transportManager: { dialTransportForMultiaddr: () => ({}), getAddrs: () => listed.map((text) => multiaddr(text)) },
    connectionManager: {
      isDialable: async (address: Multiaddr) => judged.push(address.toString()) > 0,
      openConnection: async (to: Multiaddr, options: { force?: boolean }) => {
        if (options.force !== true) return { remoteAddr: to, close: async () => void (existing.closed = true) }
        const dial = { to: to.toString(), closed: false }
        dials.push(dial)
        return {
          remoteAddr: to,
          close: async () => void (dial.closed = true),
          abort() {},
          newStream: async () => Promise.reject(new Error('no more than a connection')),
        }
      },
      getConnections: () => connections,
      getMaxConnections: () => 100,
    },
    randomWalk: { walk: async function* walk() {} },
    peerStore: { get: async () => ({ addresses: [] }) },
    events: {},
  } as never
  const services = [proofs.autoNat.v1(components), proofs.autoNat.v2(components)] as Service[]
  const [v1 = assert.fail()] = services
  const start = async (t: { after(end: () => Promise<void>): void }): Promise<void> => {
    for (const service of services) await service.start()
    t.after(async () => {
      for (const service of services) await service.stop()
    })
  }
  return { proofs, v1, start, clock, told, judged, dials, existing, handlers, topologies, connections }
}

interface Speaker {
  readonly connection: Connection
  /** Our ends of the questions that it was asked. */
  readonly questions: Stream[]
}

/** A connected peer that does with every question what `answer` says. */
function speaker(
  id: number,
  ip: string,
  answer: (stream: Stream, protocol: string) => void,
  connected: object = {},
): Speaker {
  const multihash = Uint8Array.from([0, 36, 8, 1, 18, 32, ...new Uint8Array(32).fill(id)])
  const remotePeer = fromMultihash(multihash)
  const questions: Stream[] = []
  const connection = {
    remotePeer,
    remoteAddr: multiaddr(`/ip4/${ip}/tcp/4001`),
    direction: 'outbound',
    newStream: async (protocol: string) => {
      const [ours, theirs] = await streamPair()
      questions.push(ours)
      theirs.addEventListener('message', () => {
        answer(theirs, protocol)
      })
      return ours
    },
    ...connected,
  } as unknown as Connection
  return { connection, questions }
}

/** Says that the dial went well, whatever was asked. */
const liar = (stream: Stream, protocol: string): void => {
  stream.send(Uint8Array.from(YES[protocol as typeof V1]))
  void stream.close().catch(() => {})
}

function identified(proofs: Proofs, { connection }: Speaker, protocols: readonly string[], observed?: string): void {
  const observedAddr = observed === undefined ? undefined : multiaddr(observed)
  proofs.identified({ peerId: connection.remotePeer, protocols, observedAddr, connection } as never)
}

/** The peer dials us, and gets in at that end of ours. */
function arrives(proofs: Proofs, { connection }: Speaker, localAddress: string, localPort = 4001): void {
  const socket = { localAddress, localPort }
  proofs.opened({ ...connection, direction: 'inbound', maConn: { socket } } as unknown as Connection)
}

const ended = async (...speakers: readonly Speaker[]): Promise<void> =>
  until(() =>
    speakers.every(({ questions }) => questions.length > 0 && questions.every((one) => one.status !== 'open')),
  )

const incoming = (text: string): Connection =>
  ({ remotePeer: OTHER, remoteAddr: multiaddr(text), direction: 'inbound' }) as unknown as Connection

const dialMessage = (address: string) => ({
  dial: { peer: { id: OTHER.toMultihash().bytes, addrs: [multiaddr(address).bytes] } },
})

test('NA-02 who asks to be dialled is dialled anew: the connection the question came on stays', async () => {
  const { v1, dials, existing } = world()
  const from = incoming('/ip4/9.9.9.9/tcp/5000')
  const { dialResponse } = await v1.handleAutonatMessage(dialMessage('/ip4/9.9.9.9/tcp/4001'), from, {})
  assert.equal(dialResponse.status, 'OK')
  assert.deepEqual(dials, [{ to: `/ip4/9.9.9.9/tcp/4001/p2p/${OTHER.toString()}`, closed: true }])
  assert.equal(existing.closed, false)
})

test('AS-08 dials for others are bounded, for one network and for all, whoever asks', async () => {
  const { v1, dials, clock } = world()
  const ask = async (ip: string, times: number): Promise<number> => {
    const before = dials.length
    for (let at = 0; at < times; at++) {
      await v1.handleAutonatMessage(dialMessage(`/ip4/${ip}/tcp/4001`), incoming(`/ip4/${ip}/tcp/5000`), {})
    }
    return dials.length - before
  }
  assert.equal(await ask('9.9.9.9', 20), 8)
  assert.equal(await ask('9.9.9.77', 20), 0, 'the same network')
  for (let net = 1; net <= 60; net++) await ask(`9.8.${net}.1`, 1)
  assert.equal(dials.length, 32)
  await clock.advance(1_000)
  for (let net = 1; net <= 60; net++) await ask(`9.7.${net}.1`, 1)
  assert.equal(dials.length, 36)
})

test('AS-08 one question costs few dials, and one network has few questions: who is not served is cut off, not told that it failed', async (t) => {
  const { proofs, start, dials, judged, handlers } = world()
  await start(t)
  await proofs.autoNat.serve(true)
  const handler = handlers.get(V2) ?? assert.fail()
  const asks = async (ip: string, addresses: readonly string[]): Promise<Stream> => {
    const [ours, theirs] = await streamPair()
    const from = { ...incoming(`/ip4/${ip}/tcp/5000`), remotePeer: peerOf(ip) }
    void handler(theirs, from)
    const named = addresses.flatMap((text) => {
      const { bytes } = multiaddr(text)
      return [0x0a, bytes.length, ...bytes]
    })
    const message = [0x0a, named.length, ...named]
    if (ours.status === 'open') ours.send(Uint8Array.from([message.length, ...message]))
    await until(() => ours.status !== 'open' || ours.remoteWriteStatus === 'closed')
    return ours
  }
  const many = Array.from({ length: 9 }, (_, port) => `/ip4/9.9.9.9/tcp/${port + 1}`)
  assert.equal((await asks('9.9.9.9', many)).status, 'open', 'answered')
  assert.equal(dials.length, 4)
  await asks('9.9.9.9', many)
  assert.equal(dials.length, 8)
  assert.equal((await asks('9.9.9.9', many)).status, 'reset', 'no dial to that network is left')
  for (let at = 0; at < 5; at++) await asks(`9.9.9.${at + 10}`, ['/ip4/192.168.0.1/tcp/1'])
  assert.equal((await asks('9.9.9.200', [`/ip4/9.9.9.200/tcp/1`])).status, 'reset', 'nor a question of it')
  const own = '/ip4/9.8.9.200/tcp/1'
  judged.length = 0
  const names = ['/dnsaddr/evil.example', `${own}/dnsaddr/evil.example`, `${own}/p2p-circuit`]
  assert.equal((await asks('9.8.9.200', [...names, own])).status, 'open')
  assert.deepEqual([judged, dials.length], [[own], 9], 'libp2p is not even asked whether it could dial a name')
})

function peerOf(ip: string): Connection['remotePeer'] {
  return speaker(Number(ip.split('.').at(-1)), ip, liar).connection.remotePeer
}

for (const protocol of PROTOCOLS) {
  test(`NA-02 a peer that says it dialled us proves nothing, only its connection does (${protocol})`, async (t) => {
    const { proofs, start, clock, told, topologies } = world()
    await start(t)
    assert.deepEqual(
      topologies.filter((known) => [V1, V2].includes(known)),
      [],
      'whom it asks is our choice, and never somebody behind a relay',
    )
    const asked = speaker(7, '12.0.0.2', liar)
    proofs.look([asked.connection])
    assert.equal(proofs.candidates(), 'open')
    assert.equal(asked.questions.length, 0, 'it has not said that it answers')
    identified(proofs, asked, [protocol])
    const relayed = multiaddr(`/ip4/12.0.0.2/tcp/4001/p2p/${OTHER.toString()}/p2p-circuit`)
    proofs.look([{ ...asked.connection, remoteAddr: relayed }])
    assert.equal(asked.questions.length, 0, 'not over a relay')
    proofs.look([asked.connection])
    proofs.look([asked.connection])
    await ended(asked)
    assert.equal(asked.questions.length, 1, 'once in a round')
    await clock.advance(16_000)
    proofs.look([asked.connection])
    assert.deepEqual([proofs.verified(), proofs.candidates(), proofs.unproved()], [[], 'failed', [OWN]])

    await clock.advance(2 * MINUTE_MS)
    proofs.look([asked.connection])
    await until(() => asked.questions.length === 2)
    let proved = 0
    proofs.onProof(() => void proved++)
    arrives(proofs, asked, '8.8.4.4', 34_787)
    assert.equal(proved, 0, 'punched: not where we listen')
    arrives(proofs, asked, '8.8.4.4')
    for (let at = 0; at < 2; at++) proofs.look([asked.connection])
    assert.deepEqual([proved, proofs.verified()], [1, [OWN]])
    assert.deepEqual(told, [`+${OWN}`], 'once')
  })
}

for (const protocol of PROTOCOLS) {
  test(`NA-02 who dialled in vain is asked again in the next round (${protocol})`, async (t) => {
    const { proofs, start, clock } = world()
    await start(t)
    const honest = speaker(7, '12.0.0.2', (stream) => {
      stream.send(Uint8Array.from(NO[protocol]))
      void stream.close().catch(() => {})
    })
    identified(proofs, honest, [protocol])
    for (let round = 1; round <= 3; round++) {
      proofs.look([honest.connection])
      await until(() => honest.questions.length === round)
      await ended(honest)
      await clock.advance(16_000)
      proofs.look([honest.connection])
      await clock.advance(10 * MINUTE_MS)
    }
  })
}

test('NA-02 all ask and all lie: who is behind a NAT stays there', async (t) => {
  const { proofs, start, clock, told } = world({ listed: [LAN] })
  await start(t)
  const liars = [12, 13, 14, 15].map((net) => speaker(net, `${net}.0.0.2`, liar))
  for (const one of liars) identified(proofs, one, [V1, V2], '/ip4/21.0.0.2/tcp/34787')
  const connections = liars.map(({ connection }) => connection)
  for (let at = 0; at < 600; at++) {
    proofs.look(connections)
    if (at % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const one of liars) arrives(proofs, one, '192.168.1.4', 34_787)
    await clock.advance(2_000)
  }
  assert.ok(
    liars.every(({ questions }) => questions.length > 1),
    'each was asked more than once',
  )
  assert.deepEqual([proofs.verified(), told], [[], []])
})

test('NA-02 a port that the router forwards is found by itself: what others see of us, with our port', async (t) => {
  const { proofs, start, told } = world({ listed: [LAN] })
  await start(t)
  const [one, other] = [speaker(1, '12.0.0.2', liar), speaker(2, '13.0.0.2', liar)]
  for (const each of [one, other]) identified(proofs, each, [V2], '/ip4/21.0.0.2/tcp/34787')
  const connections = [one.connection, other.connection]
  proofs.look(connections)
  arrives(proofs, one, '192.168.1.4')
  proofs.look(connections)
  assert.deepEqual(told, [], 'one network')
  arrives(proofs, other, '192.168.1.4')
  proofs.look(connections)
  assert.deepEqual(told, ['map 192.168.1.4 4001 21.0.0.2 4001 tcp', '+/ip4/21.0.0.2/tcp/4001'])
})

test('AS-08 a peer that does not answer, or without end, is cut off, and others are asked meanwhile', async (t) => {
  const { proofs, start, clock } = world()
  await start(t)
  const silentOnes = [1, 2, 3].map((id) => speaker(id, `${id + 11}.0.0.2`, () => {}))
  const endless = speaker(
    4,
    '20.0.0.2',
    (stream) => void stream.send(Uint8Array.from([0xff, 0xff, 3, ...new Uint8Array(5_000)])),
  )
  for (const one of silentOnes) identified(proofs, one, [V2])
  proofs.look(silentOnes.map(({ connection }) => connection))
  await until(() => silentOnes.every(({ questions }) => questions.length === 1))
  identified(proofs, endless, [V2])
  proofs.look([endless.connection])
  await clock.advance(10_000)
  await ended(endless)
  assert.deepEqual(
    [...silentOnes, endless].map(({ questions }) => questions[0]?.status),
    Array.from({ length: 4 }, () => 'aborted'),
  )
  await clock.advance(6_000)
  proofs.look([])
  assert.equal(proofs.candidates(), 'open', 'where nobody answered nothing was learnt')
})

test('NA-02 a busy peer asks on; one without room asks nobody, and loses nothing', async (t) => {
  const { proofs, start, clock, connections } = world()
  await start(t)
  const asked = [1, 2].map((id) => speaker(id, `${id + 11}.0.0.2`, liar))
  for (const one of asked) identified(proofs, one, [V2])
  const all = asked.map(({ connection }) => connection)
  proofs.look(all)
  for (const one of asked) arrives(proofs, one, '8.8.4.4')
  proofs.look(all)
  await ended(...asked)
  assert.deepEqual(proofs.verified(), [OWN])
  await clock.advance(31 * MINUTE_MS)
  connections.push(...Array.from({ length: 100 }))
  for (let at = 0; at < 100; at++) {
    proofs.look(all)
    await clock.advance(10_000)
  }
  assert.deepEqual(
    [proofs.verified(), asked.map(({ questions }) => questions.length)],
    [[OWN], [1, 1]],
    'those asked could not get in',
  )
  connections.pop()
  proofs.look(all)
  await until(() => asked.every(({ questions }) => questions.length === 2))
  await ended(...asked)
  await clock.advance(16_000)
  proofs.look(all)
  assert.deepEqual(proofs.verified(), [OWN], 'one round in vain')
})

test('NA-02 those of one network are asked last', async (t) => {
  const { proofs, start } = world()
  await start(t)
  const crowd = Array.from({ length: 30 }, (_, id) => speaker(id + 1, `66.6.${id}.2`, () => {}))
  const few = [40, 41].map((id) => speaker(id, `${id}.0.0.2`, () => {}))
  for (const one of [...crowd, ...few]) identified(proofs, one, [V2])
  proofs.look([...crowd, ...few].map(({ connection }) => connection))
  await until(() => few.every(({ questions }) => questions.length === 1))
})
