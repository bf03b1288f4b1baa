/** Letters, their proofs and receipts, tombstones and the mailbox policy (protocol §4). */
import { constant, fixed, list, oneOf, opaque, optional, packed, struct, text, u32, u8, variant } from './codec.ts'
import type { Coded } from './codec.ts'
import { SUITE } from './card.ts'

export const LETTER_BYTES_MAX = 65_536 + 256
/** Lanes in a policy record; shorter lists are filled with random ones, so that the count says nothing. */
export const POLICY_LANES = 256
/** What a policy knows a lane by. */
export const LANE_ID_BYTES = 16

const header = {
  version: constant(1),
  kind: oneOf(1, 2),
  address: fixed(32),
  lane: fixed(16),
  expiry: u32,
  sizeClass: oneOf(0, 1, 2, 3, 4),
  commitment: fixed(32),
  stamp: struct({ bits: u8, nonce: fixed(16) }),
} as const

/** Everything in a letter but its ciphertext. 104 bytes. */
export const letterHeaderCodec = struct(header)
export type LetterHeader = Coded<typeof letterHeaderCodec>

/**
 * An immutable, sealed message at a mailbox address. `expiry` counts hours since the Unix epoch, `sizeClass` indexes
 * `SIZE_CLASSES_BYTES` and `ciphertext` is exactly that long. `commitment` is SHA-256("x" ‖ x): who shows x may delete.
 * In a letter of kind 1 (lane) `stamp` is zero; in one of kind 2 (stamp, for strangers) `lane` is zero.
 * The letter's id is the SHA-256 of label, header and SHA-256(ciphertext): header and digest name a letter without carrying it.
 */
export const letterCodec = struct({ ...header, ciphertext: opaque(65_536) })
export type Letter = Coded<typeof letterCodec>
export const LETTER_KIND = { lane: 1, stamp: 2 } as const
export const LETTER_LABEL = 'sotto letter v1'

/**
 * Which of an address's zones: 0 the zone itself, 1 and 2 the fallback ladder, for when the first zone fails its audits. It
 * moves the placement, never the address.
 */
export const rungCodec = oneOf(0, 1, 2)
export type Rung = Coded<typeof rungCodec>
export const RUNGS = [0, 1, 2] as const

/** Shows that the writer holds the lane: Ed25519 over {@link LANE_PROOF_LABEL} and the letter's id. */
export const laneProofCodec = struct({ key: fixed(32), signature: fixed(64) })
export type LaneProof = Coded<typeof laneProofCodec>
export const LANE_PROOF_LABEL = 'sotto lane v1'

/** A holder's signed word that it has synced the letter: Ed25519 by its peer key. `at` is Unix seconds by its clock. */
export const receiptCodec = struct({ holder: text(128), at: u32, signature: fixed(64) })
export type Receipt = Coded<typeof receiptCodec>
export const RECEIPT_LABEL = 'sotto receipt v1'

/** A letter that a holder knows to be dead, as it tells its owner. A claim: only the letter itself shows whether it is true. */
export const deletedCodec = struct({ id: fixed(32), preimage: fixed(16) })
export type Deleted = Coded<typeof deletedCodec>

/**
 * Who may write to a mailbox in an epoch: the owner's signed list of lane ids, SHA-256(lane key)[0..16].
 * The address is SHA-256("sotto mailbox" ‖ epochKey). The highest number wins. `expiry` in hours since the epoch.
 */
export const policyBodyCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  epochKey: fixed(1_312),
  number: u32,
  expiry: u32,
  stampBits: u8,
  lanes: packed(LANE_ID_BYTES, POLICY_LANES, POLICY_LANES),
})
export const POLICY_LABEL = 'sotto mailbox policy v1'

/** ML-DSA-44 by the epoch key. About 7.9 KB. */
export const policyCodec = struct({ body: policyBodyCodec, signature: fixed(2_420) })
export type Policy = Coded<typeof policyCodec>

/** Shows that the asker owns the mailbox: ML-DSA-44 over {@link OWNER_PROOF_LABEL}, the stream's challenge and the holder's peer id. */
export const ownerProofCodec = struct({ epochKey: fixed(1_312), signature: fixed(2_420) })
export type OwnerProof = Coded<typeof ownerProofCodec>
export const OWNER_PROOF_LABEL = 'sotto mailbox owner v1'

/** One live letter as LIST tells of it. */
export const listedLetterCodec = struct({ id: fixed(32), expiry: u32, sizeClass: u8 })
export type ListedLetter = Coded<typeof listedLetterCodec>

/** Letters and tombstones since a cursor. `more` says that another LIST from `cursor` has something. */
export const listingCodec = struct({
  boot: fixed(8),
  cursor: u32,
  more: oneOf(0, 1),
  live: list(listedLetterCodec, 1_024),
  dead: list(deletedCodec, 1_024),
})
export type Listing = Coded<typeof listingCodec>

/** The cursor a LIST starts from; none, or one of another boot id, means from the beginning. */
export const cursorCodec = optional(struct({ boot: fixed(8), at: u32 }))

/** What a put carries besides the letter: the lane proof, or nothing where the letter has its stamp. */
export const putProofCodec = variant({ 1: laneProofCodec, 2: struct({ reserved: constant(0) }) })
export type PutProof = Coded<typeof putProofCodec>

/** A letter and what shows that it may lie where it lies: how letters travel from holder to reader and from holder to holder. */
export const depositCodec = struct({ letter: letterCodec, proof: putProofCodec })
export type Deposit = Coded<typeof depositCodec>

/**
 * Deletes the letter of this header and ciphertext digest, where SHA-256("x" ‖ preimage) is the header's commitment. Whole in
 * itself: a holder that never saw the letter can check it, knows its mailbox and expiry, and asks of it what it asks of a
 * letter (lane or stamp), so that nobody fills a disk with tombstones. About 250 bytes.
 */
export const tombstoneCodec = struct({
  header: letterHeaderCodec,
  digest: fixed(32),
  preimage: fixed(16),
  proof: putProofCodec,
})
export type Tombstone = Coded<typeof tombstoneCodec>
