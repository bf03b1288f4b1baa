import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import type { Dialer } from '../../../src/net/dialer.ts'
import type { OwnInterface } from '../../../src/net/join/interfaces.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { LiveTable } from '../../../src/net/find/live-table.ts'
import { Membership } from '../../../src/net/join/membership.ts'
import { PeerCache } from '../../../src/net/join/peer-cache.ts'
import { positions } from '../../../src/net/peer-id.ts'
import type { Routing } from '../../../src/net/ports.ts'
import { tempDir } from './hosts.ts'

const SELF = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
const GUEST_OF = '12D3KooWRRqAo5f41sQmc9BpsfqarZgd7PWUiX14Mz1htXDEc7Gp'
const VICTIM = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const PROVED = `/ip4/8.8.8.8/tcp/4001/p2p/${GUEST_OF}`

/** A member without a network: who is dialled is counted, and only GUEST_OF answers. */
async function member(t: TestContext) {
  const clock = new VirtualClock()
  const node = new EventTarget()
  const state = { open: [] as Connection[], interfaces: [] as OwnInterface[], dialled: [] as string[] }
  const getConnections = (): readonly Connection[] => state.open
  const connect = async ({ id }: { id: string }): Promise<unknown> => {
    state.dialled.push(id)
    if (id !== GUEST_OF) throw new Error('nobody there')
    return { remoteAddr: multiaddr(PROVED), direction: 'outbound' }
  }
  const table = new LiveTable(
    SELF,
    positions((bytes) => nativeProvider.sha256(bytes)),
    clock,
  )
  const cacheFile = join(await tempDir(t), 'peers')
  const it = new Membership({
    node: Object.assign(node, { getConnections }) as unknown as Node,
    dialer: { existing: () => undefined, connect } as unknown as Dialer,
    table,
    routing: { known: () => [], closest: async () => [{}] } as unknown as Routing,
    cacheFile,
    bootstrap: [],
    neighbours: 0,
    profile: MAIN,
    lan: false,
    dialable: new Set(),
    addresses: () => [],
    clock,
    rng: seededRng(3),
    log: silentLogger,
    interfaces: () => state.interfaces,
  })
  const pass = async (forMs: number, step = 100): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += step) await clock.advance(step)
  }
  const remembered = async (): Promise<PeerCache> => {
    const cache = new PeerCache(cacheFile, silentLogger)
    await cache.load()
    return cache
  }
  return { membership: it, clock, node, state, table, pass, remembered }
}

test('DT-15 a daemon that stops while it looks who is left after a sleep calls nobody back, and leaves no timer', async (t) => {
  const { membership, clock, state, pass } = await member(t)
  let returns = 0
  membership.onReturn(() => returns++)
  membership.start()
  const newStream = async (_: unknown, { signal }: { signal: AbortSignal }): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  state.open.push({ status: 'open', newStream, abort() {} } as unknown as Connection)
  state.interfaces = [{ address: '10.0.0.7', cidr: '10.0.0.7/8' }]
  await pass(2_500)
  const stopping = membership.stop()
  await pass(500)
  await stopping
  let timers = 0
  clock.after = () => {
    timers++
    return () => {}
  }
  await pass(10_000)
  assert.deepEqual([returns, timers], [0, 0])
})

test('SE-10 AS-08 who an invite names is remembered only once it has answered, and dialled for an hour at most', async (t) => {
  const { membership, state, table, pass, remembered } = await member(t)
  membership.start()
  table.seen(GUEST_OF, [PROVED], true)
  const named = [1, 2, 3].map((port) => `/ip4/9.9.9.9/tcp/${port}/p2p/${VICTIM}`)
  await membership.joinBy([...named, PROVED, `/ip4/9.9.9.9/tcp/4/p2p/${GUEST_OF}`], AbortSignal.timeout(5_000))
  await pass(HOUR_MS, 1_000)
  const tries = state.dialled.filter((id) => id === VICTIM).length
  assert.ok(tries >= 100, `${tries} in the first hour`)
  await pass(HOUR_MS, 1_000)
  assert.ok(state.dialled.filter((id) => id === VICTIM).length <= tries + 1)
  table.disconnected(GUEST_OF)
  table.evict(GUEST_OF)
  await Promise.all([membership.stop(), pass(1_000)])
  assert.deepEqual((await remembered()).all(), [{ id: GUEST_OF, addresses: [PROVED] }])
})
