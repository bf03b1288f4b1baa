/** What of a peer's terms is acted on, and what a side that fails still says. No helper but where one is needed. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ComponentLogger, Upgrader } from '@libp2p/interface'
import { systemClock, VirtualClock } from '../../../../../src/lib/clock.ts'
import { NetworkError, RateError } from '../../../../../src/lib/errors.ts'
import { silentLogger } from '../../../../../src/lib/log.ts'
import { systemRng } from '../../../../../src/lib/rng.ts'
import { endpointOf } from '../../../../../src/net/upgrade/endpoint.ts'
import { TO_HELPER } from '../../../../../src/net/upgrade/webrtc/messages.ts'
import { WebRtc } from '../../../../../src/net/upgrade/webrtc/webrtc.ts'
import type { LinkParts, WebRtcInit } from '../../../../../src/net/upgrade/webrtc/webrtc.ts'
import { UDP } from '../../../../../src/wire/upgrade.ts'
import type { IceTerms } from '../../../../../src/wire/upgrade.ts'
import { soon, tempDir } from '../../hosts.ts'
import { stunServer } from '../../stun-server.ts'

const PEER = '12D3KooWNg1PKwfgLRBUkB8ndC9ucbi2Tfg6WbBpwkVyK2ZSB4h2'
const IN_SOURCES = (path: string): string =>
  JSON.stringify(new URL(`../../../../../src/net/upgrade/webrtc/${path}`, import.meta.url).href)
/** A helper that has no library: it has candidates on a private and on a public address, and writes down what it is told. */
const STAND_IN = (file: string): string => `
  import { appendFileSync } from 'node:fs'
  import { Socket } from 'node:net'
  import { Line } from ${IN_SOURCES('line.ts')}
  import { fromHelperCodec, toHelperCodec } from ${IN_SOURCES('messages.ts')}
  const heard = ({ kind, body }) => {
    appendFileSync(${JSON.stringify(file)}, JSON.stringify({ kind, ...body }) + '\\n')
    const candidates = [{ ip: '192.168.1.2', port: 1 }, { ip: 'fe80::1', port: 2 }, { ip: '21.0.0.2', port: 3 }]
    const own = { ufrag: 'abcd', pwd: 'a'.repeat(22), fingerprint: new Uint8Array(32), candidates }
    if (kind === 1) line.say({ kind: 1, body: { id: body.id, own } })
    if (kind === 2 || body.order?.answers) line.say({ kind: 4, body: { id: body.id } })
  }
  const pipe = new Socket({ fd: 3, readable: true, writable: true })
  const line = new Line({ pipe, says: fromHelperCodec, hears: toHelperCodec, heard, ended: () => process.exit() })`

interface Told {
  readonly kind: number
  readonly order?: { readonly answers?: { readonly candidates: readonly { readonly ip: string }[] } }
  readonly peer?: { readonly candidates: readonly { readonly ip: string }[] }
}

async function standIn(t: TestContext, privateAddresses = false, init: Partial<WebRtcInit> = {}) {
  const dir = await tempDir(t)
  const [main, file] = [join(dir, 'main.mjs'), join(dir, 'told')]
  await writeFile(main, STAND_IN(file))
  await writeFile(file, '')
  const told = async (): Promise<readonly Told[]> =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Told)
  return { webRtc: newWebRtc(t, { main, profile: { privateAddresses }, ...init }), told }
}

function newWebRtc(t: TestContext, init: Partial<WebRtcInit> = {}): WebRtc {
  const webRtc = new WebRtc({
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
    profile: { privateAddresses: false },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    stunPeers: () => [],
    ips: () => ['192.168.1.2', 'FE80:0::1', '21.0.0.2'],
    ...init,
  })
  t.after(async () => webRtc.stop())
  return webRtc
}

const parts: LinkParts = { upgrader: {} as Upgrader, logger: {} as ComponentLogger }
const at = (text: string) => endpointOf(text) ?? assert.fail()
const theirs: IceTerms = {
  ufrag: 'efgh',
  pwd: 'b'.repeat(22),
  fingerprint: new Uint8Array(32),
  candidates: ['/ip4/10.0.0.1/tcp/22', '/ip4/127.0.0.1/tcp/5', '/ip6/fe80::2/tcp/9', '/ip4/22.0.0.2/tcp/7'].map(at),
}

/** One meeting: what was told, how many places were paid for, and how it ended. */
async function meet(
  webRtc: WebRtc,
  asks: boolean,
  terms: IceTerms | undefined,
  spend = (_places: number): void => {},
  observed?: string,
) {
  const said: (IceTerms | undefined)[] = []
  const order: string[] = []
  const ice = {
    tell: async (own: IceTerms | undefined) => {
      said.push(own)
      order.push('tells')
    },
    hear: async () => {
      order.push('hears')
      return terms
    },
  }
  const failure: unknown = await webRtc
    .meet({ peerId: PEER, asks, ice, parts, observed, spend, signal: soon(8_000) })
    .catch((error: unknown) => error)
  return { said, order, failure }
}

