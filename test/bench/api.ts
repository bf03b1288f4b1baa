/**
 * `api`: what a call to the daemon's API costs, and how fast events reach those who watch; beside the least that could answer
 * (`api-plain.ts`). `api-idle`: what a daemon costs while one client watches and nothing happens.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { DAY_MS, MINUTE_MS } from '../../src/lib/time.ts'
import { pause, PASSPHRASE, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { compared, cpuMsOf, inFlight, interleave, percentile, timed } from './harness.ts'
import type { Bench, BenchOptions, Figure, Sample } from './harness.ts'

const NAME = 'api'
const PEER = 'node:http + ws, a synced line a change'
const PLAIN = join(import.meta.dirname, 'api-plain.ts')
const READS = 300
const WRITES = 60
const PAGES = 60
const AT_ONCE = 16
const RUSH = 1_000
const WATCHERS = 20
const NO_LIMIT = 1_000_000

/** One that answers `/status`, `/events` and PATCH `/profile`. */
interface Server {
  readonly port: number
  readonly headers: Readonly<Record<string, string>>
  readonly agent: Agent
}

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  const bed = new Testbed()
  const plain = spawn(process.execPath, [PLAIN, bed.file('plain.log', '')], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    note('starting')
    const [line] = (await once(plain.stdout, 'data')) as [Buffer]
    const peer = { port: Number(line.toString()), headers: {}, agent: new Agent({ keepAlive: true }) }
    const sotto = serverOf(await startDaemon(bed))
    note('calls and events')
    const turns = await interleave(
      runs,
      async () => turn(sotto),
      async () => turn(peer),
    )
    for (const { agent } of [sotto, peer]) agent.destroy()
    const figure = (metric: string, key: string, unit: string): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit })
    return [
      figure('GET /status, p50', 'read p50', 'ms'),
      figure('GET /status, p95', 'read p95', 'ms'),
      figure(`GET /status, ${AT_ONCE} at once`, 'rush', '1/s'),
      figure('GET /events, 100 of them, p50', 'page p50', 'ms'),
      figure('PATCH /profile, p50', 'write p50', 'ms'),
      figure('PATCH /profile, p95', 'write p95', 'ms'),
      figure(`call to the event at ${WATCHERS} watchers, p50`, 'fan-out p50', 'ms'),
      figure(`call to the event at ${WATCHERS} watchers, p95`, 'fan-out p95', 'ms'),
    ]
  } finally {
    plain.kill('SIGKILL')
    await bed.close()
  }
}

async function startDaemon(bed: Testbed): Promise<Daemon> {
  const daemon = bed.daemon('api', { bootstrap: [] })
  const limits = { readsPerMinute: NO_LIMIT, writesPerMinute: NO_LIMIT }
  writeFileSync(join(daemon.home, 'config.json'), JSON.stringify({ version: 1, api: { limits } }), { mode: 0o600 })
  await daemon.start()
  await daemon.api('POST', '/identity', { passphrase: PASSPHRASE })
  for (let i = 0; i < 100; i++) await daemon.api('PATCH', '/profile', { name: `name ${i}` })
  return daemon
}

function serverOf(daemon: Daemon): Server {
  const token = readFileSync(join(daemon.home, 'api-token'), 'utf8').trim()
  return { port: daemon.apiPort, headers: { authorization: `Bearer ${token}` }, agent: new Agent({ keepAlive: true }) }
}

async function turn(server: Server): Promise<Sample> {
  const reads = await timed(READS, async () => call(server, 'GET', '/status'))
  const pages = await timed(PAGES, async () => call(server, 'GET', '/events?since=0&limit=100'))
  const writes = await timed(WRITES, async (i) => call(server, 'PATCH', '/profile', { name: `w${i}` }))
  const beganMs = performance.now()
  await inFlight(RUSH, AT_ONCE, async () => call(server, 'GET', '/status'))
  const rush = (RUSH * 1_000) / (performance.now() - beganMs)
  const spread = await fanOut(server)
  return {
    'read p50': percentile(reads, 50),
    'read p95': percentile(reads, 95),
    'page p50': percentile(pages, 50),
    'write p50': percentile(writes, 50),
    'write p95': percentile(writes, 95),
    'fan-out p50': percentile(spread, 50),
    'fan-out p95': percentile(spread, 95),
    rush,
  }
}

/** From the call of a change to its event at the last of those who watch. */
async function fanOut(server: Server): Promise<readonly number[]> {
  const watchers = Array.from({ length: WATCHERS }, () => watch(server))
  await Promise.all(watchers.map(async (watcher) => once(watcher, 'open')))
  // What was there before has come when it is quiet.
  await pause(200)
  const times = await timed(WRITES, async (i) => {
    const told = watchers.map(async (watcher) => once(watcher, 'message'))
    await call(server, 'PATCH', '/profile', { name: `f${i}` })
    await Promise.all(told)
  })
  for (const watcher of watchers) watcher.terminate()
  return times
}

function watch({ port, headers }: Server): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${port}/api/v1/events?since=${Number.MAX_SAFE_INTEGER}`, { headers })
}

async function call(server: Server, method: string, path: string, body?: object): Promise<void> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const options = {
    ...server,
    host: '127.0.0.1',
    method,
    path: `/api/v1${path}`,
    headers: { ...server.headers, ...type },
  }
  await new Promise<void>((resolve, reject) => {
    const asked = request(options, (response) => {
      if ((response.statusCode ?? 0) >= 400) reject(new Error(`${method} ${path}: ${response.statusCode ?? 0}`))
      response.resume()
      response.once('end', () => {
        resolve()
      })
    })
    asked.once('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function idle({ minutes, note }: BenchOptions): Promise<readonly Figure[]> {
  const bed = new Testbed()
  try {
    const daemon = await startDaemon(bed)
    const watcher = watch(serverOf(daemon))
    await once(watcher, 'open')
    note('settling')
    await pause(Math.min(MINUTE_MS, (minutes * MINUTE_MS) / 4))
    note('idle')
    const [beforeMs, beganMs] = [cpuMsOf(daemon.pid ?? 0), performance.now()]
    await pause(Math.min(DAY_MS, minutes * MINUTE_MS))
    const percent = (100 * (cpuMsOf(daemon.pid ?? 0) - beforeMs)) / (performance.now() - beganMs)
    watcher.terminate()
    const goal = { of: 'value', at: 'most', bound: 1 } as const
    const alone = { peer: null, peerValue: null, ratio: null, runs: 1, goal }
    return [
      { name: 'api-idle', metric: 'CPU with one client on the stream', value: percent, unit: '% of a core', ...alone },
    ]
  } finally {
    await bed.close()
  }
}

export const api: Bench = { name: NAME, run }
export const apiIdle: Bench = { name: 'api-idle', run: idle }
