/** The messages of `/sotto/<network>/upgrade/1` (protocol §5): two peers over a relay agree how to meet directly. */
import { CodecError } from '../lib/errors.ts'
import { fixed, list, mapped, oneOf, optional, struct, u16, variant } from './codec.ts'
import type { Coded } from './codec.ts'

/** The largest message: 4 endpoints of IPv6, one more, and the heads. */
export const UPGRADE_FRAME_BYTES_MAX = 128
/** Endpoints that a peer offers to be dialled at. */
export const UPGRADE_ENDPOINTS_MAX = 4

const port = mapped(u16, portOf, portOf)

function portOf(value: number): number {
  if (value === 0) throw new CodecError('port out of bounds')
  return value
}

/** A TCP port at an IP, and nothing else: no name, no other protocol, no peer can be spelled. */
export const endpointCodec = variant({
  4: struct({ ip: fixed(4), port }),
  6: struct({ ip: fixed(16), port }),
})
export type Endpoint = Coded<typeof endpointCodec>

/** What a peer knows of the router in front of it. */
export const MAPPING = { unknown: 0, endpointIndependent: 1, perDestination: 2 } as const

const termsCodec = struct({
  mapping: oneOf(MAPPING.unknown, MAPPING.endpointIndependent, MAPPING.perDestination),
  /** Where anyone can dial it. */
  reachable: list(endpointCodec, UPGRADE_ENDPOINTS_MAX),
  /** What its own dials come from, as two others saw it. */
  punchable: optional(endpointCodec),
})
/** What one side brings. */
export type UpgradeTerms = Coded<typeof termsCodec>

/** Ways to a direct connection, by their number in `go`. */
export const UPGRADE_RUNG = { dial: 1, punch: 2 } as const

export const upgradeFrameCodec = variant({
  1: termsCodec,
  2: termsCodec,
  3: struct({ rung: oneOf(UPGRADE_RUNG.dial, UPGRADE_RUNG.punch) }),
})
export type UpgradeFrame = Coded<typeof upgradeFrameCodec>
export const UPGRADE_FRAME = { offer: 1, answer: 2, go: 3 } as const
