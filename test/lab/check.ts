/** Proves the lab before anything is measured in it: what every NAT does to raw sockets, against what its kind says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChildProcess } from 'node:child_process'
import { faultsOf, isIpv6 } from './kinds.ts'
import type { Behaviour, Kind } from './kinds.ts'
import { publicAddress } from './rules.ts'
import type { PublicHost, Site, SiteHost } from './rules.ts'
import type { World } from './world.ts'

const PROBE = join(import.meta.dirname, 'probe.ts')
const EXAMINE_MS = 30_000
const REFLECTORS: readonly [PublicHost, PublicHost, PublicHost] = ['boot', 'relay1', 'pub1']

export interface Checked {
  readonly kind: Kind
  readonly site: Site
  readonly behaviour: Behaviour
  readonly faults: readonly string[]
}

function start(world: World, host: PublicHost | SiteHost, args: readonly string[]): ChildProcess {
  const [command, ...rest] = world.inside(host)
  return spawn(command, [...rest, process.execPath, PROBE, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new TypeError('the probe has no output')
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const end = once(child, 'exit').then(([code]) => {
    throw new Error(`the probe ended with ${String(code)}`)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), EXAMINE_MS)
  try {
    return (await Promise.race([line, end]))[0]
  } finally {
    clearTimeout(timer)
    end.catch(() => {})
  }
}

async function examine(world: World, site: Site, kind: Kind): Promise<Checked> {
  await world.setNat(site, kind)
  const addresses = REFLECTORS.map((host) => publicAddress(host)[isIpv6(kind) ? 'ip6' : 'ip4'])
  const line = await firstLine(start(world, `host${site}`, ['examine', ...addresses]))
  const behaviour = JSON.parse(line) as Behaviour
  return { kind, site, behaviour, faults: faultsOf(kind, behaviour).map((fault) => `site ${site}: ${fault}`) }
}

/** Examines the kinds at both sites, one after another. */
export async function checkNats(world: World, kinds: readonly Kind[], tell: (checked: Checked) => void): Promise<void> {
  const reflectors = REFLECTORS.map((host) => start(world, host, ['reflect']))
  try {
    await Promise.all(reflectors.map(firstLine))
    for (const kind of kinds) {
      const both = await Promise.all([examine(world, 'A', kind), examine(world, 'B', kind)])
      for (const checked of both) tell(checked)
    }
  } finally {
    for (const child of reflectors) child.kill('SIGKILL')
  }
}
