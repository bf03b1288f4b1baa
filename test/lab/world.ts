/**
 * The internet of the lab, made of network namespaces: a plain router in the middle, public hosts around it, and two sites behind
 * routers whose NAT can be changed in place. Nothing in it is connected to the machine's own network.
 *
 *     boot 11.0.0.2   relay1 12.0.0.2   relay2 13.0.0.2   pub1 14.0.0.2   pub2 15.0.0.2   pub3 16.0.0.2
 *          \_____________\__________________ inet ____________/________________/_____________/
 *                            /         |              |          \
 *                 21.0.0.2 wan   carrierA 21.0.2.2  carrierB   wan 22.0.0.2
 *                          natA ______/ 100.64.0.0/24 \______ natB
 *                        /      \                             |
 *         hostA 192.168.1.10   hostA2 192.168.1.11          hostB 192.168.2.10
 */
import { execFile, execFileSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Kind } from './kinds.ts'
import { CARRIER_RULES, natRules, placementOf, PUBLIC, publicAddress, SITES } from './rules.ts'
import type { PublicHost, Site, SiteHost } from './rules.ts'

const PREFIX = 'sottolab'
const NAMESPACES = '/run/netns'
const COMMAND_MS = 20_000
const REMOVE_TRIES = 20
const REMOVE_PAUSE_MS = 250
const SITE_NAMES = Object.keys(SITES) as Site[]
export const PUBLIC_HOSTS = Object.keys(PUBLIC) as PublicHost[]

const FORWARDING = `echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`

function onPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** What the machine lacks for a lab, in words; empty where it can be built. */
export function lacks(): readonly string[] {
  const missing: string[] = []
  if (process.platform !== 'linux') missing.push('Linux (network namespaces)')
  if (process.getuid?.() !== 0) missing.push('root (try: sudo npm run lab)')
  if (!onPath('ip')) missing.push('the command ip (package iproute2)')
  if (!onPath('nft')) missing.push('the command nft (package nftables)')
  if (missing.length > 0) return missing
  const probe = `${PREFIX}${process.pid}-probe`
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'exec', probe, 'nft', 'list', 'ruleset'], { stdio: 'pipe' })
    return []
  } catch (error) {
    return [`permission to make network namespaces and their rules (${(error as Error).message.trim()})`]
  } finally {
    removeNamespace(probe)
  }
}

/** Ends what runs in a namespace and removes it; twice is harmless. */
function removeNamespace(name: string): void {
  try {
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8', stdio: 'pipe' })
    for (const pid of pids.split('\n').map(Number)) if (pid > 0) process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already, or never there.
  }
  try {
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' })
  } catch {
    // The same.
  }
}

/** Namespaces of labs whose process is no more: it was killed before it could clean up. */
function sweep(): void {
  for (const name of namespaces()) {
    const pid = Number(/^sottolab(\d+)-/.exec(name)?.[1] ?? 0)
    if (pid > 0 && !alive(pid)) removeNamespace(name)
  }
}

