import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sourceNetwork } from '../../../src/protocol/replicas.ts'
import { Dice } from '../../chaos/dice.ts'
import { composeOverlay, homeOf } from '../../docker/compose.ts'
import { announced, HOMES, isPublic, planPeers, REGIONS } from '../../docker/plan.ts'
import { sides } from '../../docker/troubles.ts'

const COMPOSE = readFileSync(join(import.meta.dirname, '../../../docker/compose.yaml'), 'utf8')
const IN_COMPOSE = 5

test('TE-17 OP-24 any number of peers: names and addresses of their own, three bootstrap peers and two relays beside them', () => {
  for (let peers = 5; peers <= 60; peers++) {
    const people = Math.min(6, Math.floor(peers / 2))
    const plans = planPeers(peers, people)
    assert.equal(plans.length, peers + IN_COMPOSE)
    assert.equal(new Set(plans.map(({ name }) => name)).size, plans.length)
    assert.equal(new Set(plans.map(({ address }) => address)).size, plans.length)
    assert.deepEqual(
      ['bootstrap', 'relay', 'peer'].map((wanted) => plans.filter(({ role }) => role === wanted).length),
      [3, 2, peers],
    )
    assert.equal(plans.filter(({ person }) => person).length, people)
    const holders = plans.filter((plan) => plan.role === 'peer' && isPublic(plan))
    assert.ok(holders.length >= 3, `${peers} peers: a letter needs three holders, and only public peers can be`)
  }
})

test('TE-17 peers in public have addresses that peers dial, each in a block of its own; those behind routers do not', () => {
  for (const plan of planPeers(20, 6)) {
    const prefix = isPublic(plan) ? REGIONS[plan.network as 'north'] : `${HOMES[plan.network as 'home'].prefix}.0/24`
    const fixed = prefix.endsWith('/16') ? 1 : 3
    assert.deepEqual(plan.address.split('.').slice(0, fixed), prefix.split('.').slice(0, fixed), plan.name)
    assert.equal(sourceNetwork(plan.address) !== undefined, isPublic(plan), plan.name)
  }
  const blocks = planPeers(60, 6)
    .filter(isPublic)
    .map(({ address }) => sourceNetwork(address))
  assert.equal(new Set(blocks).size, blocks.length)
})

test('TE-17 people are met behind every kind of router, and in public', () => {
  const people = planPeers(20, 8).filter(({ person }) => person)
  const kinds = people.map(({ network }) => (network in REGIONS ? 'public' : HOMES[network as 'home'].nat))
  assert.deepEqual(new Set(kinds), new Set(['cone', 'public', 'symmetric', 'tcponly']))
})

test('TE-17 the plan and compose.yaml speak of the same places', () => {
  for (const [name, subnet] of Object.entries(REGIONS)) {
    assert.match(COMPOSE, new RegExp(`^  ${name}:\\n    driver_opts: \\*bridge\\n    ipam: .*subnet: ${subnet},`, 'm'))
  }
  for (const [name, { prefix, nat }] of Object.entries(HOMES)) {
    assert.match(
      COMPOSE,
      new RegExp(`^  ${name}:\\n    driver_opts: \\*bridge\\n    ipam: .*subnet: ${prefix}.0/24,`, 'm'),
    )
    assert.match(COMPOSE, new RegExp(`router-${name}:\\n.*\\n.*NAT: ${nat}, LAN: ${prefix}.0/24,`))
  }
  for (const plan of planPeers(5, 2).slice(0, IN_COMPOSE)) {
    const told = `  ${plan.name}:\\n.*service: ${plan.role} .*\\n    command: \\[daemon, --announce, ${announced(plan)}\\]`
    assert.match(
      COMPOSE,
      new RegExp(`${told}\\n    networks:\\n      ${plan.network}: { ipv4_address: ${plan.address} }`),
    )
  }
})

interface Service {
  readonly image: string
  readonly restart: string
  readonly command?: readonly string[]
  readonly networks?: object
  readonly environment?: object
  readonly volumes: readonly { readonly source: string; readonly target: string }[]
}

test('OP-24 TE-17 the overlay gives everybody a home that can be read, and nobody a way to come back unseen', () => {
  const plans = planPeers(6, 3)
  const image = (name: string): string => (name === 'bob' ? 'sotto:next' : 'sotto:local')
  const run = { docker: '/d', root: '/r', plans, image, discover: false }
  const { services } = JSON.parse(composeOverlay(run)) as { services: Record<string, Service> }
  assert.deepEqual(services['peer'], { scale: 0 })
  for (const plan of plans) {
    const service = services[plan.name] ?? assert.fail(plan.name)
    assert.deepEqual([service.image, service.restart], [image(plan.name), 'no'])
    const home = service.volumes.find(({ target }) => target === '/data')
    assert.equal(home?.source, homeOf('/r', plan.name))
    assert.equal(service.environment !== undefined, plan.person)
    if (plan.role !== 'peer') continue
    assert.deepEqual(service.networks, { [plan.network]: { ipv4_address: plan.address } })
    assert.deepEqual(service.command, isPublic(plan) ? ['daemon', '--announce', announced(plan)] : ['daemon'])
  }
  const unsaid = JSON.parse(composeOverlay({ ...run, discover: true })) as { services: Record<string, Service> }
  assert.deepEqual(unsaid.services['carol']?.command, ['daemon'])
})

test('VI-01 a partition has everybody on one of two sides, and nobody on both', () => {
  const dice = new Dice(1)
  const seen = new Set<number>()
  for (let i = 0; i < 50; i++) {
    const [one, other] = sides(dice)
    seen.add(one.length)
    assert.deepEqual([...one, ...other].sort(), Object.keys(REGIONS).sort())
    assert.ok(one.length > 0 && other.length > 0)
  }
  assert.deepEqual(seen, new Set([1, 2]))
})
