/** What of a peer's terms is acted on, and what a side that fails still says. No helper but where one is needed. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ComponentLogger, Upgrader } from '@libp2p/interface'
import { systemClock } from '../../../../../src/lib/clock.ts'
import { NetworkError, RateError } from '../../../../../src/lib/errors.ts'
import { silentLogger } from '../../../../../src/lib/log.ts'
import { systemRng } from '../../../../../src/lib/rng.ts'
import { endpointOf } from '../../../../../src/net/upgrade/endpoint.ts'
import { WebRtc } from '../../../../../src/net/upgrade/webrtc/webrtc.ts'
import type { LinkParts, WebRtcInit } from '../../../../../src/net/upgrade/webrtc/webrtc.ts'
import { UDP } from '../../../../../src/wire/upgrade.ts'
import type { IceTerms } from '../../../../../src/wire/upgrade.ts'
import { soon, tempDir } from '../../hosts.ts'

const PEER = '12D3KooWNg1PKwfgLRBUkB8ndC9ucbi2Tfg6WbBpwkVyK2ZSB4h2'
/** A helper that has no library: it has candidates on a private and on a public address, and writes down what it is told. */
const STAND_IN = (file: string): string => `
  import { appendFileSync } from 'node:fs'
  process.on('disconnect', () => process.exit())
  process.on('message', (message) => {
    appendFileSync(${JSON.stringify(file)}, JSON.stringify(message) + '\\n')
    const candidates = [{ ip: '192.168.1.2', port: 1 }, { ip: 'fe80::1', port: 2 }, { ip: '21.0.0.2', port: 3 }, { ip: 'name.example', port: 4 }]
    const own = { ufrag: 'abcd', pwd: 'a'.repeat(22), fingerprint: new Uint8Array(32), candidates }
    if (message.kind === 'meet') process.send({ kind: 'described', id: message.id, own })
    if (message.kind === 'answered' || message.order?.answers) process.send({ kind: 'closed', id: message.id })
  })`

interface Told {
  readonly kind: string
  readonly order?: { readonly answers?: { readonly candidates: readonly { readonly ip: string }[] } }
  readonly peer?: { readonly candidates: readonly { readonly ip: string }[] }
}

async function standIn(t: TestContext, privateAddresses = false) {
  const dir = await tempDir(t)
  const [main, file] = [join(dir, 'main.mjs'), join(dir, 'told')]
  await writeFile(main, STAND_IN(file))
  await writeFile(file, '')
  const told = async (): Promise<readonly Told[]> =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Told)
  return { webRtc: newWebRtc(t, { main, profile: { privateAddresses } }), told }
}

function newWebRtc(t: TestContext, init: Partial<WebRtcInit> = {}): WebRtc {
  const webRtc = new WebRtc({
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
    profile: { privateAddresses: false },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    stunPeers: () => [],
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
async function meet(webRtc: WebRtc, asks: boolean, terms: IceTerms | undefined, spend = (_places: number): void => {}) {
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
    .meet({ peerId: PEER, asks, ice, parts, spend, signal: soon(8_000) })
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
  assert.ok((await told()).every(({ kind, order }) => kind !== 'answered' && order?.answers === undefined))
})
