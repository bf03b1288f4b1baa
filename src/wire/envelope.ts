/**
 * The envelope: what one device sends to another, over a direct stream or as the ciphertext of a letter, byte for byte
 * the same. It has exactly one of the sizes in `SIZE_CLASSES_BYTES` and carries no version, kind or length in the clear;
 * who holds the keys knows where everything is. Layouts and reasons: src/protocol/README.md.
 */
import { concat, u32be } from '../lib/bytes.ts'
import { CodecError } from '../lib/errors.ts'
import { hybridPublicKeyCodec, SUITE } from './card.ts'
import { bool, constant, fixed, mapped, struct, u32 } from './codec.ts'
import type { Coded } from './codec.ts'
import { CONTENT_BYTES_MAX } from './content.ts'
import { SIZE_CLASSES_BYTES } from './padding.ts'

export const NONCE_BYTES = 12
export const TAG_BYTES = 8
export const AEAD_TAG_BYTES = 16
export const COMMITMENT_BYTES = 16
export const X25519_BYTES = 32
export const KEM_768_KEY_BYTES = 1_184
export const KEM_768_CIPHERTEXT_BYTES = 1_088
export const KEM_1024_KEY_BYTES = 1_568
export const KEM_1024_CIPHERTEXT_BYTES = 1_568

/**
 * The four headers. `short` names only the message; the others also open a chain: `initiator` brings an ML-KEM-768 key,
 * `responder` the ciphertext for it, `confirming` (the responder's first chain) the ML-KEM-1024 confirmation as well.
 */
export type HeaderKind = 'short' | 'initiator' | 'responder' | 'confirming'
export const HEADER_KINDS = ['short', 'initiator', 'responder', 'confirming'] as const

/** What a header of the kind shows of a new chain: ratchet key, then KEM part. */
export const TURN_BYTES: Readonly<Record<HeaderKind, number>> = {
  short: 0,
  initiator: X25519_BYTES + KEM_768_KEY_BYTES,
  responder: X25519_BYTES + KEM_768_CIPHERTEXT_BYTES,
  confirming: X25519_BYTES + KEM_768_CIPHERTEXT_BYTES + KEM_1024_CIPHERTEXT_BYTES,
}

/** A sealed header of the kind, its AEAD tag included: 20, 1,240, 1,144 or 2,712 bytes. */
export const SEALED_HEADER_BYTES: Readonly<Record<HeaderKind, number>> = {
  short: 4 + AEAD_TAG_BYTES,
  initiator: 8 + TURN_BYTES.initiator + AEAD_TAG_BYTES,
  responder: 8 + TURN_BYTES.responder + AEAD_TAG_BYTES,
  confirming: 8 + TURN_BYTES.confirming + AEAD_TAG_BYTES,
}

/** The public part of a turn, cut up; views, not copies. */
export interface Turn {
  readonly ratchet: Uint8Array
  readonly kem: Uint8Array
  readonly confirmation: Uint8Array | undefined
}

/** What a header says once it is open. `turn` is there in all but short ones. */
export interface Header {
  readonly n: number
  readonly previous: number
  readonly turn: Uint8Array | undefined
}

export function encodeHeader(n: number, previous: number, turn: Uint8Array | undefined): Uint8Array {
  return turn === undefined ? u32be(n) : concat(u32be(n), u32be(previous), turn)
}

/** Takes {@link encodeHeader} back; the AEAD has already fixed the length. */
export function decodeHeader(kind: HeaderKind, bytes: Uint8Array): Header {
  if (bytes.length + AEAD_TAG_BYTES !== SEALED_HEADER_BYTES[kind]) throw new CodecError('wrong length')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const n = view.getUint32(0)
  return kind === 'short'
    ? { n, previous: 0, turn: undefined }
    : { n, previous: view.getUint32(4), turn: bytes.subarray(8) }
}

export function splitTurn(kind: HeaderKind, turn: Uint8Array): Turn {
  const kemBytes = kind === 'initiator' ? KEM_768_KEY_BYTES : KEM_768_CIPHERTEXT_BYTES
  const kemEnd = X25519_BYTES + kemBytes
  return {
    ratchet: turn.subarray(0, X25519_BYTES),
    kem: turn.subarray(X25519_BYTES, kemEnd),
    confirmation: kind === 'confirming' ? turn.subarray(kemEnd) : undefined,
  }
}

/** A message of the ratchet, cut up; views into the envelope. `head` is all that stands before the body. */
export interface SplitMessage {
  readonly nonce: Uint8Array
  readonly tag: Uint8Array
  readonly head: Uint8Array
  readonly sealedHeader: Uint8Array
  readonly commitment: Uint8Array
  readonly sealedBody: Uint8Array
}

const HEADER_AT = NONCE_BYTES + TAG_BYTES

/** Everything in a message but the padded plaintext. */
export function overheadBytes(kind: HeaderKind): number {
  return HEADER_AT + SEALED_HEADER_BYTES[kind] + COMMITMENT_BYTES + AEAD_TAG_BYTES
}

/** Cuts the message that begins at `start`. The envelope is known to be one of the size classes, so everything fits. */
export function splitMessage(envelope: Uint8Array, start: number, kind: HeaderKind): SplitMessage {
  const headerAt = start + HEADER_AT
  const bodyAt = headerAt + SEALED_HEADER_BYTES[kind]
  return {
    nonce: envelope.subarray(start, start + NONCE_BYTES),
    tag: envelope.subarray(start + NONCE_BYTES, headerAt),
    head: envelope.subarray(start, bodyAt),
    sealedHeader: envelope.subarray(headerAt, bodyAt),
    commitment: envelope.subarray(bodyAt, bodyAt + COMMITMENT_BYTES),
    sealedBody: envelope.subarray(bodyAt + COMMITMENT_BYTES),
  }
}

