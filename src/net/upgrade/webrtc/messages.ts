/** What the daemon and its WebRTC helper say to each other. Only values that were checked are said in either direction. */

/** The other end of a meeting, as the helper's library takes it: IPs as texts. */
export interface IcePeer {
  readonly ufrag: string
  readonly pwd: string
  readonly fingerprint: Uint8Array
  readonly candidates: readonly IceCandidate[]
}
export interface IceCandidate {
  readonly ip: string
  readonly port: number
}

/** What a meeting begins with. */
export interface MeetingOrder {
  /** Whose description it answers; `undefined`: it makes the first. */
  readonly answers: IcePeer | undefined
  /** A STUN server. */
  readonly stun: IceCandidate | undefined
  /** The one local IP to use; all of them where there is none. */
  readonly bind: string | undefined
}

export type ToHelper =
  | { readonly kind: 'meet'; readonly id: number; readonly order: MeetingOrder }
  /** The peer's answer to our description. */
  | { readonly kind: 'answered'; readonly id: number; readonly peer: IcePeer }
  | { readonly kind: 'data'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'close'; readonly id: number }

export type FromHelper =
  /** Our own description: every candidate is in it. */
  | { readonly kind: 'described'; readonly id: number; readonly own: IcePeer }
  /** The channel is open, to there. */
  | { readonly kind: 'open'; readonly id: number; readonly at: IceCandidate }
  | { readonly kind: 'data'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'closed'; readonly id: number }

/** What any two SCTP stacks carry in one message (RFC 8831 §6.6). */
export const CHANNEL_MESSAGE_BYTES_MAX = 16_384
const CANDIDATES_MAX = 64
const CREDENTIAL_CHARS_MAX = 256

type Fields = Readonly<Record<string, unknown>>

/** The helper reads what strangers send and is written in C++: it is not believed either. `undefined`: not a message. */
export function fromHelper(message: unknown): FromHelper | undefined {
  const { kind, id, own, at, data } = fieldsOf(message)
  if (typeof id !== 'number') return undefined
  if (kind === 'closed') return { kind, id }
  if (kind === 'data') return isBytes(data) && data.length <= CHANNEL_MESSAGE_BYTES_MAX ? { kind, id, data } : undefined
  if (kind === 'open') return isCandidate(at) ? { kind, id, at } : undefined
  return kind === 'described' && isPeer(own) ? { kind, id, own } : undefined
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= CREDENTIAL_CHARS_MAX
}

function isCandidate(value: unknown): value is IceCandidate {
  const { ip, port } = fieldsOf(value)
  return isText(ip) && typeof port === 'number'
}

function isPeer(value: unknown): value is IcePeer {
  const { ufrag, pwd, fingerprint, candidates } = fieldsOf(value)
  const some = Array.isArray(candidates) && candidates.length <= CANDIDATES_MAX && candidates.every(isCandidate)
  return some && isText(ufrag) && isText(pwd) && isBytes(fingerprint)
}
