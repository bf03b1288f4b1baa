/** Two sides that agree over a pair of streams, with a network that does as the test says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { CodecError } from '../../../../src/lib/errors.ts'
import { silentLogger } from '../../../../src/lib/log.ts'
import { FrameReader, FrameWriter } from '../../../../src/net/frames/framing.ts'
import { protocolsOf } from '../../../../src/net/protocols.ts'
import { endpointOf } from '../../../../src/net/upgrade/endpoint.ts'
import { Exchange } from '../../../../src/net/upgrade/exchange.ts'
import type { Outcome } from '../../../../src/net/upgrade/exchange.ts'
import { rungs } from '../../../../src/net/upgrade/rungs.ts'
import type { Round, RungNetwork } from '../../../../src/net/upgrade/rungs.ts'
import type { IceTalk } from '../../../../src/net/upgrade/webrtc/webrtc.ts'
import { MAPPING, UDP, UPGRADE_FRAME, upgradeFrameCodec } from '../../../../src/wire/upgrade.ts'
import type { IceTerms, UpgradeFrame, UpgradeTerms } from '../../../../src/wire/upgrade.ts'
import { encode } from '../../../../src/wire/codec.ts'
import { soon } from '../hosts.ts'

const at = (text: string) => endpointOf(text) ?? assert.fail()
const cone: UpgradeTerms = {
  mapping: MAPPING.endpointIndependent,
  reachable: [],
  punchable: at('/ip4/21.0.0.2/tcp/4000'),
  udp: UDP.none,
}
const symmetric: UpgradeTerms = { mapping: MAPPING.perDestination, reachable: [], punchable: undefined, udp: UDP.none }
const unsure: UpgradeTerms = { mapping: MAPPING.unknown, reachable: [], punchable: undefined, udp: UDP.none }
const open: UpgradeTerms = { ...unsure, reachable: [at('/ip4/12.0.0.2/tcp/4001')] }
const A = '12D3KooWNg1PKwfgLRBUkB8ndC9ucbi2Tfg6WbBpwkVyK2ZSB4h2'
const B = '12D3KooWRvkNjt4VSgwioZL2zDbKYM4Kum6aq5PV5gsQEBxv12m1'

const ICE: IceTerms = { ufrag: 'abcd', pwd: 'A'.repeat(22), fingerprint: new Uint8Array(32), candidates: [] }

/** What one side did. */
class Side implements RungNetwork {
  readonly did: string[] = []
  readonly whens: number[] = []
  direct = false
  readonly #succeeds: (attempt: number) => boolean
  readonly #clock: VirtualClock

  constructor(succeeds: (attempt: number) => boolean, clock = new VirtualClock()) {
    this.#succeeds = succeeds
    this.#clock = clock
  }

  isDirect(): boolean {
    return this.direct
  }

  async whenDirect(): Promise<void> {
    this.did.push('waits')
  }

  async dial(_peerId: string, addresses: readonly Multiaddr[]): Promise<Connection> {
    return this.#try(`dials ${addresses.join(' ')}`)
  }

  async punch(_peerId: string, address: Multiaddr, initiator: boolean): Promise<Connection> {
    return this.#try(`punches ${address.toString()} ${initiator ? 'first' : 'second'}`)
  }

  async meet(_peerId: string, asks: boolean, ice: IceTalk): Promise<Connection> {
    if (!asks) await ice.hear()
    await ice.tell(ICE)
    if (asks) await ice.hear()
    return this.#try(`meets ${asks ? 'first' : 'second'}`)
  }

