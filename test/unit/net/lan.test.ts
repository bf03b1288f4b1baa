import { test } from 'node:test'
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { connectionGater } from '../../../src/net/gater.ts'
import { Lan } from '../../../src/net/join/lan.ts'
import type { LanInit } from '../../../src/net/join/lan.ts'

const rng = seededRng(5)
const newId = async (): Promise<string> =>
  peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', rng.bytes(32))).toString()
const OWN = await newId()

/** What `@libp2p/mdns` is to the one who uses it, without a socket. */
class FakeDiscovery extends EventTarget {
  readonly mdns = Object.assign(new EventEmitter(), { asked: 0, query: () => this.mdns.asked++ })
  readonly #fails: boolean
  stopped = false

  constructor(fails: boolean) {
    super()
    this.#fails = fails
  }

  async start(): Promise<void> {
    if (this.#fails) throw new Error('no multicast here')
  }

  async stop(): Promise<void> {
    this.stopped = true
  }

  answer(source: string, id: string, address: string): void {
    this.mdns.emit('response', {}, { address: source })
    const detail = { id, multiaddrs: [multiaddr(address)] }
    this.dispatchEvent(new CustomEvent('peer', { detail }))
  }
}

/** A daemon at 192.168.0.7/16, in virtual time; of its sockets the first `failing` cannot be opened. */
function lan(connect: LanInit['connect'] = async () => {}, failing = 0) {
  const clock = new VirtualClock()
  const made: FakeDiscovery[] = []
  const dialable = new Set<string>()
  const discovery = (() => () => {
    made.push(new FakeDiscovery(made.length < failing))
    return made.at(-1)
  }) as unknown as NonNullable<LanInit['discovery']>
  const it = new Lan({
    network: 'main',
    peerId: OWN,
    listening: () => [multiaddr('/ip4/192.168.0.7/tcp/4001')],
    interfaces: () => [{ address: '192.168.0.7', cidr: '192.168.0.7/16' }],
    dialable,
    connections: () => 0,
    isConnected: () => false,
    connect,
    logger: {} as LanInit['logger'],
    clock,
    rng: seededRng(6),
    log: silentLogger,
    discovery,
  })
  const pass = async (forMs: number): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += 100) await clock.advance(100)
  }
  return { lan: it, made, dialable, pass }
}

test('OP-06 AS-08 however many sources and ids an mDNS flood has, we knock once a second', async () => {
  const knocked: string[] = []
  const { lan: it, made, pass } = lan(async (peer) => knocked.push(...peer.addresses))
  it.start()
  await pass(100)
  const begun = knocked.length
  for (let i = 0; i < 300; i++) {
    const source = `192.168.${1 + (i % 200)}.${i % 250}`
    made[0]?.answer(source, await newId(), `/ip4/${source}/tcp/9000`)
    await pass(100)
  }
  const knocks = knocked.length - begun
  assert.ok(knocks >= 30 && knocks <= 40, `${knocks} in half a minute`)
  await it.stop()
})

test('OP-06 NA-01 while a neighbour is dialled its private address may be dialled for it, and for nobody else', async () => {
  const over = Promise.withResolvers<void>()
  const { lan: it, made, dialable, pass } = lan(async () => over.promise)
  const gater = connectionGater(MAIN, dialable, () => [])
  const [id, other] = [await newId(), await newId()]
  it.start()
  await pass(100)
  made[0]?.answer('192.168.1.9', id, '/ip4/192.168.1.9/tcp/9000')
  const denied = async (text: string) => gater.denyDialMultiaddr?.(multiaddr(text))
  const address = '/ip4/192.168.1.9/tcp/9000'
  const answers = async () => Promise.all([address, `${address}/p2p/${id}`, `${address}/p2p/${other}`].map(denied))
  assert.deepEqual(await answers(), [true, false, true])
  over.resolve()
  await pass(100)
  assert.deepEqual(await answers(), [true, true, true])
  await it.stop()
})

test('OP-06 a socket that could not be opened, or died, is made anew while we are alone', async () => {
  const { lan: it, made, pass } = lan(undefined, 1)
  it.start()
  await pass(100)
  assert.deepEqual(
    made.map(({ stopped }) => stopped),
    [true],
  )
  await pass(13_000)
  assert.equal(made.length, 2)
  made[1]?.mdns.emit('error', new Error('EADDRINUSE'))
  await pass(13_000)
  assert.deepEqual(
    made.map(({ stopped }) => stopped),
    [true, true, false],
  )
  await pass(13_000)
  assert.ok((made[2]?.mdns.asked ?? 0) >= 1)
  await it.stop()
  assert.equal(made[2]?.stopped, true)
})
