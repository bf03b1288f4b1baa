/** What a run lays over docker/compose.yaml, as JSON, which is YAML: named peers with addresses, and homes that can be read. */
import { join } from 'node:path'
import { announced, HOMES, isPublic } from './plan.ts'
import type { Plan } from './plan.ts'

export const PASSPHRASE_FILE = 'passphrase'
/** Where a container finds it. */
const PASSPHRASE_AT = '/etc/sotto/passphrase'

export interface Run {
  /** Directory of compose.yaml. */
  readonly docker: string
  /** Directory with a home of each daemon, and the passphrase of all of them. */
  readonly root: string
  readonly plans: readonly Plan[]
  /** The image of a daemon. */
  readonly image: (name: string) => string
  /** Whether public peers are left to find out that they are. */
  readonly discover: boolean
}

export const homeOf = (root: string, name: string): string => join(root, 'homes', name)

export function composeOverlay(run: Run): string {
  const scalable = ['peer', ...Object.keys(HOMES)].map((name) => [name, { scale: 0 }] as const)
  const services = [...scalable, ...run.plans.map((plan) => [plan.name, serviceOf(run, plan)] as const)]
  return JSON.stringify({ services: Object.fromEntries(services) }, null, 2)
}

function serviceOf(run: Run, plan: Plan): object {
  const { docker, root, image, discover } = run
  // Nothing brings it back but the run itself, so that nobody ends unseen.
  // Every question takes the engine longer than the daemon: many of them starve two cores.
  const healthcheck = { interval: '5m', timeout: '60s' }
  const shared = { image: image(plan.name), restart: 'no', healthcheck }
  const home = { type: 'bind', source: homeOf(root, plan.name), target: '/data' }
  if (plan.role !== 'peer') return { ...shared, volumes: [home] }
  const secret = { type: 'bind', source: join(root, PASSPHRASE_FILE), target: PASSPHRASE_AT, read_only: true }
  return {
    ...shared,
    extends: { file: join(docker, 'sotto.yaml'), service: 'sotto' },
    command: ['daemon', ...(isPublic(plan) && !discover ? ['--announce', announced(plan)] : [])],
    networks: { [plan.network]: { ipv4_address: plan.address } },
    volumes: plan.person ? [home, secret] : [home],
    ...(plan.person ? { environment: { SOTTO_PASSPHRASE_FILE: PASSPHRASE_AT } } : {}),
  }
}
