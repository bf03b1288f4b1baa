/**
 * PQXDH: the key agreement of two devices of which one is away (README, "Set-up"). It knows cards and keys, and nothing
 * of ratchets. Signatures are the caller's, and are asked for before any secret touches a key they cover.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat, utf8, wipe } from '../lib/bytes.ts'
import { CodecError, DecryptError, VerificationError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { SUITE } from '../wire/card.ts'
import { decode, encode, tryDecode } from '../wire/codec.ts'
import {
  deviceIdentityCodec,
  initialPrekeyIdsCodec,
  SENDER_CARD_BYTES,
  splitPrefix,
  transcriptCodec,
} from '../wire/envelope.ts'
import type { InitialPrekeyIds, SplitPrefix } from '../wire/envelope.ts'
import { pad, unpad } from '../wire/padding.ts'
import { prekeyCardCodec } from '../wire/prekeys.ts'
import type { OneTimePrekey, PrekeyCard } from '../wire/prekeys.ts'
import type { HeaderKeys } from '../wire/session-state.ts'
import { HEADER_KEYS_BYTES, splitHeaderKeys } from './chain.ts'
import type { SessionLimits } from './session-limits.ts'

/** What every session function is handed: primitives, randomness, the time in ms; limits where they are configured. */
export interface SessionContext {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly now: number
  readonly limits?: SessionLimits
}

/** Oneself: the newest own prekey card, the device's X25519 identity secret, and the seed of the card's KEM prekey. */
export interface LocalDevice {
  readonly prekeyCard: PrekeyCard
  readonly identitySecret: Uint8Array
  readonly kemPrekeySeed: Uint8Array
}

/** What a session is begun with: the peer's card, and a one-time pair from its pool where there is one left. */
export interface PrekeyBundle {
  readonly card: PrekeyCard
  readonly oneTime?: OneTimePrekey | undefined
}

/** The secrets behind the ids of an initial message. `kemPrekeySeed` may be gone where a one-time pair was used. */
export interface PrekeySecrets {
  readonly signedPrekey: Uint8Array
  readonly kemPrekeySeed?: Uint8Array | undefined
  readonly oneTime?: { readonly secret: Uint8Array; readonly kemSeed: Uint8Array } | undefined
}

/** What both sides have after the agreement. */
export interface Agreement {
  readonly sessionId: Uint8Array
  readonly root: Uint8Array
  readonly initiatorHeader: HeaderKeys
  readonly responderHeader: HeaderKeys
}

/** The public keys of the responder that an agreement runs over. */
interface ResponderKeys {
  readonly identityKey: Uint8Array
  readonly signedPrekey: Uint8Array
  readonly oneTimePrekey: Uint8Array | undefined
  readonly kemPrekey: Uint8Array
}

/** The secrets of stage one, which do without the sender's identity. */
interface StageOne {
  readonly ephemeralIdentity: Uint8Array
  readonly ephemeralPrekey: Uint8Array
  readonly ephemeralOneTime: Uint8Array | undefined
  readonly kem: Uint8Array
}

const SECRET_INFO = utf8('sotto session v1 secret')
const SENDER_INFO = utf8('sotto session v1 sender')
const PREKEYS_INFO = utf8('sotto session v1 prekeys')
const TRANSCRIPT_LABEL = utf8('sotto session v1 transcript')
const DEVICE_LABEL = utf8('sotto session v1 device')
const INITIAL_LABEL = utf8('sotto session v1 initial')
/** 32 bytes of 0xFF before the DH outputs, as X3DH §2.2 has it: no key that signs elsewhere hashes the same input. */
const F_PREFIX = new Uint8Array(32).fill(0xff)
const NO_KEY = new Uint8Array(32)
const NO_AAD = new Uint8Array()

/** Who a device is: stable over renewals of its certificate, and different for any other key, device or account. */
function deviceDigest(crypto: CryptoProvider, card: PrekeyCard): Uint8Array {
  const { accountId, deviceId, signingKey, identityKey } = card.body.certificate.body
  const identity = encode(deviceIdentityCodec, { suite: SUITE, accountId, deviceId, signingKey, identityKey })
  return crypto.sha256(DEVICE_LABEL, identity)
}

