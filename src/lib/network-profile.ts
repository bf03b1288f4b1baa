/**
 * What differs between one network and another, as data. The name is part of every protocol id, so that peers of two
 * networks never speak with each other, and nothing in the code asks whether it is being tested.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './time.ts'

export interface NetworkProfile {
  /** 1 to 32 of `a-z 0-9 -`; `main` and `local` are taken. */
  readonly name: string
  /** How long a mailbox address lives. */
  readonly epochMs: number
  /** How often a holder probes the zones of what it holds. */
  readonly repairIntervalMs: number
  /** How long a peer must be up before it holds for others. */
  readonly holderUptimeMs: number
  /** Leading zero bits of a letter's stamp. */
  readonly stampBits: number
  /** Leading zero bits of the puzzle under a holder's peer id. */
  readonly puzzleBits: number
  /** How often one's own mailboxes are swept as a whole. */
  readonly collectIntervalMs: number
  /** Whether a zone takes only so many members of one network block. It speaks of public addresses only. */
  readonly diversity: boolean
  /** Whether private and loopback addresses are announced, passed on and dialled. */
  readonly privateAddresses: boolean
  /** New connections a second from one IP address; many daemons behind one address need `Infinity`. */
  readonly inboundPerSecond: number
  /** Multiaddrs to join by, besides those in the configuration. */
  readonly bootstrap: readonly string[]
  /** Ed25519 public keys (hex) of who keeps the list of peers to join by; more than half of them sign it. */
  readonly listKeys: readonly string[]
}

/** The public network. */
export const MAIN: NetworkProfile = Object.freeze({
  name: 'main',
  epochMs: 7 * DAY_MS,
  repairIntervalMs: HOUR_MS,
  holderUptimeMs: HOUR_MS,
  stampBits: 10,
  puzzleBits: 13,
  collectIntervalMs: 15 * MINUTE_MS,
  diversity: true,
  privateAddresses: false,
  inboundPerSecond: 50,
  bootstrap: Object.freeze([]),
  listKeys: Object.freeze([]),
})

/** One machine or one room: young, small and trusted not to be flooded. */
export const LOCAL: NetworkProfile = Object.freeze({
  name: 'local',
  epochMs: 7 * DAY_MS,
  repairIntervalMs: 5 * MINUTE_MS,
  holderUptimeMs: 0,
  stampBits: 1,
  puzzleBits: 0,
  collectIntervalMs: 15 * SECOND_MS,
  diversity: true,
  privateAddresses: true,
  inboundPerSecond: Number.POSITIVE_INFINITY,
  bootstrap: Object.freeze([]),
  listKeys: Object.freeze([]),
})

/** The profiles that need no file. */
export const NETWORK_PROFILES: Readonly<Record<string, NetworkProfile>> = Object.freeze({ main: MAIN, local: LOCAL })
