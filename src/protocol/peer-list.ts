/**
 * Whom a list of peers to join by is believed from, and how its keys change. A stolen key alone must not suffice, so more than
 * half of the keys in force have to sign; a daemon that has seen a newer list or newer keys does not go back.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { equal, toHex } from '../lib/bytes.ts'
import { CodecError, VerificationError } from '../lib/errors.ts'
import { DAY_MS } from '../lib/time.ts'
import { ROTATIONS_MAX, keyRotationBytes, peerListBytes } from '../wire/peer-list.ts'
import type { KeyRotation, PeerList } from '../wire/peer-list.ts'

/** Clocks that are wrong by less than this may still read a list. */
const CLOCK_SLACK_MS = DAY_MS
/** A list is valid for that long at most: who keeps it has to be alive. */
export const LIST_LIFE_MAX_MS = 400 * DAY_MS

export interface ListSignature {
  readonly key: Uint8Array
  readonly signature: Uint8Array
}

export interface SignedList {
  readonly rotations: readonly (KeyRotation & { readonly signatures: readonly ListSignature[] })[]
  readonly list: PeerList
  readonly signatures: readonly ListSignature[]
}

export interface ListKeepers {
  readonly network: string
  /** The keys in the network's profile: the first ones, or those of a later rotation. */
  readonly keys: readonly Uint8Array[]
}

export interface ListRules extends ListKeepers {
  readonly now: number
  /** What this daemon has accepted before, whether or not it is still believed. */
  readonly known?: SignedList | undefined
}

type Verifier = Pick<CryptoProvider, 'ed25519Verify'>

/** Throws {@link VerificationError} that says which rule the list breaks. */
export function verifyPeerList(crypto: Verifier, signed: SignedList, rules: ListRules): void {
  verifyKeepers(crypto, signed, rules)
  checkTimes(signed.list, rules.now)
  if (rules.known !== undefined) checkNewer(signed, rules.known)
}

/** Whether the list is from who keeps the lists of this network, however old. Throws {@link VerificationError}. */
export function verifyKeepers(crypto: Verifier, signed: SignedList, rules: ListKeepers): void {
  if (rules.keys.length === 0) throw new VerificationError('this network has no keys for peer lists')
  const { list, rotations } = signed
  if (list.network !== rules.network) throw new VerificationError('the peer list is for another network')
  if (rotations.length > ROTATIONS_MAX) throw new VerificationError('the peer list has too many key rotations')
  const keys = keysInForce(crypto, signed, rules)
  if (
    !signedByMost(
      crypto,
      keys,
      bytesOf(() => peerListBytes(list, rotations)),
      signed.signatures,
    )
  )
    throw new VerificationError('the peer list is not signed by more than half of its keys')
}

/**
 * The keys after all rotations, each signed by more than half of those before it. A newer release ships later keys: whatever led
 * to those is history, and only the keys in force answer for it, by signing the list with it. Throws {@link VerificationError}.
 */
function keysInForce(crypto: Verifier, { rotations }: SignedList, rules: ListKeepers): readonly Uint8Array[] {
  const shipped = rotations.findLastIndex((rotation) => sameKeys(rotation.keys, rules.keys))
  let { keys } = rules
  for (const [index, { network, number, keys: next, signatures }] of rotations.entries()) {
    if (network !== rules.network || number !== index + 1)
      throw new VerificationError('a key rotation of the peer list is out of place')
    if (index <= shipped) continue
    if (
      !signedByMost(
        crypto,
        keys,
        bytesOf(() => keyRotationBytes({ network, number, keys: next })),
        signatures,
      )
    )
      throw new VerificationError(
        'a key rotation of the peer list is not signed by more than half of the keys before it',
      )
    keys = next
  }
  return keys
}

function signedByMost(
  crypto: Verifier,
  keys: readonly Uint8Array[],
  message: Uint8Array,
  signatures: readonly ListSignature[],
): boolean {
  const distinct = [...new Map(keys.map((key) => [toHex(key), key])).values()]
  const good = distinct.filter((key) =>
    signatures.some((each) => equal(each.key, key) && crypto.ed25519Verify(key, message, each.signature)),
  )
  return 2 * good.length > distinct.length
}

function checkTimes({ issuedAt, expiresAt }: PeerList, now: number): void {
  if (issuedAt > now + CLOCK_SLACK_MS) throw new VerificationError('the peer list is from the future')
  if (expiresAt <= now) throw new VerificationError('the peer list has expired')
  if (expiresAt - issuedAt > LIST_LIFE_MAX_MS) throw new VerificationError('the peer list is valid for too long')
}

function checkNewer(offered: SignedList, known: SignedList): void {
  const same = known.rotations.every(({ keys }, index) => sameKeys(keys, offered.rotations[index]?.keys ?? []))
  if (!same) throw new VerificationError('the peer list goes back behind a key rotation')
  if (offered.list.sequence < known.list.sequence)
    throw new VerificationError('the peer list is older than the one known')
  // Two with one number: different daemons would believe different ones.
  const twin = offered.list.sequence === known.list.sequence
  if (twin && !equal(peerListBytes(offered.list, offered.rotations), peerListBytes(known.list, known.rotations)))
    throw new VerificationError('the peer list has the number of another one')
}

function sameKeys(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return some.length === others.length && some.every((key, at) => equal(key, others[at] ?? new Uint8Array(0)))
}

function bytesOf(encode: () => Uint8Array): Uint8Array {
  try {
    return encode()
  } catch (error) {
    if (error instanceof CodecError) throw new VerificationError('the peer list is malformed', { cause: error })
    throw error
  }
}
