/** All that a peer does as a holder, in one: it serves, sweeps out what has run out, repairs, and takes its leave. */
import type { Clock } from '../lib/clock.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { HolderDeps } from '../services/holder/deps.ts'
import type { QuotaLimits } from '../services/holder/quotas.ts'
import { HolderService } from '../services/holder/serve.ts'
import type { HolderHandler, HolderNetwork, LiarBook, PeerFacts, PeerSigner, Routing } from '../services/ports.ts'
import type { AgesStore, RepairCounters, RepairProfile } from '../services/repair/ports.ts'
import { Repairer } from '../services/repair/repairer.ts'
import type { HeldStore } from '../store/held.ts'

export interface HolderRoleDeps {
  readonly clock: Clock
  readonly rng: Rng
  readonly crypto: CryptoProvider
  readonly held: HeldStore
  readonly network: Pick<HolderNetwork, 'link' | 'onPeerChange'>
  readonly routing: Pick<Routing, 'self' | 'closest' | 'known' | 'learn' | 'evict'>
  readonly peers: PeerFacts
  readonly signer: PeerSigner
  readonly stamps: HolderDeps['stamps']
  readonly distrust: LiarBook
  readonly profile: HolderDeps['profile'] & RepairProfile
  readonly log: Logger
  /** Where the ages of peers outlive the process; without it they do not. */
  readonly ages?: AgesStore
}

/** A peer's whole work for others. Start it when the network is up; `leave` before that goes down. */
export interface HolderRole extends Startable {
  /** What `net` calls for each request of a peer. */
  readonly handle: HolderHandler
  /** From now on others can reach `handle`, so that oneself is one of its zones; or no longer. */
  opened(open: boolean): void
  readonly open: boolean
  /** Hands over what too few others have, in half a minute at most. Then `stop`. */
  leave(): Promise<void>
  readonly counters: Readonly<RepairCounters>
  readonly repairer: Repairer
}

export function holderRole(deps: HolderRoleDeps, limits?: QuotaLimits): HolderRole {
  const { clock, rng, crypto, held, network, routing, peers, signer, stamps, distrust, profile, log, ages } = deps
  let open = false
  const service = new HolderService(
    {
      clock,
      crypto,
      held,
      routing,
      signer,
      stamps,
      profile,
      onLeaving: (peerId) => {
        repairer.peerLeaves(peerId)
      },
      log,
    },
    limits,
  )
  const repairer = new Repairer({
    clock,
    rng,
    crypto,
    network,
    routing,
    peers,
    held,
    holder: service.handle,
    serving: () => open,
    distrust,
    profile,
    log: log.child('repair'),
    ...(ages === undefined ? {} : { ages }),
  })
  return {
    handle: service.handle,
    opened: (isOpen) => {
      open = isOpen
    },
    start: async () => {
      service.start()
      await repairer.start()
    },
    stop: async () => {
      await repairer.stop()
      await service.stop()
    },
    leave: async () => {
      await repairer.leave()
    },
    get open() {
      return open
    },
    get counters() {
      return repairer.counters
    },
    repairer,
  }
}
