/** The messages of `/sotto/<network>/holder/1` (protocol §4): one stream per pair of peers, requests pipelined by id. */
import { bool, fixed, list, oneOf, optional, struct, u16, u32, variant } from './codec.ts'
import type { Coded } from './codec.ts'
import { accountCardCodec } from './card.ts'
import { prekeyCardCodec } from './prekeys.ts'
import {
  askSliceCodec,
  prekeyBundleCodec,
  prekeySliceCodec,
  sliceReportCodec,
  takePrekeyCodec,
} from './prekey-slices.ts'
import { peerRecordCodec } from './peer.ts'
import { recoveryRecordCodec } from './recovery.ts'
import {
  cursorCodec,
  depositCodec,
  letterCodec,
  listingCodec,
  ownerProofCodec,
  policyCodec,
  putProofCodec,
  receiptCodec,
  rungCodec,
  tombstoneCodec,
} from './letter.ts'

/** The largest frame on a holder stream, length prefix excluded: a GET answer with its letters. */
export const HOLDER_FRAME_BYTES_MAX = 320 * 1_024
/** Letters that one GET may ask for; the answer stops at {@link GET_BYTES_MAX}. */
export const GET_LETTERS_MAX = 64
export const GET_BYTES_MAX = 256 * 1_024
export const TOMBSTONES_MAX = 64
/** Letters that one PROVE may ask about. */
export const PROVE_IDS_MAX = 256
/** Mailboxes that one SYNC may compare. */
export const SYNC_BOXES_MAX = 512
/** Ids of dead letters that one RECONCILE may name, and tombstones that its answer may bring. */
export const RECONCILE_IDS_MAX = 1_024
export const RECONCILE_TOMBSTONES_MAX = 256
export const DROP_IDS_MAX = 64
/** Peers that an answer may name as closer to what was asked. */
export const CLOSER_PEERS_MAX = 20

/** What two versions of a card are ordered by: number, then SHA-256 of the record. */
export const cardVersionCodec = struct({ number: u32, hash: fixed(32) })

/** Mutable, signed, numbered records. Their key follows from their content (`protocol/mailbox-rules`). */
export const cardRecordCodec = variant({
  1: accountCardCodec,
  2: prekeyCardCodec,
  3: policyCodec,
  4: recoveryRecordCodec,
})
export type CardRecord = Coded<typeof cardRecordCodec>
export const CARD_KIND = { account: 1, prekeys: 2, policy: 3, recovery: 4 } as const

export const holderRequestCodec = variant({
  /** Store a letter; idempotent by id. Answer: receipt. */
  1: struct({ letter: letterCodec, proof: putProofCodec, rung: rungCodec }),
  /** Store a card; the highest number wins. Answer: receipt over SHA-256 of the record. */
  2: cardRecordCodec,
  /** The newest card at a key. Answer: card. */
  3: struct({ key: fixed(32) }),
  /** Prove ownership of a mailbox for the life of this stream. Answer: empty. */
  4: struct({ address: fixed(32), proof: ownerProofCodec }),
  /** Letters and tombstones of an opened mailbox. Answer: listing. */
  5: struct({ address: fixed(32), cursor: cursorCodec }),
  /** Letters of an opened mailbox by id. Answer: letters. */
  6: struct({ address: fixed(32), ids: list(fixed(32), GET_LETTERS_MAX, 1) }),
  /** Tombstones; anyone may, who knows the preimages. Answer: empty. */
  7: struct({ tombstones: list(tombstoneCodec, TOMBSTONES_MAX, 1) }),
  /** Be told of new letters of an opened mailbox while this stream lives. Answer: empty. */
  8: struct({ address: fixed(32) }),
  /** Peers close to a target (already hashed). Answer: empty; the peers come with every answer. */
  9: struct({ target: fixed(32) }),
  /**
   * Show possession of letters: SHA-256(label ‖ nonce ‖ the holder's peer id ‖ ciphertext), so that neither a stored hash nor
   * another holder's answer serves. Anyone may ask who knows the ids. Answer: proofs.
   */
  10: struct({ nonce: fixed(16), ids: list(fixed(32), PROVE_IDS_MAX, 1) }),
  /**
   * Compare what is known of mailboxes: their policies, and the tombstones of letters that expire after the hour `after`. A digest is
   * SHA-256(label ‖ salt ‖ address ‖ policy version ‖ SHA-256(ids in order))[0..16]. Answer: differing.
   */
  11: struct({
    salt: fixed(16),
    after: u32,
    boxes: list(struct({ address: fixed(32), digest: fixed(16) }), SYNC_BOXES_MAX, 1),
  }),
  /**
   * Bring one mailbox's tombstones together: the asker names, in order, all of its dead ids from `from` up to `upto` (both
   * included) that expire after `after`, and the version of its policy. Answer: reconciled.
   */
  12: struct({
    address: fixed(32),
    after: u32,
    from: fixed(32),
    upto: fixed(32),
    dead: list(fixed(32), RECONCILE_IDS_MAX),
    policy: optional(cardVersionCodec),
  }),
  /** A letter from another holder: as PUT, but it does not count for the writer's day. Answer: receipt. */
  13: struct({ letter: letterCodec, proof: putProofCodec, rung: rungCodec }),
  /** The caller stops holding and is not to be counted any more. Answer: empty. */
  14: struct({}),
  /** Let go of letters of an opened mailbox that nobody can read; without a preimage there is no tombstone. Answer: empty. */
  15: struct({ address: fixed(32), ids: list(fixed(32), DROP_IDS_MAX, 1) }),
  /** Keep a slice of one-time prekeys for their device. Answer: receipt over SHA-256 of the slice. */
  16: prekeySliceCodec,
  /** A device's prekey card, and one of its one-time prekeys, which nobody else is given. Answer: bundle. */
  17: takePrekeyCodec,
  /** What is left of the asker's slice. Answer: sliceReport. */
  18: askSliceCodec,
})
export type HolderRequest = Coded<typeof holderRequestCodec>
export const HOLDER_VERB = {
  put: 1,
  putCard: 2,
  getCard: 3,
  open: 4,
  list: 5,
  get: 6,
  tomb: 7,
  subscribe: 8,
  find: 9,
  prove: 10,
  sync: 11,
  reconcile: 12,
  copy: 13,
  leaving: 14,
  drop: 15,
  putSlice: 16,
  takePrekey: 17,
  askSlice: 18,
} as const

