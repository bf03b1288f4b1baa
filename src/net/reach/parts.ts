/** What has to be there before libp2p is put together, since it is part of it. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { Role } from '../../lib/roles.ts'
import { Proofs } from './proofs.ts'
import { RelayClient } from './relay-client.ts'
import { RelayServer } from './relay-server.ts'
import { StunServer } from './stun-server.ts'

export interface ReachParts {
  readonly proofs: Proofs
  readonly client: RelayClient
  /** Undefined where the role carries nothing. */
  readonly server: RelayServer | undefined
  /** Undefined where the role answers nobody. */
  readonly stun: StunServer | undefined
}

export interface ReachPartsInit {
  readonly listen: readonly string[]
  readonly announced: readonly string[]
  readonly role: Role
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export function reachParts({ listen, announced, role, clock, rng, log }: ReachPartsInit): ReachParts {
  return {
    proofs: new Proofs({ announced, clock, rng }),
    client: new RelayClient(),
    server: role.relay === undefined ? undefined : new RelayServer({ budget: role.relay, clock }),
    stun: role.stun ? new StunServer({ listen, clock, log }) : undefined,
  }
}