test('SE-19 NA-02 on a public network no private candidate goes out, and none that a peer names is knocked at, whoever asked', async (t) => {
  for (const asks of [true, false]) {
    const { webRtc, told } = await standIn(t)
    const paid: number[] = []
    const { said, order, failure } = await meet(webRtc, asks, theirs, (places) => paid.push(places))
    assert.ok(failure instanceof NetworkError)
    assert.deepEqual(order, asks ? ['tells', 'hears'] : ['hears', 'tells'])
    assert.deepEqual(said[0]?.candidates, [at('/ip4/21.0.0.2/tcp/3')])
    const peers = (await told()).map(({ peer, order: of }) => peer ?? of?.answers).filter((peer) => peer !== undefined)
    assert.deepEqual(
      peers.map(({ candidates }) => candidates.map(({ ip }) => ip)),
      [['22.0.0.2']],
    )
    assert.deepEqual(paid, [1])
  }
})

test('NA-02 on a local network private ones are what there is', async (t) => {
  const { webRtc } = await standIn(t, true)
  const { said } = await meet(webRtc, true, theirs)
  assert.deepEqual(said[0]?.candidates, ['/ip4/192.168.1.2/tcp/1', '/ip6/fe80::1/tcp/2', '/ip4/21.0.0.2/tcp/3'].map(at))
})

test('AS-08 a helper that dies: the rung fails with an error of ours, the peer is told that there is nothing, and it is not tried again at once', async (t) => {
  const main = join(await tempDir(t), 'main.mjs')
  await writeFile(main, 'process.abort()')
  for (const asks of [true, false]) {
    const webRtc = newWebRtc(t, { main })
    assert.equal(webRtc.udp(), UDP.unknown)
    const { said, failure } = await meet(webRtc, asks, theirs)
    assert.ok(failure instanceof NetworkError, String(failure))
    assert.deepEqual(said, [undefined])
    assert.deepEqual([webRtc.udp(), webRtc.pid], [UDP.none, undefined])
  }
})

test('SE-19 a peer without WebRTC, or for which nothing more may be spent: no packet goes anywhere', async (t) => {
  const { webRtc, told } = await standIn(t)
  assert.ok((await meet(webRtc, true, undefined)).failure instanceof NetworkError)
  const refused = (): void => {
    throw new RateError('too many dials')
  }
  const asked = await meet(webRtc, false, theirs, refused)
  assert.ok(asked.failure instanceof RateError)
  assert.deepEqual(asked.said, [undefined])
  assert.ok((await meet(webRtc, true, theirs, refused)).failure instanceof RateError)
  assert.ok((await told()).every(({ kind, order }) => kind !== TO_HELPER.answered && order?.answers === undefined))
})

test('SE-19 NA-02 no one server chooses what our contact knocks at: an address that is not ours goes out where two networks say it, or the observers of TCP', async (t) => {
  const [honest, other] = [
    { ip: Uint8Array.of(21, 0, 0, 2), port: 3 },
    { ip: Uint8Array.of(24, 0, 0, 2), port: 3 },
  ]
  const say = async (seen: typeof honest, at: string): Promise<string> => (await stunServer(t, seen, at)).address
  const [one, same, far, liar] = [
    await say(honest, '127.0.0.1'),
    await say(honest, '127.0.0.1'),
    await say(honest, '127.0.0.2'),
    await say(other, '127.0.0.2'),
  ]
  const cases: readonly (readonly [readonly string[], string | undefined, boolean])[] = [
    [[], undefined, false],
    [[one], undefined, false],
    [[one, same], undefined, false],
    [[one, liar], undefined, false],
    [[one, far], undefined, true],
    [[one, far, liar], undefined, true],
    [[], '/ip4/21.0.0.2/tcp/4001', true],
    [[one], '/ip4/24.0.0.2/tcp/4001', false],
  ]
  for (const [servers, observed, told] of cases) {
    const { webRtc } = await standIn(t, false, { ips: () => ['192.168.1.2'], stunPeers: () => servers })
    const { said } = await meet(webRtc, true, undefined, () => {}, observed)
    assert.deepEqual(said[0]?.candidates, told ? [at('/ip4/21.0.0.2/tcp/3')] : [], `${servers.length}, ${observed}`)
  }
})

test('AS-08 bootstrap addresses that nothing can be sent to are not asked', async (t) => {
  const bad = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/65536', '/ip4/1.2.3/tcp/1', '/ip4/1.2.3.4.5/tcp/1']
  const webRtc = newWebRtc(t, { stunPeers: () => [...bad, '/dns4/x.example/tcp/1', '/ip6/::1/tcp/1'] })
  await webRtc.look()
  assert.equal(webRtc.udp(), UDP.unknown, 'nobody was asked')
})

test('AS-08 stopped while it asks STUN servers: at once', async (t) => {
  const silent = await stunServer(t)
  const webRtc = newWebRtc(t, { clock: new VirtualClock(), stunPeers: () => [silent.address] })
  const looking = webRtc.look()
  await webRtc.stop()
  await looking
})