/**
 * 0 ok · 1 malformed or a proof that fails · 2 quota or disk full, ask another · 3 too many requests ·
 * 4 deleted already · 5 not found · 6 a stamp is missing or too cheap · 7 the lane is not in the policy (or there is
 * none) · 8 a higher number is known · 9 the mailbox was not opened on this stream · 10 expired or too far ahead.
 */
export const HOLDER_STATUS = {
  ok: 0,
  refused: 1,
  full: 2,
  rate: 3,
  gone: 4,
  notFound: 5,
  stamp: 6,
  lane: 7,
  stale: 8,
  closed: 9,
  expired: 10,
} as const
export type HolderStatus = (typeof HOLDER_STATUS)[keyof typeof HOLDER_STATUS]

/** One letter's proof: 0 not here · 1 here, with the hash · 2 dead, with its tombstone · 3 here, but not looked at this time. */
export const possessionCodec = variant({
  0: struct({}),
  1: struct({ hash: fixed(32) }),
  2: tombstoneCodec,
  3: struct({}),
})
export type Possession = Coded<typeof possessionCodec>
export const POSSESSION = { none: 0, held: 1, dead: 2, later: 3 } as const
export const POSSESSION_LABEL = 'sotto possession v1'
export const SYNC_LABEL = 'sotto mailbox digest v1'

export const holderAnswerCodec = variant({
  0: struct({}),
  1: receiptCodec,
  2: cardRecordCodec,
  3: listingCodec,
  4: struct({ letters: list(depositCodec, GET_LETTERS_MAX) }),
  /** In the order of the ids that were asked about. */
  5: struct({ proofs: list(possessionCodec, PROVE_IDS_MAX) }),
  /** Places (in the request) of the mailboxes whose digests differ. */
  6: struct({ places: list(u16, SYNC_BOXES_MAX) }),
  /**
   * `wanted`: places of the ids that the holder has no tombstone of. `dead`: tombstones that the asker lacks; `more` where
   * there are others. `policy`: the holder's, where it is the newer one; `policyWanted` where the asker's is.
   */
  7: struct({
    wanted: list(u16, RECONCILE_IDS_MAX),
    dead: list(tombstoneCodec, RECONCILE_TOMBSTONES_MAX),
    more: bool,
    policy: optional(policyCodec),
    policyWanted: bool,
  }),
  8: prekeyBundleCodec,
  9: sliceReportCodec,
})
export type HolderAnswer = Coded<typeof holderAnswerCodec>
export const ANSWER_KIND = {
  empty: 0,
  receipt: 1,
  card: 2,
  listing: 3,
  letters: 4,
  proofs: 5,
  differing: 6,
  reconciled: 7,
  bundle: 8,
  sliceReport: 9,
} as const

export const holderResponseCodec = struct({
  status: oneOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  answer: holderAnswerCodec,
  closer: list(peerRecordCodec, CLOSER_PEERS_MAX),
})
export type HolderResponse = Coded<typeof holderResponseCodec>

/** Client to holder. The id pairs answer and request and is the client's to choose. */
export const holderClientFrameCodec = struct({ id: u32, request: holderRequestCodec })
export type HolderClientFrame = Coded<typeof holderClientFrameCodec>

/** Holder to client: a greeting with the stream's challenge and the puzzle under the holder's peer id first of all, then answers, and pushes in between. */
export const holderServerFrameCodec = variant({
  1: struct({ challenge: fixed(32), puzzle: fixed(16) }),
  2: struct({ id: u32, response: holderResponseCodec }),
  3: depositCodec,
})
export type HolderServerFrame = Coded<typeof holderServerFrameCodec>
export const HOLDER_FRAME = { hello: 1, answer: 2, push: 3 } as const
