/** The key schedule of R1h, one function per arrow (README, "Key schedule"). Nothing here decides anything. */
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat, utf8, wipe } from '../lib/bytes.ts'
import type { HeaderKind } from '../wire/envelope.ts'
import { COMMITMENT_BYTES, NONCE_BYTES, TAG_BYTES } from '../wire/envelope.ts'
import type { HeaderKeys } from '../wire/session-state.ts'

const RATCHET_INFO = utf8('sotto session v1 ratchet')
const TURN_LABEL = utf8('sotto session v1 turn')
const MESSAGE_INFO = utf8('sotto session v1 message')
const MESSAGE_STEP = Uint8Array.of(1)
const CHAIN_STEP = Uint8Array.of(2)

/** 32 bytes of header key, then 16 of tag key. */
export const HEADER_KEYS_BYTES = 48

export function splitHeaderKeys(bytes: Uint8Array): HeaderKeys {
  return { key: bytes.slice(0, 32), tagKey: bytes.slice(32, HEADER_KEYS_BYTES) }
}

/** What a turn brings into the root: the X25519 secret, and the KEM secrets of a responder's turn. */
export interface TurnSecrets {
  readonly dh: Uint8Array
  readonly kem: Uint8Array | undefined
  readonly confirmation: Uint8Array | undefined
}

export interface RootStep {
  readonly root: Uint8Array
  readonly chainKey: Uint8Array
  readonly nextHeader: HeaderKeys
}

/**
 * KDF_RK: HKDF-SHA-256 with the old root as salt over dh ‖ [ss] ‖ [confirmation] ‖ SHA-256(label ‖ the turn's public
 * part), since ML-KEM binds neither key nor ciphertext to its secret. A turn's kind fixes which secrets there are.
 */
export function rootStep(crypto: CryptoProvider, root: Uint8Array, secrets: TurnSecrets, turn: Uint8Array): RootStep {
  const { dh, kem = new Uint8Array(), confirmation = new Uint8Array() } = secrets
  const ikm = concat(dh, kem, confirmation, crypto.sha256(TURN_LABEL, turn))
  const out = crypto.hkdfSha256(ikm, root, RATCHET_INFO, 64 + HEADER_KEYS_BYTES)
  const step = { root: out.slice(0, 32), chainKey: out.slice(32, 64), nextHeader: splitHeaderKeys(out.subarray(64)) }
  wipe(ikm, out, dh, kem, confirmation)
  return step
}

/** KDF_CK: message key = HMAC-SHA-256(chain key, 0x01), next chain key = HMAC-SHA-256(chain key, 0x02). */
export function chainStep(crypto: CryptoProvider, chainKey: Uint8Array): { message: Uint8Array; next: Uint8Array } {
  return { message: crypto.hmacSha256(chainKey, MESSAGE_STEP), next: crypto.hmacSha256(chainKey, CHAIN_STEP) }
}

export interface BodyKeys {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
}

/**
 * The body's key, nonce and commitment from the message key, salted with the header's random nonce: a state that was
 * rolled back uses the message key again, but never a key and nonce. Views of one array: wipe `key.buffer`'s owner.
 */
export function bodyKeys(crypto: CryptoProvider, messageKey: Uint8Array, headerNonce: Uint8Array): BodyKeys {
  const out = crypto.hkdfSha256(messageKey, headerNonce, MESSAGE_INFO, 32 + NONCE_BYTES + COMMITMENT_BYTES)
  return { key: out.subarray(0, 32), nonce: out.subarray(32, 44), commitment: out.subarray(44) }
}

/** Where in HMAC-SHA-256(tag key, nonce) the tag of each kind of header stands: one HMAC recognises all four. */
const TAG_AT: Readonly<Record<HeaderKind, number>> = { short: 0, initiator: 8, responder: 16, confirming: 24 }

export function headerTag(crypto: CryptoProvider, tagKey: Uint8Array, nonce: Uint8Array, kind: HeaderKind): Uint8Array {
  return crypto.hmacSha256(tagKey, nonce).subarray(TAG_AT[kind], TAG_AT[kind] + TAG_BYTES)
}

/** The kind of header that `tag` announces under this key, or `undefined` where the envelope is not of this chain. */
export function recognise(
  crypto: CryptoProvider,
  tagKey: Uint8Array,
  nonce: Uint8Array,
  tag: Uint8Array,
): HeaderKind | undefined {
  const mac = crypto.hmacSha256(tagKey, nonce)
  if (sameTag(mac, TAG_AT.short, tag)) return 'short'
  if (sameTag(mac, TAG_AT.initiator, tag)) return 'initiator'
  if (sameTag(mac, TAG_AT.responder, tag)) return 'responder'
  return sameTag(mac, TAG_AT.confirming, tag) ? 'confirming' : undefined
}

/** No array per comparison: this runs once per chain of every session for each envelope that comes in. */
function sameTag(mac: Uint8Array, at: number, tag: Uint8Array): boolean {
  let difference = 0
  for (let i = 0; i < TAG_BYTES; i++) difference |= (mac[at + i] ?? 0) ^ (tag[i] ?? 0)
  return difference === 0
}
