/** The messages of `/sotto/<network>/holder/1` (protocol §4): one stream per pair of peers, requests pipelined by id. */
import { fixed, list, oneOf, struct, u32, variant } from './codec.ts'
import type { Coded } from './codec.ts'
import { accountCardCodec } from './card.ts'
import { prekeyCardCodec } from './prekeys.ts'
import { peerRecordCodec } from './peer.ts'
import {
  cursorCodec,
  letterCodec,
  listingCodec,
  ownerProofCodec,
  policyCodec,
  putProofCodec,
  receiptCodec,
  tombstoneCodec,
} from './letter.ts'

/** The largest frame on a holder stream, length prefix excluded: a GET answer with its letters. */
export const HOLDER_FRAME_BYTES_MAX = 320 * 1_024
/** Letters that one GET may ask for; the answer stops at {@link GET_BYTES_MAX}. */
export const GET_LETTERS_MAX = 64
export const GET_BYTES_MAX = 256 * 1_024
export const TOMBSTONES_MAX = 64
/** Peers that an answer may name as closer to what was asked. */
export const CLOSER_PEERS_MAX = 20

/** Mutable, signed, numbered records. Their key follows from their content (`protocol/mailbox-rules`). */
export const cardRecordCodec = variant({ 1: accountCardCodec, 2: prekeyCardCodec, 3: policyCodec })
export type CardRecord = Coded<typeof cardRecordCodec>
export const CARD_KIND = { account: 1, prekeys: 2, policy: 3 } as const

export const holderRequestCodec = variant({
  /** Store a letter; idempotent by id. Answer: receipt. */
  1: struct({ letter: letterCodec, proof: putProofCodec }),
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

export const holderAnswerCodec = variant({
  0: struct({}),
  1: receiptCodec,
  2: cardRecordCodec,
  3: listingCodec,
  4: struct({ letters: list(letterCodec, GET_LETTERS_MAX) }),
})
export type HolderAnswer = Coded<typeof holderAnswerCodec>
export const ANSWER_KIND = { empty: 0, receipt: 1, card: 2, listing: 3, letters: 4 } as const

export const holderResponseCodec = struct({
  status: oneOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  answer: holderAnswerCodec,
  closer: list(peerRecordCodec, CLOSER_PEERS_MAX),
})
export type HolderResponse = Coded<typeof holderResponseCodec>

/** Client to holder. The id pairs answer and request and is the client's to choose. */
export const holderClientFrameCodec = struct({ id: u32, request: holderRequestCodec })
export type HolderClientFrame = Coded<typeof holderClientFrameCodec>

/** Holder to client: a greeting with the stream's challenge first of all, then answers, and pushes in between. */
export const holderServerFrameCodec = variant({
  1: struct({ challenge: fixed(32) }),
  2: struct({ id: u32, response: holderResponseCodec }),
  3: struct({ address: fixed(32), letter: letterCodec }),
})
export type HolderServerFrame = Coded<typeof holderServerFrameCodec>
export const HOLDER_FRAME = { hello: 1, answer: 2, push: 3 } as const
