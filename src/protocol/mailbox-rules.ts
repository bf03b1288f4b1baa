/**
 * The rules of mailboxes, letters, cards and tombstones (protocol §4), the same for who writes, who holds and who reads.
 * Pure: no clock, no disk, no network; times come in as arguments, in ms since the Unix epoch unless a name says otherwise.
 */
import { compare, concat, equal, toHex, u32be, utf8 } from '../lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../lib/time.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { encode } from '../wire/codec.ts'
import {
  LANE_ID_BYTES,
  LANE_PROOF_LABEL,
  LETTER_LABEL,
  letterHeaderCodec,
  POLICY_LABEL,
  POLICY_LANES,
  policyBodyCodec,
} from '../wire/letter.ts'
import type { LaneProof, Letter, LetterHeader, Policy } from '../wire/letter.ts'
import { SUITE } from '../wire/card.ts'
import { SIZE_CLASSES_BYTES } from '../wire/padding.ts'
import { CARD_KIND, cardRecordCodec } from '../wire/holder.ts'
import type { CardRecord } from '../wire/holder.ts'
import { accountId } from './account-id.ts'
import { verifyAccountCard, verifyPrekeyCard } from './card-rules.ts'
import { recoveryAddress, recoverySignatureHolds } from './recovery-rules.ts'

/** The longest that a letter may have to live. */
export const LETTER_LIFE_MAX_MS = 30 * DAY_MS
/** The longest that a policy may have to live: six epochs ahead, the overlap and the life of a letter, with room. */
export const POLICY_LIFE_MAX_MS = 75 * DAY_MS
export const CARD_LIFE_MAX_MS = 90 * DAY_MS
/** How far the clock of an honest peer may be off. */
export const CLOCK_TOLERANCE_MS = 10 * 60_000
/** A tombstone outlives its letter by this much, so that no clock brings the letter back. */
export const TOMBSTONE_EXTRA_HOURS = 24
/** Letters live for at most this many epochs (30 d of a week each), which bounds what a reader has to look into. */
const LETTER_LIFE_EPOCHS = 5
/** Epochs for which an owner publishes its policy, counted from the one that runs. */
export const POLICY_EPOCHS = { before: 1, after: 5 } as const

const COMMITMENT_LABEL = utf8('x')
const LETTER_LABEL_BYTES = utf8(LETTER_LABEL)
const MAILBOX_LABEL = utf8('sotto mailbox')
const ACCOUNT_KEY_LABEL = utf8('sotto card')
const PREKEYS_KEY_LABEL = utf8('sotto prekeys')
const EPOCH_SEED_LABEL = utf8('sotto mailbox epoch v1')
const LANE_SEED_LABEL = utf8('sotto lane epoch v1')
const TOKEN_LANE_LABEL = utf8('sotto invite lane v1')
const NO_SALT = new Uint8Array(32)

// --- letters

/** What names a letter without carrying it: its header and the SHA-256 of its ciphertext. */
export interface LetterName {
  readonly header: LetterHeader
  readonly digest: Uint8Array
}

export function nameOfLetter(crypto: CryptoProvider, letter: Letter): LetterName {
  const { ciphertext, ...header } = letter
  return { header, digest: crypto.sha256(ciphertext) }
}

/** SHA-256 of label, header and ciphertext digest: 32 bytes. */
export function idOfName(crypto: CryptoProvider, { header, digest }: LetterName): Uint8Array {
  return crypto.sha256(LETTER_LABEL_BYTES, encode(letterHeaderCodec, header), digest)
}

/** The letter's id, see {@link idOfName}. */
export function letterId(crypto: CryptoProvider, letter: Letter): Uint8Array {
  return idOfName(crypto, nameOfLetter(crypto, letter))
}

/** What a letter says in its header about who may delete it: SHA-256("x" ‖ preimage). */
export function commitmentOf(crypto: CryptoProvider, preimage: Uint8Array): Uint8Array {
  return crypto.sha256(COMMITMENT_LABEL, preimage)
}

/** Whether `preimage` deletes a letter with this commitment. */
export function opens(crypto: CryptoProvider, commitment: Uint8Array, preimage: Uint8Array): boolean {
  return equal(commitmentOf(crypto, preimage), commitment)
}

/** Whether the letter has the one shape that its kind allows: size class exact, unused fields zero. */
export function wellFormed(letter: Letter): boolean {
  return letter.ciphertext.length === SIZE_CLASSES_BYTES[letter.sizeClass] && headerWellFormed(letter)
}

