/**
 * `idle`: what a daemon costs that has nothing to do. Real daemons, each with an account, on a profile with the public network's
 * pace and, as the unit and the image have it, with few arenas for malloc and a compile cache of their own, which their first start
 * fills; after the second nothing is asked of them until the end.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LOCAL, MAIN } from '../../src/lib/network-profile.ts'
import { MINUTE_MS } from '../../src/lib/time.ts'
import { befriend, knowEnough, pause, startAll, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { cpuMsOf, median } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'

const NAME = 'idle'
const PEERS = 4
const LIGHT = 2
/** Joining, the first sweeps and what the compiler does late are not idleness. */
const SETTLE_SHARE = 0.3
const MIB = 1_048_576

/** Loopback, and a young network: whoever is there holds at once. */
const { epochMs, repairIntervalMs, collectIntervalMs } = MAIN
const PROFILE = { ...LOCAL, name: 'idle', epochMs, repairIntervalMs, collectIntervalMs, inboundPerSecond: 1_000 }

const METRICS: readonly { readonly key: string; readonly unit: string; readonly peerGoal?: number }[] = [
  { key: 'bytes in and out', unit: 'B/s', peerGoal: 1_024 },
  { key: 'CPU', unit: '% of a core', peerGoal: 1 },
  { key: 'resident memory', unit: 'MiB', peerGoal: 150 },
  { key: 'connections', unit: '' },
  { key: 'streams', unit: '' },
]

async function run({ minutes, note }: BenchOptions): Promise<readonly Figure[]> {
  const bed = new Testbed()
  process.env['NODE_COMPILE_CACHE'] = join(bed.root, 'compiled')
  process.env['MALLOC_ARENA_MAX'] = '2'
  try {
    bed.network = bed.file('idle.json', JSON.stringify(PROFILE))
    note('starting')
    const peers = Array.from({ length: PEERS }, (_, i) => bed.daemon(`peer${i}`))
    const light = Array.from({ length: LIGHT }, (_, i) => bed.daemon(`light${i}`, { flags: ['--role', 'light'] }))
    await together(bed, peers, light)
    await bed.stopAll()
    await meet(bed, peers, light)
    note('settling')
    await pause(minutes * MINUTE_MS * SETTLE_SHARE)
    note('idle')
    const samples = await watch([...peers, ...light], minutes * MINUTE_MS * (1 - SETTLE_SHARE))
    return [...figuresOf('peer', samples.slice(0, PEERS)), ...figuresOf('light', samples.slice(PEERS))]
  } finally {
    await bed.close()
  }
}

async function meet(bed: Testbed, peers: readonly Daemon[], light: readonly Daemon[]): Promise<void> {
  const [first, ...rest] = peers
  await first?.start()
  await startAll([...rest, ...light])
  await knowEnough(bed, PEERS - 1)
}

/** They have accounts, and two of each kind are contacts. */
async function together(bed: Testbed, peers: readonly Daemon[], light: readonly Daemon[]): Promise<void> {
  await meet(bed, peers, light)
  for (const daemon of [...peers, ...light]) await daemon.createIdentity()
  for (const [asker, asked] of [peers, light])
    if (asker !== undefined && asked !== undefined) await befriend(asker, asked)
}

async function watch(daemons: readonly Daemon[], forMs: number): Promise<readonly Sample[]> {
  const before = daemons.map((daemon) => ({ atMs: performance.now(), bytes: bytesOf(daemon), cpuMs: cpuOf(daemon) }))
  await pause(forMs)
  const costs = daemons.map((daemon, i) => {
    const from = before[i] ?? { atMs: 0, bytes: 0, cpuMs: 0 }
    const ms = performance.now() - from.atMs
    return {
      'bytes in and out': ((bytesOf(daemon) - from.bytes) * 1_000) / ms,
      CPU: ((cpuOf(daemon) - from.cpuMs) * 100) / ms,
      'resident memory': daemon.memoryBytes / MIB,
    }
  })
  // Asked last: the question is work.
  return Promise.all(
    costs.map(async (cost, i) => {
      const open = (await daemons[i]?.peers()) ?? []
      return { ...cost, connections: open.length, streams: open.reduce((sum, { streams }) => sum + streams, 0) }
    }),
  )
}

/** Everything that it read and wrote, files included; without the headers of TCP and IP. */
function bytesOf(daemon: Daemon): number {
  const text = readFileSync(`/proc/${daemon.pid ?? 0}/io`, 'utf8')
  const [, read = '', written = ''] = /^rchar: (\d+)\nwchar: (\d+)$/m.exec(text) ?? []
  return Number(read) + Number(written)
}

const cpuOf = (daemon: Daemon): number => cpuMsOf(daemon.pid ?? 0)

function figuresOf(role: string, samples: readonly Sample[]): readonly Figure[] {
  return METRICS.map(({ key, unit, peerGoal }) => {
    const value = median(samples.map((sample) => sample[key] ?? Number.NaN))
    const goal: Goal | undefined = peerGoal === undefined ? undefined : { of: 'value', at: 'most', bound: peerGoal }
    const figure = { name: NAME, metric: `${role}: ${key}`, value, unit, peer: null, peerValue: null, ratio: null }
    return { ...figure, runs: samples.length, ...(goal && { goal }) }
  })
}

export const idle: Bench = { name: NAME, run }
