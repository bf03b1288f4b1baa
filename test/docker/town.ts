/** A network in containers: images, homes, files for Compose, and a start in an order that two cores can bear. */
import { chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { acquaint, configure } from '../chaos/network.ts'
import type { ChaosNetwork, Ground } from '../chaos/network.ts'
import { PASSPHRASE } from '../support/api-daemon.ts'
import { knowEnough } from '../support/daemons.ts'
import { composeOverlay, homeOf, PASSPHRASE_FILE } from './compose.ts'
import { ContainerDaemon } from './container.ts'
import { Compose, containerOf, docker, inspect } from './engine.ts'
import { HOMES, isPublic, planPeers } from './plan.ts'

const REPOSITORY = join(import.meta.dirname, '..', '..')
const DOCKER = join(REPOSITORY, 'docker')
export const IMAGE = 'sotto:local'
export const NEXT_IMAGE = 'sotto:next'
/** One run at a time: its addresses are fixed, too. */
const ROOT = join(tmpdir(), 'sotto-docker')
/** Of the user in the image. */
const USER = 1_000
const AT_ONCE = 4
const ENOUGH_PEERS = 6
const ROUTERS = ['internet', ...Object.keys(HOMES).map((name) => `router-${name}`)]

export interface TownInit {
  readonly peers: number
  readonly people: number
  readonly discover: boolean
  readonly say: (line: string) => void
}

export class Town implements Ground {
  readonly root = ROOT
  readonly daemons: readonly ContainerDaemon[]
  readonly #init: TownInit
  readonly #compose = new Compose([join(DOCKER, 'compose.yaml'), join(ROOT, 'overlay.json')])
  readonly #images = new Map<string, string>()

  constructor(init: TownInit) {
    this.#init = init
    this.daemons = planPeers(init.peers, init.people).map(
      (plan) =>
        new ContainerDaemon({
          plan,
          home: homeOf(ROOT, plan.name),
          logFile: join(ROOT, 'logs', `${plan.name}.log`),
          compose: this.#compose,
        }),
    )
  }

  /** What is left of the last run goes first. */
  async start(): Promise<ChaosNetwork> {
    const { say } = this.#init
    await removeTown()
    this.#prepare()
    say(
      `the image has ${await buildImages()} MB; starting ${this.daemons.length} daemons and ${ROUTERS.length} routers`,
    )
    await this.#compose.up(ROUTERS)
    for (let at = 0; at < this.daemons.length; at += AT_ONCE) {
      const some = this.daemons.slice(at, at + AT_ONCE)
      await this.#compose.up(some.map(({ name }) => name))
      await Promise.all(some.map((daemon) => daemon.answers()))
    }
    // Cards lie on the holders nearest to them: who knows few of these finds few cards.
    const holders = this.daemons.filter(({ plan }) => plan.role === 'peer' && isPublic(plan))
    await knowEnough(this, Math.min(ENOUGH_PEERS, holders.length))
    const people = this.daemons.filter(({ plan }) => plan.person)
    say(`all of them know others; ${people.length} people make accounts and become contacts`)
    await acquaint(people)
    return { people, holders: this.daemons.filter(({ plan }) => !plan.person), small: new Set() }
  }

  /** The daemon in a container of the other image, on its home. */
  async upgrade(daemon: ContainerDaemon): Promise<void> {
    this.#images.set(daemon.name, NEXT_IMAGE)
    this.#writeOverlay()
    await daemon.replace()
  }

  /** Those that should run do, none was ended by anybody else, and each is what it should be. */
  async check(violation: (what: string) => void): Promise<void> {
    for (const [i, found] of (await inspect(this.daemons.map(({ name }) => containerOf(name)))).entries()) {
      const daemon = this.daemons[i]
      if (daemon === undefined) continue
      if (found.State.Running !== daemon.running)
        violation(`${daemon.name} ${found.State.Running ? 'runs' : `ended with ${found.State.ExitCode}`} on its own`)
      if (found.State.OOMKilled) violation(`${daemon.name} ran out of memory`)
      if (found.RestartCount > 0) violation(`${daemon.name} was restarted by the engine`)
      const image = this.#imageOf(daemon.name)
      if (found.Config.Image !== image) violation(`${daemon.name} runs ${found.Config.Image}, not ${image}`)
    }
  }

  #imageOf(name: string): string {
    return this.#images.get(name) ?? IMAGE
  }

  #prepare(): void {
    mkdirSync(join(ROOT, 'logs'), { recursive: true, mode: 0o700 })
    own(join(ROOT, PASSPHRASE_FILE), () => {
      writeFileSync(join(ROOT, PASSPHRASE_FILE), `${PASSPHRASE}\n`, { mode: 0o400 })
    })
    for (const { home } of this.daemons) {
      own(home, () => mkdirSync(home, { recursive: true, mode: 0o700 }))
      own(join(home, 'config.json'), () => {
        configure({ home }, false)
      })
    }
    this.#writeOverlay()
  }

  #writeOverlay(): void {
    const { discover } = this.#init
    const plans = this.daemons.map(({ plan }) => plan)
    const run = { docker: DOCKER, root: ROOT, plans, discover, image: (name: string) => this.#imageOf(name) }
    // Compose may be reading it for another daemon.
    const file = join(ROOT, 'overlay.json')
    writeFileSync(`${file}.new`, composeOverlay(run))
    renameSync(`${file}.new`, file)
  }
}

/** Makes it, and gives it to the user in the image. */
function own(path: string, make: () => void): void {
  make()
  chownSync(path, USER, USER)
}

/** Gives the size of the daemon's, in megabytes. */
async function buildImages(): Promise<number> {
  const build = async (file: string, tag: string, ...args: readonly string[]): Promise<unknown> =>
    docker('build', '-q', '-f', join(DOCKER, file), '-t', tag, ...args, REPOSITORY)
  await build('Dockerfile', IMAGE)
  await build('Dockerfile', NEXT_IMAGE, '--build-arg', 'REVISION=next')
  await build('router.Dockerfile', 'sotto-router:local')
  return Math.round(Number(await docker('image', 'inspect', '-f', '{{.Size}}', IMAGE)) / 1e6)
}

/** Containers, networks, volumes and homes of the last run. Images stay. */
export async function removeTown(): Promise<void> {
  await new Compose([join(DOCKER, 'compose.yaml')]).down()
  rmSync(ROOT, { recursive: true, force: true })
}
