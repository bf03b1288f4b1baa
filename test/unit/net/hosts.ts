/** Hosts on 127.0.0.1 for tests: made in a directory of their own, stopped and removed with the test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { Host } from '../../../src/net/host.ts'
import type { HostInit } from '../../../src/net/host.ts'
import type { HolderHandler } from '../../../src/net/ports.ts'
import { ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../../src/wire/holder.ts'
import type { HolderResponse } from '../../../src/wire/holder.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

export interface TestHostOptions extends Partial<HostInit> {
  /** Serves FIND, the least that a holder does. */
  readonly holder?: boolean
  /** Whom it names before all others; may grow meanwhile. */
  readonly rumours?: readonly PeerRecord[]
}

/** A directory that is gone after the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sotto-net-'))
  t.after(async () => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }))
  return dir
}

/** A started host in `dir`, stopped after the test. */
export async function startHost(t: TestContext, dir: string, options: TestHostOptions = {}): Promise<Host> {
  const { holder = true, rumours, ...init } = options
  const host = await Host.create({
    keyFile: join(dir, 'node.key'),
    cacheFile: join(dir, 'peers'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    bootstrap: [],
    role: 'peer',
    profile: LOCAL,
    crypto: nativeProvider,
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
    ...init,
  })
  if (holder) await host.setHolderHandler(finder(host, rumours))
  await host.start()
  t.after(async () => host.stop())
  return host
}

/** Answers every request with the peers near what was asked, and before them with whoever is in `rumours` by then. */
export function finder(host: Host, rumours: readonly PeerRecord[] = []): HolderHandler {
  return async (_caller, request): Promise<HolderResponse> => {
    const target = request.kind === HOLDER_VERB.find ? request.body.target : new Uint8Array(32)
    const status = request.kind === HOLDER_VERB.find ? HOLDER_STATUS.ok : HOLDER_STATUS.notFound
    const closer = [...rumours, ...host.routing.known(target, 20)].slice(0, 20)
    return { status, answer: { kind: ANSWER_KIND.empty, body: {} }, closer }
  }
}

/** A host of its own, in a directory of its own. */
export async function newHost(t: TestContext, options: TestHostOptions = {}): Promise<Host> {
  return startHost(t, await tempDir(t), options)
}

/** Waits until `condition` holds; throws after `deadlineMs`. */
export async function until(condition: () => boolean, deadlineMs = 8_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not so after ${deadlineMs} ms: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A deadline for calls that take a signal. */
export function soon(ms = 5_000): AbortSignal {
  return AbortSignal.timeout(ms)
}
