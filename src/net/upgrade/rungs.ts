/** The ways from a relayed connection to a direct one, best first. Another is another entry, and a number in `wire/upgrade.ts`. */
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import { sleep, withDeadline } from '../../lib/clock.ts'
import { MAPPING, UDP, UPGRADE_RUNG } from '../../wire/upgrade.ts'
import type { Endpoint, UpgradeTerms } from '../../wire/upgrade.ts'
import { addressOf } from './endpoint.ts'
import type { IceTalk } from './webrtc/webrtc.ts'

export type RungId = (typeof UPGRADE_RUNG)[keyof typeof UPGRADE_RUNG]

/** One round on one rung, as one side sees it. */
export interface Round {
  readonly peerId: string
  readonly mine: UpgradeTerms
  readonly theirs: UpgradeTerms
  /** Whether we asked for it. */
  readonly asks: boolean
  /** How long it takes "go" to reach the peer; 0 for who gets it. */
  readonly waitMs: number
  /** For what the two sides of this rung tell each other before they meet. */
  readonly ice: IceTalk
  readonly signal: AbortSignal
}

export interface Rung {
  readonly id: RungId
  /** Rounds before it is given up. */
  readonly rounds: number
  /** False where one of the two sides knows that it cannot work. */
  possible(mine: UpgradeTerms, theirs: UpgradeTerms): boolean
  /** Our part of one round; throws where it came to nothing. */
  climb(round: Round): Promise<void>
}

/** What rungs do with the network. */
export interface RungNetwork {
  isDirect(peerId: string): boolean
  /** Resolves when a direct connection to the peer is open, whoever dialled it; rejects with the signal's reason. */
  whenDirect(peerId: string, signal: AbortSignal): Promise<void>
  dial(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection>
  punch(peerId: string, address: Multiaddr, initiator: boolean, signal: AbortSignal): Promise<Connection>
  meet(peerId: string, asks: boolean, ice: IceTalk, signal: AbortSignal): Promise<Connection>
}

/** A connection and its handshake, on a path of any length. */
const ROUND_DEADLINE_MS = 5_000
/** Half of a round trip that is believed. */
const WAIT_MAX_MS = 2_000
const PUNCH_ROUNDS = 3
/** Tries of one round: a router that answers with a refusal answers at once. */
const PUNCH_TRIES = 5
const PUNCH_PAUSE_MS = 100

/** Dialling {@link UpgradeTerms.reachable}: each side the other's. */
function dialRung(network: RungNetwork, clock: Clock): Rung {
  return {
    id: UPGRADE_RUNG.dial,
    rounds: 1,
    possible: (mine, theirs) => mine.reachable.length + theirs.reachable.length > 0,
    async climb({ peerId, mine, theirs, signal: caller }) {
      await withDeadline(clock, ROUND_DEADLINE_MS, async (deadline) => {
        const signal = AbortSignal.any([deadline, caller])
        const addresses = theirs.reachable.map((endpoint) => addressFor(endpoint, peerId))
        const dialled = addresses.length > 0 && (await succeeds(network.dial(peerId, addresses, signal)))
        if (!dialled && mine.reachable.length > 0) await network.whenDirect(peerId, signal)
      })
    },
  }
}

/** Both dial the other's {@link UpgradeTerms.punchable} at the same moment, from the port that it shows (RFC 5128 §3.4). */
function punchRung(network: RungNetwork, clock: Clock): Rung {
  return {
    id: UPGRADE_RUNG.punch,
    rounds: PUNCH_ROUNDS,
    possible: (...both) =>
      both.every(({ mapping, punchable }) => mapping === MAPPING.endpointIndependent && punchable !== undefined),
    async climb({ peerId, theirs: { punchable }, asks, waitMs, signal: caller }) {
      if (punchable === undefined) return
      const address = addressFor(punchable, peerId)
      await withDeadline(clock, ROUND_DEADLINE_MS, async (deadline) => {
        const signal = AbortSignal.any([deadline, caller])
        await sleep(clock, Math.min(waitMs, WAIT_MAX_MS), signal)
        for (let tries = 0; tries < PUNCH_TRIES && !network.isDirect(peerId); tries++) {
          if (tries > 0) await sleep(clock, PUNCH_PAUSE_MS * 2 ** (tries - 1), signal)
          if (await succeeds(network.punch(peerId, address, asks, signal))) return
        }
      })
    },
  }
}

/**
 * By UDP, for routers through which TCP does not get. One mapping for all destinations at one side is enough where the other side's
 * router lets in whom it was not asked about; whether it does nobody knows before.
 */
function webrtcRung(network: RungNetwork): Rung {
  return {
    id: UPGRADE_RUNG.webrtc,
    rounds: 2,
    possible: (...both) =>
      both.every(({ udp }) => udp !== UDP.none) && both.some(({ udp }) => udp !== UDP.perDestination),
    async climb({ peerId, asks, ice, signal }) {
      await network.meet(peerId, asks, ice, signal)
    },
  }
}

export function rungs(network: RungNetwork, clock: Clock): readonly Rung[] {
  return [dialRung(network, clock), punchRung(network, clock), webrtcRung(network)]
}

function addressFor(endpoint: Endpoint, peerId: string): Multiaddr {
  return addressOf(endpoint).encapsulate(`/p2p/${peerId}`)
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  )
}