/** True for a length that an envelope can have. Everything else is refused before anything is computed. */
export function isEnvelopeSize(length: number): boolean {
  return (SIZE_CLASSES_BYTES as readonly number[]).includes(length)
}

/** Which prekeys an initial message used. `cardHash` is the SHA-256 of the prekey card that they came from. */
export interface InitialPrekeyIds {
  readonly signedPrekeyId: number
  readonly kemPrekeyId: number
  /** Of the one-time pair; `undefined` where the last resort served. */
  readonly oneTimeId: number | undefined
  readonly cardHash: Uint8Array
}

const prekeyIdsWire = struct({
  suite: constant(SUITE),
  signedPrekeyId: u32,
  kemPrekeyId: u32,
  oneTime: bool,
  oneTimeId: u32,
  cardHash: fixed(32),
})

/** 46 bytes, always: the id of a one-time pair that is not there is written as zero. */
export const initialPrekeyIdsCodec = mapped(
  prekeyIdsWire,
  (wire): InitialPrekeyIds => {
    if (!wire.oneTime && wire.oneTimeId !== 0) throw new CodecError('reserved value')
    return {
      signedPrekeyId: wire.signedPrekeyId,
      kemPrekeyId: wire.kemPrekeyId,
      oneTimeId: wire.oneTime ? wire.oneTimeId : undefined,
      cardHash: wire.cardHash,
    }
  },
  (ids): Coded<typeof prekeyIdsWire> => ({
    suite: SUITE,
    signedPrekeyId: ids.signedPrekeyId,
    kemPrekeyId: ids.kemPrekeyId,
    oneTime: ids.oneTimeId !== undefined,
    oneTimeId: ids.oneTimeId ?? 0,
    cardHash: ids.cardHash,
  }),
)
export const INITIAL_PREKEY_IDS_BYTES = 46

/** The sender's prekey card with every intro address there can be is 12,750 bytes; padded, every card is as long. */
export const SENDER_CARD_BYTES = 12_752

const IDS_AT = X25519_BYTES
const CIPHERTEXT_AT = IDS_AT + INITIAL_PREKEY_IDS_BYTES + AEAD_TAG_BYTES
const SENDER_AT = CIPHERTEXT_AT + KEM_1024_CIPHERTEXT_BYTES
/** 14,430 bytes before the first message of the ratchet, repeated unchanged until the peer is known to have them. */
export const INITIAL_PREFIX_BYTES = SENDER_AT + SENDER_CARD_BYTES + AEAD_TAG_BYTES

/** The prefix of an initial message, cut up; views. `head` is all that the sender's card is sealed with. */
export interface SplitPrefix {
  readonly ephemeral: Uint8Array
  readonly sealedIds: Uint8Array
  readonly ciphertext: Uint8Array
  readonly head: Uint8Array
  readonly sealedSender: Uint8Array
}

/** The prefix of an envelope as an initial message has it, or `undefined` where it is too short to have one. */
export function splitPrefix(envelope: Uint8Array): SplitPrefix | undefined {
  if (!isEnvelopeSize(envelope.length) || envelope.length < INITIAL_ENVELOPE_BYTES_MIN) return undefined
  return {
    ephemeral: envelope.subarray(0, IDS_AT),
    sealedIds: envelope.subarray(IDS_AT, CIPHERTEXT_AT),
    ciphertext: envelope.subarray(CIPHERTEXT_AT, SENDER_AT),
    head: envelope.subarray(0, SENDER_AT),
    sealedSender: envelope.subarray(SENDER_AT, INITIAL_PREFIX_BYTES),
  }
}

const INITIAL_ENVELOPE_BYTES_MIN = INITIAL_PREFIX_BYTES + overheadBytes('initiator') + 1

/** Plaintext that fits the largest class in every case there is: 49,811 bytes. */
export const PLAINTEXT_BYTES_MAX = 65_536 - INITIAL_PREFIX_BYTES - overheadBytes('initiator') - 1
if (PLAINTEXT_BYTES_MAX < CONTENT_BYTES_MAX) throw new CodecError('a content does not fit its envelope')

/** Who a device is, whatever certificate says so at the moment; hashed into every transcript. */
export const deviceIdentityCodec = struct({
  suite: constant(SUITE),
  accountId: fixed(32),
  deviceId: fixed(16),
  signingKey: hybridPublicKeyCodec,
  identityKey: fixed(X25519_BYTES),
})

/** All that the secret of a session is bound to. Every field has a fixed length; an absent one-time key is zeros. */
export const transcriptCodec = struct({
  suite: constant(SUITE),
  initiatorAccount: fixed(32),
  responderAccount: fixed(32),
  initiatorDevice: fixed(32),
  responderDevice: fixed(32),
  initiatorCard: fixed(32),
  prekeys: initialPrekeyIdsCodec,
  signedPrekey: fixed(X25519_BYTES),
  oneTimePrekey: fixed(X25519_BYTES),
  kemPrekey: fixed(KEM_1024_KEY_BYTES),
  kemCiphertext: fixed(KEM_1024_CIPHERTEXT_BYTES),
  ephemeral: fixed(X25519_BYTES),
})
