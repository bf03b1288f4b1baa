/** The messages of `/sotto/<network>/upgrade/1` (protocol §5): two peers over a relay agree how to meet directly. */
import { CodecError } from '../lib/errors.ts'
import { fixed, list, mapped, oneOf, optional, struct, text, u16, variant } from './codec.ts'
import type { Coded, Codec } from './codec.ts'

/** The largest message: 8 candidates of IPv6, the credentials, and the heads. */
export const UPGRADE_FRAME_BYTES_MAX = 320
/** Endpoints that a peer offers to be dialled at. */
export const UPGRADE_ENDPOINTS_MAX = 4

const port = mapped(u16, portOf, portOf)

function portOf(value: number): number {
  if (value === 0) throw new CodecError('port out of bounds')
  return value
}

/** A port at an IP, and nothing else: no name, no protocol, no peer can be spelled. */
export const endpointCodec = variant({
  4: struct({ ip: fixed(4), port }),
  6: struct({ ip: fixed(16), port }),
})
export type Endpoint = Coded<typeof endpointCodec>

/** What a peer knows of the router in front of it. */
export const MAPPING = { unknown: 0, endpointIndependent: 1, perDestination: 2 } as const

/** `none`: it speaks no UDP, or nobody was reached by it. */
export const UDP = { ...MAPPING, none: 3 } as const
export type UdpMapping = (typeof UDP)[keyof typeof UDP]

const termsCodec = struct({
  mapping: oneOf(MAPPING.unknown, MAPPING.endpointIndependent, MAPPING.perDestination),
  /** Where anyone can dial it. */
  reachable: list(endpointCodec, UPGRADE_ENDPOINTS_MAX),
  /** What its own dials come from, as two others saw it. */
  punchable: optional(endpointCodec),
  /** The same router, asked by UDP. */
  udp: oneOf(UDP.unknown, UDP.endpointIndependent, UDP.perDestination, UDP.none),
})
/** What one side brings. */
export type UpgradeTerms = Coded<typeof termsCodec>

/** Ways to a direct connection, by their number in `go`. */
export const UPGRADE_RUNG = { dial: 1, punch: 2, webrtc: 3 } as const

/** Candidates that a peer names for one meeting. */
export const ICE_CANDIDATES_MAX = 8

/** ICE's own alphabet (RFC 8839 §5.4): no line ends, so nothing else can be said in an SDP that it is written into. */
function iceText(min: number, max: number): Codec<string> {
  const check = (value: string): string => {
    if (value.length < min || !/^[A-Za-z0-9+/]+$/.test(value)) throw new CodecError('not an ICE credential')
    return value
  }
  return mapped(text(max), check, check)
}

export const ICE_CREDENTIALS = {
  ufrag: iceText(4, 32),
  pwd: iceText(22, 64),
  /** SHA-256 of the DTLS certificate. */
  fingerprint: fixed(32),
}
/** All that two WebRTC stacks have to know of each other; everything else of an SDP is the same for all. */
const iceCodec = struct({
  ...ICE_CREDENTIALS,
  /** UDP, the best first. */
  candidates: list(endpointCodec, ICE_CANDIDATES_MAX),
})
export type IceTerms = Coded<typeof iceCodec>

export const upgradeFrameCodec = variant({
  1: termsCodec,
  2: termsCodec,
  3: struct({ rung: oneOf(UPGRADE_RUNG.dial, UPGRADE_RUNG.punch, UPGRADE_RUNG.webrtc) }),
  /** On the WebRTC rung: from who asked, then back; without terms where it cannot be had. */
  4: struct({ ice: optional(iceCodec) }),
})
export type UpgradeFrame = Coded<typeof upgradeFrameCodec>
export const UPGRADE_FRAME = { offer: 1, answer: 2, go: 3, ice: 4 } as const
