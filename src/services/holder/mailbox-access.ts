/** OPEN, LIST, GET, SUBSCRIBE and TOMB: what the owner of a mailbox, and whoever knows a preimage, may do. */
import { toHex } from '../../lib/bytes.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { ANSWER_KIND, GET_BYTES_MAX, HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderRequest } from '../../wire/holder.ts'
import type { OwnerProof, Tombstone } from '../../wire/letter.ts'
import { ownerProofHolds } from '../../protocol/mailbox-rules.ts'
import { equal } from '../../lib/bytes.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Entries in one listing, live and dead together. */
export const LISTED_MAX = 1_024
/** Mailboxes that one stream may open: the epochs of two mailboxes, with room. */
const OPENED_MAX = 32

export interface AccessDesk extends HolderDeps {
  readonly subscriptions: Subscriptions
  /** Owner proofs by peer: checking one takes 0.3 ms of the event loop. */
  readonly proofs: RateLimiter
}

export function proofLimiter(deps: HolderDeps): RateLimiter {
  return new RateLimiter({ perSecond: 5, burst: 64 }, deps.clock)
}

export function open(desk: AccessDesk, caller: HolderCaller, address: Uint8Array, proof: OwnerProof): Outcome {
  const key = toHex(address)
  if (caller.opened.has(key)) return outcome(HOLDER_STATUS.ok, address)
  if (caller.opened.size >= OPENED_MAX || !desk.proofs.take(caller.peerId)) return outcome(HOLDER_STATUS.rate, address)
  const holds = ownerProofHolds(desk.crypto, address, caller.challenge, desk.signer.peerId, proof)
  if (!holds) return outcome(HOLDER_STATUS.refused, address)
  caller.opened.add(key)
  return outcome(HOLDER_STATUS.ok, address)
}

type Cursor = Extract<HolderRequest, { kind: 5 }>['body']['cursor']

export async function list(
  desk: AccessDesk,
  caller: HolderCaller,
  address: Uint8Array,
  cursor: Cursor,
): Promise<Outcome> {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  const after = cursor !== undefined && equal(cursor.boot, desk.held.boot) ? cursor.at : 0
  const found = await desk.held.list(address, after, LISTED_MAX, desk.clock.now())
  const body = { ...found, boot: desk.held.boot, more: found.more ? 1 : 0 } as const
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.listing, body })
}

/** As many of the letters as fit; the asker asks again for the rest. */
export async function get(
  desk: AccessDesk,
  caller: HolderCaller,
  address: Uint8Array,
  ids: readonly Uint8Array[],
): Promise<Outcome> {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  const letters = await desk.held.getLetters(address, ids, desk.clock.now(), GET_BYTES_MAX)
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.letters, body: { letters } })
}

export function subscribe(desk: AccessDesk, caller: HolderCaller, address: Uint8Array): Outcome {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  return outcome(desk.subscriptions.add(caller, address) ? HOLDER_STATUS.ok : HOLDER_STATUS.rate, address)
}

/** Anyone may delete who knows the preimage. All are looked at; one wrong one makes the answer a refusal. */
export async function tomb(desk: HolderDeps, tombstones: readonly Tombstone[]): Promise<Outcome> {
  const now = desk.clock.now()
  const results = await Promise.all(tombstones.map(({ id, preimage }) => desk.held.bury(id, preimage, now)))
  return outcome(results.includes('refused') ? HOLDER_STATUS.refused : HOLDER_STATUS.ok, undefined)
}