  async #try(what: string): Promise<Connection> {
    this.did.push(what)
    this.whens.push(this.#clock.now())
    if (!this.#succeeds(this.did.length)) throw new Error('refused')
    this.direct = true
    return {} as Connection
  }
}

/** The other side's dial gets through to it. */
class Reached extends Side {
  override async whenDirect(): Promise<void> {
    await super.whenDirect()
    this.direct = true
  }
}

const exchange = (side: Side, own: UpgradeTerms, clock: VirtualClock): Exchange =>
  new Exchange({
    rungs: rungs(side, clock),
    limits: protocolsOf('local').upgrade,
    clock,
    log: silentLogger,
    own: () => own,
    clean: (terms) => terms,
    isDirect: () => side.direct,
  })

interface Meeting {
  readonly outcome: Outcome
  readonly a: Side
  readonly b: Side
}

async function meet(termsA: UpgradeTerms, termsB: UpgradeTerms, a: Side, b: Side): Promise<Meeting> {
  const [toB, toA]: [Stream, Stream] = await streamPair()
  const clock = new VirtualClock()
  const state = { over: false }
  const ask = async (): Promise<Outcome> => {
    const outcome = await exchange(a, termsA, clock).ask(B, toB, soon(30_000))
    await toB.close()
    return outcome
  }
  const both = Promise.all([ask(), exchange(b, termsB, clock).answer(A, toA, soon(30_000))]).finally(
    () => (state.over = true),
  )
  while (!state.over) await clock.advance(50)
  const [outcome] = await both
  return { outcome, a, b }
}

const never = (): boolean => false
const always = (): boolean => true

test('NA-02 two cones punch: each the other’s address, who asked goes first', async () => {
  const { outcome, a, b } = await meet(
    cone,
    { ...cone, punchable: at('/ip4/22.0.0.2/tcp/5000') },
    new Side(always),
    new Side(always),
  )
  assert.equal(outcome, 'direct')
  assert.deepEqual(a.did, [`punches /ip4/22.0.0.2/tcp/5000/p2p/${B} first`])
  assert.deepEqual(b.did, [`punches /ip4/21.0.0.2/tcp/4000/p2p/${A} second`])
})

test('NA-02 where either side knows that it cannot work nothing is dialled at all', async () => {
  for (const [termsA, termsB] of [
    [cone, symmetric],
    [symmetric, cone],
    [symmetric, symmetric],
    [unsure, cone],
    [cone, unsure],
  ] as const) {
    const { outcome, a, b } = await meet(termsA, termsB, new Side(always), new Side(always))
    assert.equal(outcome, 'impossible')
    assert.deepEqual([...a.did, ...b.did], [])
  }
})

test('NA-02 a side that anyone can dial is dialled by the other, whatever NAT that one has and whoever asked', async () => {
  const dialled = await meet(symmetric, open, new Side(always), new Side(never))
  assert.deepEqual(
    [dialled.outcome, dialled.a.did, dialled.b.did],
    ['direct', [`dials /ip4/12.0.0.2/tcp/4001/p2p/${B}`], ['waits']],
  )
  const asked = await meet(open, symmetric, new Reached(never), new Side(always))
  assert.deepEqual(
    [asked.outcome, asked.a.did, asked.b.did],
    ['direct', ['waits'], [`dials /ip4/12.0.0.2/tcp/4001/p2p/${A}`]],
  )
})

test('three rounds of punching and no more; a dial that fails is followed by them', async () => {
  const both = { ...cone, reachable: open.reachable }
  const tries = 1 + 2 * 5 + 1 // a dial, two rounds in vain, and one more try
  const { outcome, a } = await meet(cone, both, new Side((attempt) => attempt >= tries), new Side(never))
  assert.equal(outcome, 'direct')
  assert.equal(a.did.filter((what) => what.startsWith('dials')).length, 1)
  assert.equal(a.did.filter((what) => what.startsWith('punches')).length, 11)
})

test('one round: as long as "go" takes to reach the peer, then five tries with growing pauses', async () => {
  const clock = new VirtualClock()
  const start = clock.now()
  const side = new Side(never, clock)
  const punch = rungs(side, clock)[1] ?? assert.fail()
  const ice: IceTalk = { tell: async () => {}, hear: async () => undefined }
  const round = { peerId: B, mine: cone, theirs: cone, asks: true, ice, signal: new AbortController().signal }
  const climb = async (waitMs: number): Promise<void> => {
    const climbing = punch.climb({ ...round, waitMs } satisfies Round)
    await clock.advance(6_000)
    await climbing
  }
  await climb(300)
  assert.deepEqual(
    side.whens.map((when) => when - start),
    [300, 400, 600, 1_000, 1_800],
  )
  side.whens.length = 0 // a peer that answers late does not make us wait for longer than two seconds
  await climb(60_000)
  assert.equal((side.whens[0] ?? 0) - start, 6_000 + 2_000)
})

const byUdp = (terms: UpgradeTerms, udp: UpgradeTerms['udp']): UpgradeTerms => ({ ...terms, udp })

test('NA-02 WebRTC where UDP gets through: not without it at one side, nor where both routers map by destination', async () => {
  for (const [one, other, rungs] of [
    [UDP.endpointIndependent, UDP.endpointIndependent, true],
    [UDP.endpointIndependent, UDP.perDestination, true],
    [UDP.unknown, UDP.unknown, true],
    [UDP.perDestination, UDP.perDestination, false],
    [UDP.endpointIndependent, UDP.none, false],
  ] as const) {
    const [a, b] = [new Side(always), new Side(always)]
    const { outcome } = await meet(byUdp(symmetric, one), byUdp(symmetric, other), a, b)
    assert.equal(outcome, rungs ? 'direct' : 'impossible')
    assert.deepEqual([a.did, b.did], rungs ? [['meets first'], ['meets second']] : [[], []])
  }
})

test('NA-02 punching does not hold WebRTC up, nor the other way round: in turns', async () => {
  const [a, b] = [new Side(never), new Side(never)]
  const both = byUdp(cone, UDP.endpointIndependent)
  const { outcome } = await meet(both, both, a, b)
  assert.equal(outcome, 'failed')
  const five = Array<string>(5).fill('punches')
  const kinds = a.did.map((what) => what.split(' ')[0])
  assert.deepEqual(kinds, [...five, 'meets', ...five, 'meets', ...five])
})

test('AS-08 a peer that says something else where the WebRTC rung wants its terms: the stream is given up', async () => {
  const [toB, toA]: [Stream, Stream] = await streamPair()
  const clock = new VirtualClock()
  const terms = byUdp(symmetric, UDP.endpointIndependent)
  const asking = exchange(new Side(always), terms, clock).ask(B, toB, soon(30_000))
  const limits = protocolsOf('local').upgrade
  const [reader, writer] = [new FrameReader(toA, limits, clock, false), new FrameWriter(toA, limits, clock)]
  const say = async (frame: UpgradeFrame): Promise<void> => writer.write(encode(upgradeFrameCodec, frame), soon())
  await reader.next()
  await say({ kind: UPGRADE_FRAME.answer, body: terms })
  for (let frames = 0; frames < 2; frames++) await reader.next()
  await say({ kind: UPGRADE_FRAME.answer, body: terms })
  await assert.rejects(asking, CodecError)
})

test('SE-19 AS-08 once there is a direct connection the peer has us dial nobody any more', async () => {
  const [toB, toA]: [Stream, Stream] = await streamPair()
  const clock = new VirtualClock()
  const side = new Side(never)
  const answering = exchange(side, unsure, clock).answer(A, toB, soon(30_000))
  const limits = protocolsOf('local').upgrade
  const [reader, writer] = [new FrameReader(toA, limits, clock, false), new FrameWriter(toA, limits, clock)]
  const offer = encode(upgradeFrameCodec, { kind: UPGRADE_FRAME.offer, body: open })
  await writer.write(offer, soon())
  assert.ok(await reader.next())
  await writer.write(encode(upgradeFrameCodec, { kind: UPGRADE_FRAME.go, body: { rung: 1 } }), soon())
  side.direct = true // it came to us meanwhile
  await writer.write(offer, soon())
  await answering
  assert.equal(side.did.length, 1)
})