export function cardHash(crypto: CryptoProvider, card: PrekeyCard): Uint8Array {
  return crypto.sha256(encode(prekeyCardCodec, card))
}

/** What the replay cache remembers of an initial message: SHA-256(label ‖ ephemeral key ‖ KEM ciphertext). */
export function initialReplayId(crypto: CryptoProvider, prefix: SplitPrefix): Uint8Array {
  return crypto.sha256(INITIAL_LABEL, prefix.ephemeral, prefix.ciphertext)
}

/** Initiator, steps 2–6. The bundle has been verified. The prefix is what goes before the first messages. */
export function agreeAsInitiator(
  ctx: SessionContext,
  device: LocalDevice,
  bundle: PrekeyBundle,
): { agreement: Agreement; prefix: Uint8Array; ephemeral: Uint8Array } {
  const { crypto } = ctx
  const { body } = bundle.card
  const keys: ResponderKeys = {
    identityKey: body.certificate.body.identityKey,
    signedPrekey: body.signedPrekey.key,
    oneTimePrekey: bundle.oneTime?.key,
    kemPrekey: bundle.oneTime?.kem ?? body.kemPrekey.key,
  }
  const ids: InitialPrekeyIds = {
    signedPrekeyId: body.signedPrekey.id,
    kemPrekeyId: body.kemPrekey.id,
    oneTimeId: bundle.oneTime?.id,
    cardHash: cardHash(crypto, bundle.card),
  }
  const secret = ctx.rng.bytes(32)
  const ephemeral = crypto.x25519PublicKey(secret)
  const encapsulated = believed(crypto.kemEncapsulate(1024, keys.kemPrekey))
  const dh = (key: Uint8Array): Uint8Array => believed(crypto.x25519(secret, key))
  const stageOne: StageOne = {
    ephemeralIdentity: dh(keys.identityKey),
    ephemeralPrekey: dh(keys.signedPrekey),
    ephemeralOneTime: keys.oneTimePrekey && dh(keys.oneTimePrekey),
    kem: encapsulated.secret,
  }
  const sealedIds = sealIds(crypto, stageOne.ephemeralIdentity, ephemeral, keys.identityKey, ids)
  const head = concat(ephemeral, sealedIds, encapsulated.ciphertext)
  const sender = senderKeys(crypto, stageOne, keys, head)
  const ownCard = encode(prekeyCardCodec, device.prekeyCard)
  const sealedSender = crypto.seal(sender.key, sender.nonce, head, pad(ownCard, SENDER_CARD_BYTES))
  const agreement = agree(crypto, {
    stageOne,
    identityPrekey: believed(crypto.x25519(device.identitySecret, keys.signedPrekey)),
    keys,
    ids,
    initiator: device.prekeyCard,
    initiatorCard: crypto.sha256(ownCard),
    responder: bundle.card,
    ciphertext: encapsulated.ciphertext,
    ephemeral,
  })
  wipe(secret, sender.key, sender.nonce)
  return { agreement, prefix: concat(head, sealedSender), ephemeral }
}

/**
 * Which prekeys an envelope asks for if it is an initial message to this device; `undefined` where it is not. One
 * X25519 operation. The ids stand under a key from the ephemeral and our identity key, so that a holder cannot match
 * them with published cards.
 */
export function initialPrekeyIds(
  crypto: CryptoProvider,
  device: Pick<LocalDevice, 'identitySecret' | 'prekeyCard'>,
  envelope: Uint8Array,
): InitialPrekeyIds | undefined {
  const prefix = splitPrefix(envelope)
  const opened = prefix && openIds(crypto, device, prefix)
  wipe(opened?.shared)
  return opened?.ids
}

