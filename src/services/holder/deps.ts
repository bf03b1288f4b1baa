import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { HeldStore } from '../../store/held.ts'
import type { LetterName } from '../../protocol/mailbox-rules.ts'
import { ANSWER_KIND } from '../../wire/holder.ts'
import type { HolderAnswer, HolderStatus } from '../../wire/holder.ts'
import type { PeerSigner, Routing, StampWork } from '../ports.ts'

/** The part of the network profile that a holder goes by. */
export interface HolderProfile {
  /** The least that a stamp costs here, in bits, before size and life. */
  readonly stampBits: number
  readonly epochMs: number
}

/** Checks stamps off the event loop. `busy`: not looked at, the sender may come again. */
export interface StampChecker {
  verify(name: LetterName): Promise<'good' | 'bad' | 'busy'>
  verifyWork(work: StampWork): Promise<'good' | 'bad' | 'busy'>
}

/** What the holder is made of. */
export interface HolderDeps {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly held: HeldStore
  readonly routing: Pick<Routing, 'known'>
  readonly signer: PeerSigner
  readonly stamps: StampChecker
  readonly profile: HolderProfile
  /** A peer says that it stops holding. */
  readonly onLeaving: (peerId: string) => void
  readonly log: Logger
}

/** A verb's outcome: what the response says, and the address or key (unhashed) whose closer peers go with it. */
export interface Outcome {
  readonly status: HolderStatus
  readonly answer: HolderAnswer
  readonly about: Uint8Array | undefined
}

const EMPTY = { kind: ANSWER_KIND.empty, body: {} } as const

export function outcome(status: HolderStatus, about: Uint8Array | undefined, answer: HolderAnswer = EMPTY): Outcome {
  return { status, answer, about }
}
