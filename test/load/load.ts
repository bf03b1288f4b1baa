/** Many programs on the API of one daemon while many messages go out: what is lost, and how long it takes. */
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { connect } from '../../src/api/client.ts'
import { percentile } from '../bench/harness.ts'
import { pause, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

/** Messages that the sender's API is asked to take at the same time. */
const IN_FLIGHT = 16
const READ_PAUSE_MS = 20
const DELIVERED_MS = 300_000
const LOOK_MS = 250

export interface LoadPlan {
  /** Event streams on the reader's daemon, each by a program of its own; it allows 64. */
  readonly streams: number
  /** Programs that read its status and conversations all the time. */
  readonly readers: number
  readonly messages: number
}

export interface LoadReport extends LoadPlan {
  /** From the first message to the last one delivered. */
  readonly seconds: number
  readonly messagesPerSecond: number
  /** How long the API took to accept a message. */
  readonly sendMs: Spread
  /** How long it took to read while all that went on. */
  readonly readMs: Spread
  readonly reads: number
  /** Messages that were delivered, that are there, and that some stream has not heard of. */
  readonly delivered: number
  readonly received: number
  readonly unheard: number
  /** Requests that failed. */
  readonly failures: number
}

export interface Spread {
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** The settings of a home whose API is meant to be run into; written before its daemon starts. */
export function allowMuch({ home }: Daemon): void {
  const limits = { readsPerMinute: 1_000_000, writesPerMinute: 1_000_000, messagesPerMinute: 1_000_000 }
  writeFileSync(join(home, 'config.json'), JSON.stringify({ version: 1, api: { limits } }), { mode: 0o600 })
}

/** `from` and `to` are contacts and run. */
export async function load(from: Daemon, to: Daemon, plan: LoadPlan): Promise<LoadReport> {
  const [fromId, toId] = [await from.accountId(), await to.accountId()]
  const before = new Set((await to.messages(fromId)).map(({ id }) => id))
  const over = new AbortController()
  const failed: unknown[] = []
  const heard = Array.from({ length: plan.streams }, () => new Set<string>())
  const streams = await Promise.all(heard.map(async (ids) => follow(to, ids, over.signal)))
  const readTimes: number[] = []
  const readers = Array.from({ length: plan.readers }, async () => read(to, fromId, readTimes, failed, over.signal))

  const startMs = performance.now()
  const sendTimes: number[] = []
  const ids = await sendAll(from, toId, plan.messages, sendTimes, failed)
  const left = await waitForAll(from, ids)
  const seconds = (performance.now() - startMs) / 1_000
  await until(
    'all streams have heard',
    async () => ids.every((id) => heard.every((each) => each.has(id))),
    30_000,
  ).catch(() => {})
  over.abort()
  await Promise.all([...streams.map(({ done }) => done), ...readers])

  const there = (await to.messages(fromId)).filter(({ id }) => !before.has(id))
  return {
    ...plan,
    seconds,
    messagesPerSecond: plan.messages / seconds,
    sendMs: spread(sendTimes),
    readMs: spread(readTimes),
    reads: readTimes.length,
    delivered: ids.length - left.length,
    received: there.length,
    unheard: ids.filter((id) => !heard.every((each) => each.has(id))).length,
    failures: failed.length,
  }
}

/** A program with a stream: resolves when the stream is open, to a promise of its end. */
async function follow(
  daemon: Daemon,
  heard: Set<string>,
  signal: AbortSignal,
): Promise<{ readonly done: Promise<void> }> {
  const client = await connect(daemon.home)
  const { last } = await client.eventsSince(0, 1)
  const opened = Promise.withResolvers<void>()
  const done = (async (): Promise<void> => {
    for await (const item of client.events(last, signal)) {
      opened.resolve()
      if (item.type === 'event' && item.event.type === 'message:received')
        heard.add((item.event.data as { id: string }).id)
    }
    client.close()
  })()
  done.catch((error: unknown) => {
    opened.reject(error)
  })
  await opened.promise
  return { done }
}

async function read(
  daemon: Daemon,
  other: string,
  times: number[],
  failed: unknown[],
  signal: AbortSignal,
): Promise<void> {
  const client = await connect(daemon.home)
  while (!signal.aborted) {
    const startMs = performance.now()
    try {
      await client.status()
      await client.messages(other, { limit: 50 })
      times.push((performance.now() - startMs) / 2)
    } catch (error) {
      failed.push(error)
    }
    await pause(READ_PAUSE_MS)
  }
  client.close()
}

async function sendAll(from: Daemon, to: string, count: number, times: number[], failed: unknown[]): Promise<string[]> {
  const client = await connect(from.home)
  const ids: string[] = []
  let next = 0
  const sender = async (): Promise<void> => {
    while (next < count) {
      const number = next++
      const startMs = performance.now()
      try {
        ids.push((await client.send(to, { text: `message ${number}` })).id)
        times.push(performance.now() - startMs)
      } catch (error) {
        failed.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
  client.close()
  return ids
}

/** Those that are not delivered when the time is over. */
async function waitForAll(from: Daemon, ids: readonly string[]): Promise<readonly string[]> {
  const client = await connect(from.home)
  const end = Date.now() + DELIVERED_MS
  let left = ids
  while (left.length > 0 && Date.now() < end) {
    await pause(LOOK_MS)
    const views = await Promise.all(left.map(async (id) => client.message(id)))
    left = views.filter(({ status }) => status !== 'delivered' && status !== 'read').map(({ id }) => id)
  }
  client.close()
  return left
}

const spread = (times: readonly number[]): Spread => ({
  p50: percentile(times, 50),
  p95: percentile(times, 95),
  max: percentile(times, 100),
})
