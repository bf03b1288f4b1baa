/** Half of a network goes in one moment, killed or frozen: the other half on real hosts, counted in attempts and not in time. */
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { nativeProvider } from '../../src/crypto/native.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { compareDistance } from '../../src/protocol/replicas.ts'
import { positions } from '../../src/net/peer-id.ts'
import type { Host } from '../../src/net/host.ts'
import { ask } from '../../src/services/mailbox/ask.ts'
import { HOLDER_VERB } from '../../src/wire/holder.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { newHost, soon, tempDir, until } from '../unit/net/hosts.ts'

const SIDE = 8
const SEED = 20_261_121
const JOIN_MS = 180_000
const positionOf = positions((bytes) => nativeProvider.sha256(bytes))
const place = (id: string): Uint8Array => positionOf(id) ?? assert.fail(id)
const names = (records: readonly PeerRecord[]): string[] => records.map((record) => record.id)

interface Survivor {
  readonly host: Host
  /** Peers that it asked or dialled in vain in its finds, so far. */
  readonly failures: () => number
  /** Whom it names in every answer. */
  readonly rumours: PeerRecord[]
}

interface Network {
  readonly survivors: readonly Survivor[]
  readonly victims: readonly PeerRecord[]
  readonly child: ChildProcess
}

async function victims(t: TestContext, bootstrap: string): Promise<Pick<Network, 'victims' | 'child'>> {
  const script = fileURLToPath(new URL('../unit/net/victim.ts', import.meta.url))
  const child = spawn(process.execPath, [script, await tempDir(t), bootstrap, String(SIDE)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const records: PeerRecord[] = []
  for await (const line of createInterface(child.stdout)) {
    records.push(JSON.parse(line) as PeerRecord)
    if (records.length === SIDE) break
  }
  return { victims: records, child }
}

async function survivor(t: TestContext, bootstrap: readonly string[]): Promise<Survivor> {
  const { log, lines } = recordingLogger()
  const rumours: PeerRecord[] = []
  const host = await newHost(t, { bootstrap, log, rumours })
  return { host, failures: () => lines.filter(({ message }) => message === 'a peer did not answer').length, rumours }
}

/** Eight hosts here and eight in another process, of which everyone knows everyone. */
async function network(t: TestContext): Promise<Network> {
  const first = await survivor(t, [])
  const survivors = [first]
  const { victims: others, child } = await victims(t, first.host.addresses()[0] ?? assert.fail())
  while (survivors.length < SIDE) {
    const next = await survivor(t, first.host.addresses())
    await until(() => known(next.host).length > SIDE / 2, JOIN_MS) // one after another: a crowd starves itself
    survivors.push(next)
  }
  const whole = ({ host }: Survivor): boolean => known(host).length === 2 * SIDE - 1
  await until(() => survivors.every(whole), JOIN_MS)
  return { survivors, victims: others, child }
}

const known = (host: Host): string[] => names(host.routing.known(host.signer.publicKey, 100))

/** A find at each survivor in turn; the failures that each met, and what it found checked against the truth. */
async function findAll({ survivors }: Network, rng: ReturnType<typeof seededRng>): Promise<number[]> {
  const met: number[] = []
  for (const { host, failures } of survivors) {
    const before = failures()
    const target = rng.bytes(32)
    const found = names(await host.routing.closest(target, 20, soon(10_000)))
    met.push(failures() - before)
    const alive = names(survivors.map((other) => other.host.routing.self())).filter((id) => id !== host.peerId)
    assert.deepEqual(
      found,
      alive.toSorted((a, b) => compareDistance(target, place(a), place(b))),
      `seed ${SEED}`,
    )
  }
  return met
}

/** Asks those of the peers that the host takes for live, as the services do, and is answered by none. */
async function askAll(host: Host, peers: readonly PeerRecord[]): Promise<void> {
  const deps = { clock: systemClock, network: host.holderNetwork, routing: host.routing }
  const request = { kind: HOLDER_VERB.find, body: { target: new Uint8Array(32) } } as const
  const live = peers.filter(({ id }) => known(host).includes(id))
  await Promise.all(live.map(async (peer) => assert.rejects(ask(deps, peer, request, soon(20_000)))))
}

test('MB-48 F22 half of the network is killed: nobody asks a dead peer twice, and hints do not bring it back', async (t) => {
  const net = await network(t)
  const rng = seededRng(SEED)
  const dead = new Set(names(net.victims))
  net.child.kill('SIGKILL')
  await once(net.child, 'exit')
  for (const met of await findAll(net, rng)) assert.ok(met <= SIDE, `${met} attempts at ${SIDE} dead peers`)
  await until(() => net.survivors.every(({ host }) => known(host).every((id) => !dead.has(id))))
  assert.deepEqual(new Set(await findAll(net, rng)), new Set([0]), 'the second find meets none')

  // Nor does anybody who remembers a zone wait for it again.
  const [{ host }] = net.survivors as [Survivor]
  for (const victim of net.victims) await assert.rejects(host.holderNetwork.link(victim, soon()), /a moment ago/)

  // One that has not noticed goes on naming the dead in every answer.
  net.survivors[0]?.rumours.push(...net.victims)
  assert.deepEqual(new Set(await findAll(net, rng)), new Set([0]))
  assert.ok(net.survivors.every(({ host }) => known(host).every((id) => !dead.has(id))))
})

test('MB-48 F22 half of the network freezes with its connections open: found out by the first questions, back when it thaws', async (t) => {
  const net = await network(t)
  const rng = seededRng(SEED + 1)
  const dead = new Set(names(net.victims))
  net.child.kill('SIGSTOP')
  const firsts = await Promise.all(
    net.survivors.map(async ({ host }) => names(await host.routing.closest(rng.bytes(32), 20, soon(20_000)))),
  )
  for (const found of firsts) assert.ok(found.length >= SIDE - 1)
  // Who is asked by a service after that is out with its first silence; the connection goes with it.
  await Promise.all(net.survivors.map(async ({ host }) => askAll(host, net.victims)))
  await until(() => net.survivors.every(({ host }) => known(host).every((id) => !dead.has(id))))
  await until(() => net.survivors.every(({ host }) => host.peers().every(({ id }) => !dead.has(id))), 20_000)
  assert.deepEqual(new Set(await findAll(net, rng)), new Set([0]), 'the second find meets none')
  net.child.kill('SIGCONT')
  await until(() => net.survivors.every(({ host }) => known(host).length === 2 * SIDE - 1), JOIN_MS)
})
