/** What a peer does for others and how much of the network it keeps up with, by its role: one table, all flags of the same daemon. */
import { MINUTE_MS } from './time.ts'

/**
 * `peer` serves others where it can be reached; `light` only uses the network; `relay` carries other people's connections on a
 * machine that is always there; `bootstrap` lets people join.
 */
export const ROLE_NAMES = ['peer', 'light', 'relay', 'bootstrap'] as const
export type RoleName = (typeof ROLE_NAMES)[number]

/** What carrying connections for peers behind NATs may cost (circuit relay v2). */
export interface RelayBudget {
  /** Peers that may be reached through us at a time. */
  readonly reservationsMax: number
  /** Connections carried at a time, and of these those from one peer, and those to one. */
  readonly circuitsMax: number
  readonly circuitsPerPeerMax: number
  /** After either, in either direction, a connection is cut; those at its ends make another. */
  readonly circuitBytesMax: number
  readonly circuitMs: number
  /** Over all connections: bytes a second. */
  readonly bytesPerSecond: number
}

export interface Role {
  /** Whether mail of others is held where the settings do not say. */
  readonly holds: boolean
  /** Only where others can reach us, whatever this says. */
  readonly relay: RelayBudget | undefined
  /** Answers STUN, so that peers behind NATs learn their addresses. */
  readonly stun: boolean
  /** Looks for peers on the local network and is found there. Next door to a server stand other people's servers. */
  readonly lan: boolean
  /** Answers kad-dht's questions. */
  readonly routes: boolean
  /** Connections in and out. */
  readonly connectionsMax: number
  /** Nearest holders that are kept connected. */
  readonly neighbours: number
}

const KIB = 1_024
const MIB = 1_024 * KIB

export const ROLES: Readonly<Record<RoleName, Role>> = {
  peer: {
    holds: true,
    relay: {
      reservationsMax: 64,
      circuitsMax: 32,
      circuitsPerPeerMax: 4,
      circuitBytesMax: 32 * MIB,
      circuitMs: 60 * MINUTE_MS,
      bytesPerSecond: MIB,
    },
    stun: false,
    lan: true,
    routes: true,
    connectionsMax: 300,
    neighbours: 20,
  },
  light: { holds: false, relay: undefined, stun: false, lan: true, routes: false, connectionsMax: 48, neighbours: 6 },
  relay: {
    holds: false,
    relay: {
      reservationsMax: 2_000,
      circuitsMax: 1_000,
      circuitsPerPeerMax: 16,
      circuitBytesMax: 256 * MIB,
      circuitMs: 240 * MINUTE_MS,
      bytesPerSecond: 16 * MIB,
    },
    stun: true,
    lan: false,
    routes: true,
    connectionsMax: 4_000,
    neighbours: 20,
  },
  bootstrap: {
    holds: false,
    relay: {
      reservationsMax: 256,
      circuitsMax: 64,
      circuitsPerPeerMax: 2,
      circuitBytesMax: 4 * MIB,
      circuitMs: 10 * MINUTE_MS,
      bytesPerSecond: 512 * KIB,
    },
    stun: true,
    lan: false,
    routes: true,
    connectionsMax: 2_000,
    neighbours: 20,
  },
}
