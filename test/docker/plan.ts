/** Who lives where: the places are those of docker/compose.yaml, the peers are made up for a run. */
import { NAMES } from '../chaos/network.ts'

/** Networks with public addresses, by their prefixes. */
export const REGIONS = {
  north: '26.0.0.0/16',
  east: '28.0.0.0/16',
  south: '29.0.0.0/16',
  west: '30.0.0.0/16',
} as const
export type Region = keyof typeof REGIONS

/** Networks behind routers, and what these do. */
export const HOMES = {
  home: { prefix: '10.10.1', nat: 'cone' },
  flat: { prefix: '10.10.2', nat: 'cone' },
  office: { prefix: '10.10.3', nat: 'symmetric' },
  hotel: { prefix: '10.10.4', nat: 'tcponly' },
} as const
export type Home = keyof typeof HOMES

/** Services of compose.yaml that are daemons, and where they are. */
const FIXED = {
  bootstrap1: { network: 'north', address: '26.0.1.10' },
  bootstrap2: { network: 'east', address: '28.0.1.10' },
  bootstrap3: { network: 'south', address: '29.0.1.10' },
  relay1: { network: 'west', address: '30.0.2.10' },
  relay2: { network: 'north', address: '26.0.2.10' },
} as const

export interface Plan {
  readonly name: string
  readonly role: 'peer' | 'relay' | 'bootstrap'
  /** Whether somebody with an account talks there. */
  readonly person: boolean
  readonly network: Region | Home
  readonly address: string
}

const REGION_NAMES = Object.keys(REGIONS) as readonly Region[]
const HOME_NAMES = Object.keys(HOMES) as readonly Home[]
/** Where people are, in turn; `public` is the next region. */
const PEOPLE_AT: readonly (Home | 'public')[] = ['home', 'flat', 'public', 'office', 'home', 'public', 'hotel', 'flat']
/** Of those without a person one in so many is behind a router: the others hold mail, which takes an address. */
const BEHIND_EVERY = 4
const PORT = 4001

export const isPublic = ({ network }: Pick<Plan, 'network'>): boolean => network in REGIONS

/** Where others reach it, as it would be told by whoever runs it. */
export const announced = ({ address }: Pick<Plan, 'address'>): string => `/ip4/${address}/tcp/${PORT}`

/** Bootstrap peers and relays first, then the people, then the rest. */
export function planPeers(peers: number, people: number): readonly Plan[] {
  const fixed = Object.entries(FIXED).map(([name, at]) => ({ name, role: roleOf(name), person: false, ...at }))
  const addresses = new Addresses()
  const persons = NAMES.slice(0, people).map((name, i) => {
    const at = PEOPLE_AT[i % PEOPLE_AT.length] ?? 'public'
    return { name, role: 'peer' as const, person: true, ...addresses.next(at) }
  })
  const others = Array.from({ length: peers - people }, (_, i) => {
    const behind = i % BEHIND_EVERY === BEHIND_EVERY - 1
    const at = behind ? (HOME_NAMES[Math.floor(i / BEHIND_EVERY) % HOME_NAMES.length] ?? 'home') : 'public'
    return { name: `peer${i + 1}`, role: 'peer' as const, person: false, ...addresses.next(at) }
  })
  return [...fixed, ...persons, ...others]
}

const roleOf = (name: string): Plan['role'] => (name.startsWith('relay') ? 'relay' : 'bootstrap')

/** Everybody in public has a /24 of their own: of one block only so many are counted. */
class Addresses {
  #publics = 0
  readonly #behind = new Map<Home, number>()

  next(at: Home | 'public'): Pick<Plan, 'network' | 'address'> {
    if (at === 'public') {
      const network = REGION_NAMES[this.#publics % REGION_NAMES.length] ?? 'north'
      const address = `${REGIONS[network].split('.')[0] ?? ''}.0.${16 + this.#publics++}.10`
      return { network, address }
    }
    const number = this.#behind.get(at) ?? 0
    this.#behind.set(at, number + 1)
    return { network: at, address: `${HOMES[at].prefix}.${10 + number}` }
  }
}
