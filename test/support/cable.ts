/** A network namespace at the end of a cable that can be pulled: a laptop for tests. Needs root and iproute2 (Linux). */
import { execFileSync, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'

/** Whether this process may make one. */
export function hasCables(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0
}

const NOBODY = '02:00:00:00:00:99'

export class Cable {
  /** Addresses of this end and of the laptop's. */
  readonly near: string
  readonly far: string
  readonly #name: string
  readonly #ends: readonly [string, string]
  readonly #macs = new Map<string, string>()

  /** Made at once; {@link remove} it. */
  constructor() {
    const number = randomInt(14_000)
    const net = `10.${200 + Math.floor(number / 256)}.${number % 256}`
    this.#name = `sotto-lap-${number}`
    this.#ends = [`slap${number}a`, `slap${number}b`]
    ;[this.near, this.far] = [`${net}.1`, `${net}.2`]
    try {
      this.#lay()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  #lay(): void {
    const [here, there] = this.#ends
    ip('netns', 'add', this.#name)
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', this.#name)
    ip('addr', 'add', `${this.near}/24`, 'dev', here)
    ip('-n', this.#name, 'addr', 'add', `${this.far}/24`, 'dev', there)
    ip('link', 'set', here, 'up')
    ip('-n', this.#name, 'link', 'set', 'lo', 'up')
    ip('-n', this.#name, 'link', 'set', there, 'up')
    this.#macs.set(this.near, macOf(ip('-o', 'link', 'show', here)))
    this.#macs.set(this.far, macOf(ip('-n', this.#name, '-o', 'link', 'show', there)))
  }

  /** What runs a command at the laptop. */
  get inside(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name]
  }

  /** The laptop sees that the cable is out. */
  pull(): void {
    ip('link', 'set', this.#ends[0], 'down')
  }

  plug(): void {
    ip('link', 'set', this.#ends[0], 'up')
  }

  /** Nothing gets through, and nobody is told: a router that lost its line. */
  silence(): void {
    this.#neighbours((address) => [address, 'lladdr', NOBODY])
  }

  speak(): void {
    this.#neighbours((address) => [address, 'lladdr', this.#macs.get(address) ?? NOBODY])
  }

  remove(): void {
    spawnSync('ip', ['link', 'del', this.#ends[0]])
    spawnSync('ip', ['netns', 'del', this.#name])
  }

  #neighbours(entry: (address: string) => readonly string[]): void {
    const [here, there] = this.#ends
    ip('neigh', 'replace', ...entry(this.far), 'dev', here, 'nud', 'permanent')
    ip('-n', this.#name, 'neigh', 'replace', ...entry(this.near), 'dev', there, 'nud', 'permanent')
  }
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' })
}

function macOf(line: string): string {
  const [, mac] = /link\/ether ([0-9a-f:]{17})/.exec(line) ?? []
  if (mac === undefined) throw new Error('the end of a cable has no address')
  return mac
}