export function headerWellFormed(header: LetterHeader): boolean {
  if (header.kind === 1) return header.stamp.bits === 0 && isZero(header.stamp.nonce)
  return isZero(header.lane)
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** What a holder knows of a letter. None < live < dead, and merging takes the greater: any order of merges ends alike. */
export type LetterState = 'none' | 'live' | 'dead'
const ORDER = { none: 0, live: 1, dead: 2 } as const

export function joinStates(a: LetterState, b: LetterState): LetterState {
  return ORDER[a] >= ORDER[b] ? a : b
}

// --- expiry

/** The expiry to write into a letter that is to live for `lifeMs`, at most 30 days: hours, rounded down. */
export function expiryHour(nowMs: number, lifeMs: number): number {
  return Math.floor((nowMs + Math.min(lifeMs, LETTER_LIFE_MAX_MS)) / HOUR_MS)
}

/** Whether `hour` has come. */
export function hourPassed(hour: number, nowMs: number): boolean {
  return hour * HOUR_MS <= nowMs
}

/** Whether an expiry in hours lies ahead, and not further than `lifeMaxMs` (with 10 minutes for clocks that differ). */
export function expiryAllowed(hour: number, nowMs: number, lifeMaxMs: number): boolean {
  return !hourPassed(hour, nowMs) && hour * HOUR_MS <= nowMs + lifeMaxMs + CLOCK_TOLERANCE_MS
}

/** When a card stops counting, ms. */
export function cardExpiryMs(record: CardRecord): number {
  if (record.kind === CARD_KIND.policy || record.kind === CARD_KIND.recovery) return record.body.body.expiry * HOUR_MS
  return record.body.body.expiresAt * 1_000
}

/** Whether a card's expiry lies ahead, and not further than its kind may. */
export function cardExpiryAllowed(record: CardRecord, nowMs: number): boolean {
  const lifeMaxMs = record.kind === CARD_KIND.policy ? POLICY_LIFE_MAX_MS : CARD_LIFE_MAX_MS
  const expiryMs = cardExpiryMs(record)
  return expiryMs > nowMs && expiryMs <= nowMs + lifeMaxMs + CLOCK_TOLERANCE_MS
}

// --- cards

/** The key of an account's card. */
export function accountCardKey(crypto: CryptoProvider, accountId: Uint8Array): Uint8Array {
  return crypto.sha256(ACCOUNT_KEY_LABEL, accountId)
}

/** The key of a device's prekey card. */
export function prekeyCardKey(crypto: CryptoProvider, accountId: Uint8Array, deviceId: Uint8Array): Uint8Array {
  return crypto.sha256(PREKEYS_KEY_LABEL, accountId, deviceId)
}

/** The key that a record lives at; a policy's is the mailbox itself. It follows from the content, so nobody picks it. */
export function cardKey(crypto: CryptoProvider, record: CardRecord): Uint8Array {
  switch (record.kind) {
    case CARD_KIND.account:
      return accountCardKey(crypto, accountId(crypto, record.body.body.account))
    case CARD_KIND.prekeys: {
      const { account, certificate } = record.body.body
      return prekeyCardKey(crypto, accountId(crypto, account), certificate.body.deviceId)
    }
    case CARD_KIND.recovery:
      return recoveryAddress(crypto, record.body)
    default:
      return policyAddress(crypto, record.body)
  }
}

/** What two records of one key are ordered by. */
export interface CardVersion {
  readonly number: number
  readonly hash: Uint8Array
}

/** The SHA-256 of a record's encoding: what a receipt for it is signed over. */
export function cardHash(crypto: CryptoProvider, record: CardRecord): Uint8Array {
  return crypto.sha256(encode(cardRecordCodec, record))
}

export function cardVersion(crypto: CryptoProvider, record: CardRecord): CardVersion {
  return { number: record.body.body.number, hash: cardHash(crypto, record) }
}

/** Negative where `a` is older than `b`: the number decides, then the hash, so that everyone keeps the same one of two. */
export function compareVersions(a: CardVersion, b: CardVersion): number {
  return a.number === b.number ? compare(a.hash, b.hash) : a.number - b.number
}

/** Whether the record is signed by whom its key says, whole, and in force at `nowMs`. Costs up to nine hybrid checks. */
export function cardHolds(crypto: CryptoProvider, record: CardRecord, nowMs: number): boolean {
  if (!cardExpiryAllowed(record, nowMs)) return false
  const nowSeconds = Math.floor(nowMs / 1_000)
  switch (record.kind) {
    case CARD_KIND.account:
      return verifyAccountCard(crypto, record.body, nowSeconds)
    case CARD_KIND.prekeys:
      return verifyPrekeyCard(crypto, record.body, nowSeconds)
    case CARD_KIND.recovery:
      return recoverySignatureHolds(crypto, record.body)
    default:
      return policySignatureHolds(crypto, record.body)
  }
}

// --- mailbox addresses and epochs

/** The part of the network profile that epochs hang on. */
export interface EpochProfile {
  /** Length of an epoch; 7 days on the main network. */
  readonly epochMs: number
}

/** The epoch that `nowMs` lies in. */
export function epochOf(nowMs: number, profile: EpochProfile): number {
  return Math.floor(nowMs / profile.epochMs)
}

/** How long two epochs' addresses are both good around the change: a day of a week's epoch. */
export function overlapMs(profile: EpochProfile): number {
  return Math.min(DAY_MS, Math.floor(profile.epochMs / 7))
}

/** How long a letter may live on this network: 30 days, less where epochs are short. */
export function letterLifeMs(profile: EpochProfile): number {
  return Math.min(LETTER_LIFE_MAX_MS, LETTER_LIFE_EPOCHS * profile.epochMs)
}

/** The epochs in whose mailboxes a letter may still lie at `nowMs`, the running one first, then the newest. */
export function epochsToRead(nowMs: number, profile: EpochProfile): number[] {
  const overlap = overlapMs(profile)
  const current = epochOf(nowMs, profile)
  const last = epochOf(nowMs + overlap, profile)
  const first = Math.max(0, epochOf(nowMs - overlap - letterLifeMs(profile), profile))
  const others = []
  for (let epoch = last; epoch >= first; epoch--) if (epoch !== current) others.push(epoch)
  return [current, ...others]
}

/** The epochs that an owner's policy is published for. */
export function epochsToPublish(nowMs: number, profile: EpochProfile): number[] {
  const current = epochOf(nowMs, profile)
  const first = Math.max(0, current - POLICY_EPOCHS.before)
  return Array.from({ length: current + POLICY_EPOCHS.after - first + 1 }, (_, i) => first + i)
}

/**
 * A policy's expiry in hours: the end of its epoch, the overlap, and the life of a letter, with an hour for the rounding. For
 * as long as a letter lies there, holders must be able to tell a genuine copy of it, or its tombstone, from a made-up one.
 */
export function policyExpiryHour(epoch: number, profile: EpochProfile): number {
  return policyShutHour(epoch, profile) + Math.ceil(letterLifeMs(profile) / HOUR_MS)
}

function policyShutHour(epoch: number, profile: EpochProfile): number {
  return Math.ceil(((epoch + 1) * profile.epochMs + overlapMs(profile)) / HOUR_MS) + 1
}

/** Whether new letters may come under a policy of this expiry: until its epoch and the overlap are over. */
export function policyTakesPuts(expiryHour: number, nowMs: number, profile: EpochProfile): boolean {
  return !hourPassed(expiryHour - Math.ceil(letterLifeMs(profile) / HOUR_MS), nowMs)
}

/** ML-DSA-44 seed (32 bytes) of a mailbox in an epoch. */
export function epochKeySeed(crypto: CryptoProvider, mailboxSeed: Uint8Array, epoch: number): Uint8Array {
  return crypto.hkdfSha256(mailboxSeed, NO_SALT, concat(EPOCH_SEED_LABEL, u32be(epoch)), 32)
}

/** SHA-256("sotto mailbox" ‖ epoch public key). */
export function mailboxAddress(crypto: CryptoProvider, epochKey: Uint8Array): Uint8Array {
  return crypto.sha256(MAILBOX_LABEL, epochKey)
}

/** A mailbox in one epoch, with the seed that owns it. */
export interface EpochKey {
  readonly epoch: number
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
  readonly address: Uint8Array
}

export function epochKey(crypto: CryptoProvider, mailboxSeed: Uint8Array, epoch: number): EpochKey {
  const seed = epochKeySeed(crypto, mailboxSeed, epoch)
  const publicKey = crypto.dsaPublicKey(44, seed)
  return { epoch, seed, publicKey, address: mailboxAddress(crypto, publicKey) }
}

// --- lanes and policies

/** The seed (32 bytes) of the lane that an invite's one-time token opens in the intro box. */
export function tokenLaneSeed(crypto: CryptoProvider, token: Uint8Array): Uint8Array {
  return crypto.hkdfSha256(token, new Uint8Array(0), TOKEN_LANE_LABEL, 32)
}

/** Ed25519 seed (32 bytes) of a lane in an epoch. */
export function laneKeySeed(crypto: CryptoProvider, laneSeed: Uint8Array, epoch: number): Uint8Array {
  return crypto.hkdfSha256(laneSeed, NO_SALT, concat(LANE_SEED_LABEL, u32be(epoch)), 32)
}

/** What a policy knows a lane by: SHA-256(lane key)[0..16]. */
export function laneId(crypto: CryptoProvider, laneKey: Uint8Array): Uint8Array {
  return crypto.sha256(laneKey).slice(0, LANE_ID_BYTES)
}

/** The lane id that belongs to a contact's lane seed in an epoch. */
export function laneOf(crypto: CryptoProvider, laneSeed: Uint8Array, epoch: number): Uint8Array {
  return laneId(crypto, crypto.ed25519PublicKey(laneKeySeed(crypto, laneSeed, epoch)))
}

function laneProofBytes(id: Uint8Array): Uint8Array {
  return concat(utf8(LANE_PROOF_LABEL), id)
}

/** A lane's key in an epoch; making it costs more than a signature with it, so who writes often keeps it. */
export interface LaneKey {
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
  /** What the policy knows it by. */
  readonly lane: Uint8Array
}

export function laneKey(crypto: CryptoProvider, laneSeed: Uint8Array, epoch: number): LaneKey {
  const seed = laneKeySeed(crypto, laneSeed, epoch)
  const publicKey = crypto.ed25519PublicKey(seed)
  return { seed, publicKey, lane: laneId(crypto, publicKey) }
}

/** Shows for the letter `id` that its writer holds the lane. */
export function laneProofBy(crypto: CryptoProvider, key: LaneKey, id: Uint8Array): LaneProof {
  return { key: key.publicKey, signature: crypto.ed25519Sign(key.seed, laneProofBytes(id)) }
}

/** The same from the lane's seed. */
export function laneProof(crypto: CryptoProvider, laneSeed: Uint8Array, epoch: number, id: Uint8Array): LaneProof {
  return laneProofBy(crypto, laneKey(crypto, laneSeed, epoch), id)
}

/** Whether `proof` was made for the letter `id` by the key behind `lane`. */
export function laneProofHolds(crypto: CryptoProvider, lane: Uint8Array, id: Uint8Array, proof: LaneProof): boolean {
  if (!equal(laneId(crypto, proof.key), lane)) return false
  return crypto.ed25519Verify(proof.key, laneProofBytes(id), proof.signature)
}

/** What a policy is made of. */
export interface PolicyPlan {
  readonly key: EpochKey
  readonly number: number
  readonly expiry: number
  readonly stampBits: number
  /** Lane ids that may write, at most 256. */
  readonly lanes: readonly Uint8Array[]
  /** Lane ids (16 bytes each) that nobody has, to fill up with, as many as are missing to 256 (`policy-blind`). */
  readonly filler: Uint8Array
}

/** The signed policy. Lanes stand in the order of their bytes, so that neither count nor place tells of anything. */
export async function signPolicy(crypto: CryptoProvider, plan: PolicyPlan): Promise<Policy> {
  const fill = Array.from({ length: POLICY_LANES - plan.lanes.length }, (_, i) =>
    plan.filler.subarray(i * LANE_ID_BYTES, (i + 1) * LANE_ID_BYTES),
  )
  const body = {
    version: 1,
    suite: SUITE,
    epochKey: plan.key.publicKey,
    number: plan.number,
    expiry: plan.expiry,
    stampBits: plan.stampBits,
    lanes: concat(...[...plan.lanes, ...fill].sort(compare)),
  } as const
  const message = encode(policyBodyCodec, body)
  return { body, signature: await crypto.dsaSign(44, plan.key.seed, message, utf8(POLICY_LABEL)) }
}

/** The mailbox that a policy speaks for. */
export function policyAddress(crypto: CryptoProvider, policy: Policy): Uint8Array {
  return mailboxAddress(crypto, policy.body.epochKey)
}

/** Whether the owner of the mailbox signed it. Says nothing about its age. */
export function policySignatureHolds(crypto: CryptoProvider, policy: Policy): boolean {
  const message = encode(policyBodyCodec, policy.body)
  return crypto.dsaVerify(44, policy.body.epochKey, message, policy.signature, utf8(POLICY_LABEL))
}

/** The lanes of a policy for quick look-up, as hexadecimal text. */
export function laneSet(policy: Policy): ReadonlySet<string> {
  const text = toHex(policy.body.lanes)
  const length = 2 * LANE_ID_BYTES
  return new Set(Array.from({ length: POLICY_LANES }, (_, i) => text.slice(i * length, (i + 1) * length)))
}