/** The ids, and the secret of the ephemeral and our identity key that they stood under. */
function openIds(
  crypto: CryptoProvider,
  device: Pick<LocalDevice, 'identitySecret' | 'prekeyCard'>,
  prefix: SplitPrefix,
): { ids: InitialPrekeyIds; shared: Uint8Array } | undefined {
  const shared = crypto.x25519(device.identitySecret, prefix.ephemeral)
  if (shared === undefined) return undefined
  const { identityKey } = device.prekeyCard.body.certificate.body
  const { key, nonce } = idsKeys(crypto, shared, prefix.ephemeral, identityKey)
  const opened = crypto.open(key, nonce, prefix.ephemeral, prefix.sealedIds)
  wipe(key, nonce)
  const ids = opened && tryDecode(initialPrekeyIdsCodec, opened)
  return ids && { ids, shared }
}

/** Stage one of an initial message: who claims to write. Secret until {@link agreeAsResponder} has used it. */
export interface OpenedInitial {
  readonly ids: InitialPrekeyIds
  /** What the sender says it is. Not to be believed before it is verified. */
  readonly sender: PrekeyCard
  /** SHA-256 of that card. */
  readonly senderCard: Uint8Array
  readonly prefix: SplitPrefix
  readonly keys: ResponderKeys
  readonly stageOne: StageOne
}

/** Responder, steps 2–4: opens the sender's card. Throws {@link DecryptError}. */
export function openInitial(
  ctx: SessionContext,
  device: LocalDevice,
  secrets: PrekeySecrets,
  envelope: Uint8Array,
): OpenedInitial {
  const { crypto } = ctx
  const prefix = splitPrefix(envelope)
  const found = prefix && openIds(crypto, device, prefix)
  if (prefix === undefined || found === undefined) throw new DecryptError('no-session')
  const { ids, shared } = found
  if ((ids.oneTimeId !== undefined) !== (secrets.oneTime !== undefined)) throw new DecryptError('stale')
  const kemSeed = secrets.oneTime?.kemSeed ?? secrets.kemPrekeySeed
  if (kemSeed === undefined) throw new DecryptError('stale')
  const keys: ResponderKeys = {
    identityKey: device.prekeyCard.body.certificate.body.identityKey,
    signedPrekey: crypto.x25519PublicKey(secrets.signedPrekey),
    oneTimePrekey: secrets.oneTime && crypto.x25519PublicKey(secrets.oneTime.secret),
    kemPrekey: crypto.kemPublicKey(1024, kemSeed),
  }
  const dh = (secret: Uint8Array): Uint8Array => authentic(crypto.x25519(secret, prefix.ephemeral))
  const stageOne: StageOne = {
    ephemeralIdentity: shared,
    ephemeralPrekey: dh(secrets.signedPrekey),
    ephemeralOneTime: secrets.oneTime && dh(secrets.oneTime.secret),
    kem: authentic(crypto.kemDecapsulate(1024, kemSeed, prefix.ciphertext)),
  }
  const { key, nonce } = senderKeys(crypto, stageOne, keys, prefix.head)
  const opened = authentic(crypto.open(key, nonce, prefix.head, prefix.sealedSender))
  wipe(key, nonce)
  const encoded = refuseMalformed(() => unpad(opened))
  const sender = refuseMalformed(() => decode(prekeyCardCodec, encoded))
  return { ids, sender, senderCard: crypto.sha256(encoded), prefix, keys, stageOne }
}

/** Responder, step 6: the sender's card has been verified, its identity key may be used. */
export function agreeAsResponder(
  ctx: SessionContext,
  device: LocalDevice,
  secrets: PrekeySecrets,
  opened: OpenedInitial,
): Agreement {
  const { identityKey } = opened.sender.body.certificate.body
  return agree(ctx.crypto, {
    stageOne: opened.stageOne,
    identityPrekey: authentic(ctx.crypto.x25519(secrets.signedPrekey, identityKey)),
    keys: opened.keys,
    ids: opened.ids,
    initiator: opened.sender,
    initiatorCard: opened.senderCard,
    responder: device.prekeyCard,
    ciphertext: opened.prefix.ciphertext,
    ephemeral: opened.prefix.ephemeral,
  })
}

