/** OPEN, LIST, GET, SUBSCRIBE and DROP: what the owner of a mailbox may do. */
import { equal, toHex } from '../../lib/bytes.ts'
import { ANSWER_KIND, GET_BYTES_MAX, HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderRequest } from '../../wire/holder.ts'
import type { OwnerProof } from '../../wire/letter.ts'
import { ownerProofHolds } from '../../protocol/mailbox-proofs.ts'
import type { HolderCaller } from '../ports.ts'
import { BYTES_PER_COST, ENTRIES_PER_COST, LETTERS_PER_COST } from './costs.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'

/** Entries in one listing, live and dead together. */
export const LISTED_MAX = 1_024
/** Mailboxes that one stream may open: the epochs of two mailboxes, with room. */
const OPENED_MAX = 32

export function open(desk: Desk, caller: HolderCaller, address: Uint8Array, proof: OwnerProof): Outcome {
  const key = toHex(address)
  if (caller.opened.has(key)) return outcome(HOLDER_STATUS.ok, address)
  if (caller.opened.size >= OPENED_MAX || !desk.quotas.takeProof(caller)) return outcome(HOLDER_STATUS.rate, address)
  const holds = ownerProofHolds(desk.crypto, address, caller.challenge, desk.signer.peerId, proof)
  if (!holds) return outcome(HOLDER_STATUS.refused, address)
  caller.opened.add(key)
  return outcome(HOLDER_STATUS.ok, address)
}

type Cursor = Extract<HolderRequest, { kind: 5 }>['body']['cursor']

export async function list(desk: Desk, caller: HolderCaller, address: Uint8Array, cursor: Cursor): Promise<Outcome> {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  const after = cursor !== undefined && equal(cursor.boot, desk.held.boot) ? cursor.at : 0
  const found = await desk.held.list(address, after, LISTED_MAX, desk.clock.now())
  desk.quotas.chargeRequest(caller, (found.live.length + found.dead.length) / ENTRIES_PER_COST)
  const body = { ...found, more: found.more ? 1 : 0 } as const
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.listing, body })
}

/** As many of the letters as fit; the asker asks again for the rest. */
export async function get(
  desk: Desk,
  caller: HolderCaller,
  address: Uint8Array,
  ids: readonly Uint8Array[],
): Promise<Outcome> {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  const letters = await desk.held.deposits(address, ids, desk.clock.now(), GET_BYTES_MAX)
  const bytes = letters.reduce((sum, { letter }) => sum + letter.ciphertext.length, 0)
  desk.quotas.chargeRequest(caller, Math.max(letters.length / LETTERS_PER_COST, bytes / BYTES_PER_COST))
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.letters, body: { letters } })
}

export function subscribe(desk: Desk, caller: HolderCaller, address: Uint8Array): Outcome {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  return outcome(desk.subscriptions.add(caller, address) ? HOLDER_STATUS.ok : HOLDER_STATUS.rate, address)
}

/** Letters that their owner cannot read: without a preimage there is no tombstone, so they are only not taken back for a day. */
export async function drop(
  desk: Desk,
  caller: HolderCaller,
  address: Uint8Array,
  ids: readonly Uint8Array[],
): Promise<Outcome> {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  for (const id of ids) {
    if (await desk.held.evict(address, id)) desk.dropped.set(toHex(id), true)
  }
  desk.quotas.chargeRequest(caller, ids.length / LETTERS_PER_COST)
  return outcome(HOLDER_STATUS.ok, address)
}
