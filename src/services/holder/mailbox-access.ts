/** OPEN, LIST, GET, SUBSCRIBE and TOMB: what the owner of a mailbox, and whoever knows a preimage, may do. */
import { toHex } from '../../lib/bytes.ts'
import { ANSWER_KIND, GET_BYTES_MAX, HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderRequest, HolderStatus } from '../../wire/holder.ts'
import type { OwnerProof, Tombstone } from '../../wire/letter.ts'
import { ownerProofHolds } from '../../protocol/mailbox-rules.ts'
import { equal } from '../../lib/bytes.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import type { Quotas } from './quotas.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Entries in one listing, live and dead together. */
export const LISTED_MAX = 1_024
/** Mailboxes that one stream may open: the epochs of two mailboxes, with room. */
const OPENED_MAX = 32

/** Entries, letters and bytes that cost as much as one plain request, measured: 0.03 ms, 0.1 ms, and the line. */
const ENTRIES_PER_COST = 8
const LETTERS_PER_COST = 4
const BYTES_PER_COST = 16_384
/** Tombstones of one request that wait for the disk side by side. */
const TOMBSTONES_AT_ONCE = 8

export interface AccessDesk extends HolderDeps {
  readonly subscriptions: Subscriptions
  readonly quotas: Quotas
}

export function open(desk: AccessDesk, caller: HolderCaller, address: Uint8Array, proof: OwnerProof): Outcome {
  const key = toHex(address)
  if (caller.opened.has(key)) return outcome(HOLDER_STATUS.ok, address)
  if (caller.opened.size >= OPENED_MAX || !desk.quotas.takeProof(caller)) return outcome(HOLDER_STATUS.rate, address)
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
  desk.quotas.chargeRequest(caller, (found.live.length + found.dead.length) / ENTRIES_PER_COST)
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
  const bytes = letters.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0)
  desk.quotas.chargeRequest(caller, Math.max(letters.length / LETTERS_PER_COST, bytes / BYTES_PER_COST))
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.letters, body: { letters } })
}

export function subscribe(desk: AccessDesk, caller: HolderCaller, address: Uint8Array): Outcome {
  if (!caller.opened.has(toHex(address))) return outcome(HOLDER_STATUS.closed, address)
  return outcome(desk.subscriptions.add(caller, address) ? HOLDER_STATUS.ok : HOLDER_STATUS.rate, address)
}

/** Anyone may delete who knows the preimage. All are looked at; one wrong one makes the answer a refusal. */
export async function tomb(desk: AccessDesk, caller: HolderCaller, tombstones: readonly Tombstone[]): Promise<Outcome> {
  if (!desk.quotas.takeTombstones(caller, tombstones.length)) return outcome(HOLDER_STATUS.rate, undefined)
  const now = desk.clock.now()
  let status: HolderStatus = HOLDER_STATUS.ok
  for (let at = 0; at < tombstones.length; at += TOMBSTONES_AT_ONCE) {
    const some = tombstones.slice(at, at + TOMBSTONES_AT_ONCE)
    const results = await Promise.all(some.map(({ id, preimage }) => desk.held.bury(id, preimage, now)))
    if (results.includes('refused')) status = HOLDER_STATUS.refused
  }
  return outcome(status, undefined)
}
