/** What a run leaves: a file for machines, a table for people. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StormResult } from '../chaos/storm.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import { table } from '../../src/cli/render.ts'
import type { ContainerDaemon } from './container.ts'
import { HOMES } from './plan.ts'
import type { Plan } from './plan.ts'

const DIRECTORY = join(import.meta.dirname, 'reports')
const MIB = 1_048_576

export interface PeerRow {
  readonly name: string
  readonly role: Plan['role']
  readonly network: string
  /** Of the router before it; null in public. */
  readonly nat: string | null
  readonly address: string
  readonly faults: number
  readonly state: string
  readonly peers: number
  /** Open connections, and those of them that a relay carries. */
  readonly connections: number
  readonly relayed: number
  readonly memoryMiB: number
}

export interface Report extends StormResult {
  readonly scenario: string
  readonly seed: number
  readonly people: number
  readonly engine: string
  readonly violated: readonly string[]
  readonly rows: readonly PeerRow[]
}

/** How everybody is at the end. */
export async function rowsOf(daemons: readonly ContainerDaemon[]): Promise<readonly PeerRow[]> {
  const rows: PeerRow[] = []
  for (const daemon of daemons) rows.push({ ...whereIs(daemon.plan), ...(await howIs(daemon)), faults: daemon.faults })
  return rows
}

function whereIs({
  name,
  role,
  network,
  address,
}: Plan): Pick<PeerRow, 'name' | 'role' | 'network' | 'nat' | 'address'> {
  const nat = Object.entries(HOMES).find(([home]) => home === network)?.[1].nat ?? null
  return { name, role, network, nat, address }
}

async function howIs(
  daemon: ApiDaemon,
): Promise<Pick<PeerRow, 'state' | 'peers' | 'connections' | 'relayed' | 'memoryMiB'>> {
  if (!daemon.running) return { state: 'gone', peers: 0, connections: 0, relayed: 0, memoryMiB: 0 }
  const [status, connections] = [await daemon.status(), await daemon.peers()]
  return {
    state: status.state,
    peers: status.peers,
    connections: connections.length,
    relayed: connections.filter(({ address }) => address.includes('/p2p-circuit')).length,
    memoryMiB: Math.round(daemon.memoryBytes / MIB),
  }
}

export function peersTable(rows: readonly PeerRow[]): string {
  const head = ['NAME', 'ROLE', 'NETWORK', 'NAT', 'ADDRESS', 'FAULTS', 'STATE', 'PEERS', 'LINKS', 'RELAYED', 'MIB']
  return table(
    head,
    rows.map((row) => [
      row.name,
      row.role,
      row.network,
      row.nat ?? '–',
      row.address,
      ...[row.faults, row.state, row.peers, row.connections, row.relayed, row.memoryMiB].map(String),
    ]),
  )
}

export function summary(report: Report): string {
  const { scenario, faults, checked, accepted, delivered, duplicates, lost, violations } = report
  const done = Object.entries(faults).map(([what, count]) => `${count} ${what}`)
  return table(
    ['SCENARIO', 'DONE', 'ACCEPTED', 'DELIVERED', 'LOST', 'TWICE', 'CHECKED', 'VIOLATIONS'],
    [
      [
        scenario,
        done.join(', '),
        ...[accepted, delivered, lost, duplicates].map(String),
        `${checked.statuses} statuses, ${checked.stories} stories, ${checked.receipts} receipts`,
        String(violations),
      ],
    ],
  )
}

/** Gives the file's path. The last run of a kind and size stays. */
export function keep(report: Report): string {
  mkdirSync(DIRECTORY, { recursive: true })
  const peers = report.rows.filter(({ role }) => role === 'peer').length
  const file = join(DIRECTORY, `${report.scenario}-${peers}-peers-${report.minutes}-minutes.json`)
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  return file
}
