/**
 * What passes from person to person outside the network, as text in a link or a QR code: the invite and the safety code.
 * Both are unpadded base64url of one canonical encoding after a scheme; the schemes are lower case.
 */
import { CodecError, UsageError } from '../lib/errors.ts'
import { fromBase64url, toBase64url } from '../lib/bytes.ts'
import { constant, decode, encode, fixed, list, mapped, optional, struct, text } from './codec.ts'
import type { Codec, Coded } from './codec.ts'
import { PEER_ADDRESSES_MAX } from './peer.ts'

const INVITE_SCHEME = 'sotto:'
const SAFETY_SCHEME = 'sotto-verify:'
const ADDRESS_BYTES_MAX = 255
/** Bytes of an invite: what its parts can hold, and no more is even decoded. */
export const INVITE_BYTES_MAX = 1 + 32 + 1 + PEER_ADDRESSES_MAX * (1 + ADDRESS_BYTES_MAX) + 1 + 16

/** A multiaddr that names its peer: `/ip4/…/tcp/…/p2p/…`. What it means is for the network floor to find out. */
const peerAddressCodec: Codec<string> = mapped(text(ADDRESS_BYTES_MAX), checkAddress, checkAddress)

/**
 * Who invites, peers to join the network by, and a one-time token that spares the guest the stamp. At most 2,099 bytes.
 */
export const inviteCodec = struct({
  version: constant(1),
  accountId: fixed(32),
  addresses: list(peerAddressCodec, PEER_ADDRESSES_MAX),
  token: optional(fixed(16)),
})
export type Invite = Coded<typeof inviteCodec>

/** The `sotto:` link. Throws {@link CodecError} for a value that the codec does not allow. */
export function encodeInvite(invite: Invite): string {
  return INVITE_SCHEME + toBase64url(encode(inviteCodec, invite))
}

/** The invite that a person pasted or scanned. Throws {@link UsageError} that says what to do. */
export function parseInvite(link: string): Invite {
  return parse(
    inviteCodec,
    INVITE_SCHEME,
    INVITE_BYTES_MAX,
    link,
    'this is not an invite: copy the whole "sotto:" link',
  )
}

const safetySideCodec = struct({ accountId: fixed(32), devices: fixed(32) })
/** An account and the hash of its device set (`protocol/safety-number`). */
export type SafetySide = Coded<typeof safetySideCodec>

/** What is scanned to compare safety numbers: who shows it, and whom it takes the scanner for. 129 bytes. */
export const safetyQrCodec = struct({ version: constant(1), self: safetySideCodec, peer: safetySideCodec })
export interface SafetyQr {
  readonly self: SafetySide
  readonly peer: SafetySide
}

/** The text of the safety QR code. */
export function encodeSafetyQr(qr: SafetyQr): string {
  return SAFETY_SCHEME + toBase64url(encode(safetyQrCodec, { version: 1, ...qr }))
}

/** The safety code that a person scanned. Throws {@link UsageError} that says what to do. */
export function parseSafetyQr(scanned: string): SafetyQr {
  const fault = 'this is not a Sotto safety code: scan the one that "sotto contact verify" shows'
  const { self, peer } = parse(safetyQrCodec, SAFETY_SCHEME, 129, scanned, fault)
  return { self, peer }
}

function parse<T>(codec: Codec<T>, scheme: string, bytesMax: number, input: string, fault: string): T {
  const trimmed = input.length > 2 * bytesMax ? '' : input.trim()
  const bytes = trimmed.startsWith(scheme) ? fromBase64url(trimmed.slice(scheme.length)) : undefined
  if (bytes === undefined || bytes.length > bytesMax) throw new UsageError(fault)
  try {
    return decode(codec, bytes)
  } catch (error) {
    if (error instanceof CodecError) throw new UsageError(fault, { cause: error })
    throw error
  }
}

function checkAddress(address: string): string {
  if (!/^\/[\x21-\x7e]*\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/.test(address))
    throw new CodecError('not an address with a peer id')
  return address
}