interface AgreementInput {
  readonly stageOne: StageOne
  /** DH of the initiator's identity key and the responder's signed prekey. */
  readonly identityPrekey: Uint8Array
  readonly keys: ResponderKeys
  readonly ids: InitialPrekeyIds
  readonly initiator: PrekeyCard
  /** SHA-256 of the initiator's card. */
  readonly initiatorCard: Uint8Array
  readonly responder: PrekeyCard
  readonly ciphertext: Uint8Array
  readonly ephemeral: Uint8Array
}

/** One function for both sides, and it ends the life of all that went in. */
function agree(crypto: CryptoProvider, input: AgreementInput): Agreement {
  const { stageOne, keys } = input
  const transcript = encode(transcriptCodec, {
    suite: SUITE,
    initiatorAccount: input.initiator.body.certificate.body.accountId,
    responderAccount: input.responder.body.certificate.body.accountId,
    initiatorDevice: deviceDigest(crypto, input.initiator),
    responderDevice: deviceDigest(crypto, input.responder),
    initiatorCard: input.initiatorCard,
    prekeys: input.ids,
    signedPrekey: keys.signedPrekey,
    oneTimePrekey: keys.oneTimePrekey ?? NO_KEY,
    kemPrekey: keys.kemPrekey,
    kemCiphertext: input.ciphertext,
    ephemeral: input.ephemeral,
  })
  const ikm = concat(
    F_PREFIX,
    input.identityPrekey,
    stageOne.ephemeralIdentity,
    stageOne.ephemeralPrekey,
    stageOne.ephemeralOneTime ?? NO_AAD,
    stageOne.kem,
  )
  const salt = crypto.sha512(TRANSCRIPT_LABEL, transcript)
  const out = crypto.hkdfSha512(ikm, salt, SECRET_INFO, 64 + 2 * HEADER_KEYS_BYTES)
  const agreement: Agreement = {
    root: out.slice(0, 32),
    sessionId: out.slice(32, 64),
    initiatorHeader: splitHeaderKeys(out.subarray(64, 112)),
    responderHeader: splitHeaderKeys(out.subarray(112)),
  }
  wipe(ikm, out, input.identityPrekey, stageOne.ephemeralIdentity, stageOne.ephemeralPrekey, stageOne.kem)
  wipe(stageOne.ephemeralOneTime)
  return agreement
}

interface OneUse {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

function idsKeys(crypto: CryptoProvider, shared: Uint8Array, ephemeral: Uint8Array, identityKey: Uint8Array): OneUse {
  const out = crypto.hkdfSha256(shared, concat(ephemeral, identityKey), PREKEYS_INFO, 44)
  return { key: out.subarray(0, 32), nonce: out.subarray(32) }
}

function sealIds(
  crypto: CryptoProvider,
  shared: Uint8Array,
  ephemeral: Uint8Array,
  identityKey: Uint8Array,
  ids: InitialPrekeyIds,
): Uint8Array {
  const { key, nonce } = idsKeys(crypto, shared, ephemeral, identityKey)
  const sealed = crypto.seal(key, nonce, ephemeral, encode(initialPrekeyIdsCodec, ids))
  wipe(key, nonce)
  return sealed
}

/** The key of the sender's card: everything of the agreement but the two identity keys of the second stage. */
function senderKeys(crypto: CryptoProvider, stageOne: StageOne, keys: ResponderKeys, head: Uint8Array): OneUse {
  const ikm = concat(F_PREFIX, stageOne.ephemeralPrekey, stageOne.ephemeralOneTime ?? NO_AAD, stageOne.kem)
  const salt = crypto.sha512(keys.signedPrekey, keys.oneTimePrekey ?? NO_KEY, keys.kemPrekey, head)
  const out = crypto.hkdfSha512(ikm, salt, SENDER_INFO, 44)
  wipe(ikm)
  return { key: out.subarray(0, 32), nonce: out.subarray(32) }
}

/** A key that its owner signed and that is still no key: the owner is broken or hostile. */
function believed<T>(value: T | undefined): T {
  if (value === undefined) throw new VerificationError('the peer published a key that is none')
  return value
}

function authentic<T>(value: T | undefined): T {
  if (value === undefined) throw new DecryptError('authentication')
  return value
}

function refuseMalformed<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof CodecError) throw new DecryptError('authentication')
    throw error
  }
}
