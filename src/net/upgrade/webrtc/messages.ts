/**
 * What the daemon and its WebRTC helper say to each other. The helper reads what strangers send and is written in C++: it is not
 * believed either, and finds no parser here but the codec.
 */
import { isIP } from 'node:net'
import { CodecError } from '../../../lib/errors.ts'
import { list, mapped, opaque, optional, struct, text, u16, u32, variant } from '../../../wire/codec.ts'
import type { Coded } from '../../../wire/codec.ts'
import { ICE_CREDENTIALS } from '../../../wire/upgrade.ts'

/** What any two SCTP stacks carry in one message (RFC 8831 §6.6). */
export const CHANNEL_MESSAGE_BYTES_MAX = 16_384
/** The largest of ours, one of the channel with its head. */
export const MESSAGE_BYTES_MAX = CHANNEL_MESSAGE_BYTES_MAX + 16
const IP_CHARS_MAX = 45
/** A machine with many interfaces has as many. */
const CANDIDATES_MAX = 64

const ip = mapped(text(IP_CHARS_MAX), ipIn, ipIn)
const port = mapped(u16, portIn, portIn)
const candidate = struct({ ip, port })
const peer = struct({ ...ICE_CREDENTIALS, candidates: list(candidate, CANDIDATES_MAX) })
const order = struct({
  /** Whose description it answers; `undefined`: it makes the first. */
  answers: optional(peer),
  /** A STUN server. */
  stun: optional(candidate),
  /** The one local IP to use; all of them where there is none. */
  bind: optional(ip),
})
const data = opaque(CHANNEL_MESSAGE_BYTES_MAX)

/** A port at an IP, as the helper's library takes it: the IP is a text. */
export type IceCandidate = Coded<typeof candidate>
/** One end of a meeting. */
export type IcePeer = Coded<typeof peer>
/** What a meeting begins with. */
export type MeetingOrder = Coded<typeof order>

export const TO_HELPER = { meet: 1, answered: 2, data: 3, close: 4 } as const
export const toHelperCodec = variant({
  1: struct({ id: u32, order }),
  /** The peer's answer to our description. */
  2: struct({ id: u32, peer }),
  3: struct({ id: u32, data }),
  4: struct({ id: u32 }),
})
export type ToHelper = Coded<typeof toHelperCodec>

export const FROM_HELPER = { described: 1, open: 2, data: 3, closed: 4 } as const
export const fromHelperCodec = variant({
  /** Our own description: every candidate is in it. */
  1: struct({ id: u32, own: peer }),
  /** The channel is open, to there. */
  2: struct({ id: u32, at: candidate }),
  3: struct({ id: u32, data }),
  4: struct({ id: u32 }),
})
export type FromHelper = Coded<typeof fromHelperCodec>

/** No name, no zone. */
function ipIn(value: string): string {
  if (isIP(value) === 0 || value.includes('%')) throw new CodecError('not an IP')
  return value
}

function portIn(value: number): number {
  if (value === 0) throw new CodecError('port out of bounds')
  return value
}