function namespaces(): readonly string[] {
  try {
    return readdirSync(NAMESPACES)
  } catch {
    return []
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { timeout: COMMAND_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}`))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

export class World {
  readonly #onExit = (): void => {
    this.down()
  }
  readonly #flushes = onPath('conntrack')

  private constructor() {
    process.once('exit', this.#onExit)
  }

  /** Builds it, with both sites `open`. */
  static async up(): Promise<World> {
    sweep()
    const world = new World()
    try {
      await world.#build()
      return world
    } catch (error) {
      world.down()
      throw error
    }
  }

  /** The command line that runs a program in a host. */
  inside(host: PublicHost | SiteHost): readonly [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#name(host)]
  }

  /** Another NAT for a site: addresses, routes and rules, and nothing left of the mappings before. */
  async setNat(site: Site, kind: Kind): Promise<void> {
    const { octet, hosts } = SITES[site]
    const behindCarrier = kind === 'cgnat'
    await this.#ip(`nat${site}`, [
      `route replace default via ${behindCarrier ? '100.64.0.1' : `${octet}.0.0.1`}`,
      `route replace default via 2a01:${octet}::1`,
    ])
    for (let host = 0; host < hosts; host++) {
      const { address, router } = placementOf(site, kind, host)
      const v6 = address.includes(':')
      await this.#ip(hostName(site, host), [
        'addr flush dev eth0 scope global',
        `addr add ${address} dev eth0${v6 ? ' nodad' : ''}`,
        `route replace default via ${router}`,
      ])
    }
    const [first = ''] = placementOf(site, kind).address.split('/')
    await this.#run(`nat${site}`, ['nft', '-f', '-'], natRules(kind, first))
    if (!this.#flushes) return
    for (const router of [`nat${site}`, `carrier${site}`]) await this.#run(router, ['conntrack', '-F'])
  }

  /** Ends everything that runs in it and removes it; does nothing the second time. */
  down(): void {
    process.removeListener('exit', this.#onExit)
    // A command that was just starting somewhere else may hold on to one for a moment.
    for (let i = 0; i < REMOVE_TRIES && this.#left().length > 0; i++) {
      if (i > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REMOVE_PAUSE_MS)
      for (const name of this.#left()) removeNamespace(name)
    }
  }

  #left(): readonly string[] {
    return namespaces().filter((name) => name.startsWith(this.#name('')))
  }

  #name(host: string): string {
    return `${PREFIX}${process.pid}-${host}`
  }

  async #build(): Promise<void> {
    const routers = ['inet', ...SITE_NAMES.flatMap((site) => [`nat${site}`, `carrier${site}`])]
    const hosts = [...PUBLIC_HOSTS, ...SITE_NAMES.flatMap((site) => hostNames(site))]
    const all = [...routers, ...hosts]
    const cables = [...PUBLIC_HOSTS.map((host) => this.#cable(host, 'eth0', 'inet', host)), ...this.#siteCables()]
    await run('ip', ['-batch', '-'], lines([...all.map((name) => `netns add ${this.#name(name)}`), ...cables]))
    for (const router of routers) await this.#run(router, ['sh', '-c', FORWARDING])
    for (const host of PUBLIC_HOSTS) await this.#ip(host, publicHostSetup(host))
    for (const site of SITE_NAMES) {
      await this.#ip(`carrier${site}`, carrierSetup(site))
      await this.#ip(`nat${site}`, natSetup(site))
      for (const host of hostNames(site)) await this.#ip(host, ['link set lo up', 'link set eth0 up'])
      await this.#run(`carrier${site}`, ['nft', '-f', '-'], CARRIER_RULES)
    }
    await this.#ip('inet', inetSetup())
    for (const site of SITE_NAMES) await this.setNat(site, 'open')
  }

  #siteCables(): readonly string[] {
    return SITE_NAMES.flatMap((site) => [
      this.#cable(`nat${site}`, 'wan', 'inet', `nat${site}`),
      this.#cable(`nat${site}`, 'isp', `carrier${site}`, 'lan'),
      this.#cable(`carrier${site}`, 'wan', 'inet', `carrier${site}`),
      ...hostNames(site).map((host, i) => this.#cable(host, 'eth0', `nat${site}`, `port${i}`)),
    ])
  }

  #cable(left: string, leftName: string, right: string, rightName: string): string {
    return `link add ${leftName} netns ${this.#name(left)} type veth peer name ${rightName} netns ${this.#name(right)}`
  }

  async #ip(host: string, commands: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.#name(host), '-batch', '-'], lines(commands))
  }

  async #run(host: string, command: readonly string[], input = ''): Promise<void> {
    await run('ip', ['netns', 'exec', this.#name(host), ...command], input)
  }
}

const lines = (commands: readonly string[]): string => `${commands.join('\n')}\n`
const hostName = (site: Site, host: number): string => `host${site}${host === 0 ? '' : host + 1}`
const hostNames = (site: Site): readonly string[] =>
  Array.from({ length: SITES[site].hosts }, (_, host) => hostName(site, host))

function publicHostSetup(host: PublicHost): readonly string[] {
  const { ip4, ip6 } = publicAddress(host)
  return [
    'link set lo up',
    'link set eth0 up',
    `addr add ${ip4}/24 dev eth0`,
    `addr add ${ip6}/64 dev eth0 nodad`,
    `route add default via ${PUBLIC[host]}.0.0.1`,
    `route add default via 2a01:${PUBLIC[host]}::1`,
  ]
}

function carrierSetup(site: Site): readonly string[] {
  const { octet } = SITES[site]
  return [
    'link set lo up',
    'link set lan up',
    'link set wan up',
    'addr add 100.64.0.1/24 dev lan',
    `addr add ${octet}.0.2.2/24 dev wan`,
    `route add default via ${octet}.0.2.1`,
  ]
}

function natSetup(site: Site): readonly string[] {
  const { octet, lan } = SITES[site]
  return [
    'link set lo up',
    'link add lan type bridge forward_delay 0',
    'link set lan up',
    ...hostNames(site).flatMap((_, i) => [`link set port${i} master lan`, `link set port${i} up`]),
    'link set wan up',
    'link set isp up',
    `addr add ${lan}.1/24 dev lan`,
    `addr add ${octet}.0.1.1/24 dev lan`,
    `addr add 2a01:${octet}:1::1/64 dev lan nodad`,
    `addr add ${octet}.0.0.2/24 dev wan`,
    `addr add 2a01:${octet}::2/64 dev wan nodad`,
    'addr add 100.64.0.2/24 dev isp',
  ]
}

function inetSetup(): readonly string[] {
  const hosts = PUBLIC_HOSTS.flatMap((host) => [
    `link set ${host} up`,
    `addr add ${PUBLIC[host]}.0.0.1/24 dev ${host}`,
    `addr add 2a01:${PUBLIC[host]}::1/64 dev ${host} nodad`,
  ])
  const sites = SITE_NAMES.flatMap((site) => {
    const { octet } = SITES[site]
    return [
      `link set nat${site} up`,
      `link set carrier${site} up`,
      `addr add ${octet}.0.0.1/24 dev nat${site}`,
      `addr add 2a01:${octet}::1/64 dev nat${site} nodad`,
      `addr add ${octet}.0.2.1/24 dev carrier${site}`,
      `route add ${octet}.0.1.0/24 via ${octet}.0.0.2`,
      `route add 2a01:${octet}:1::/64 via 2a01:${octet}::2`,
    ]
  })
  return ['link set lo up', ...hosts, ...sites]
}
