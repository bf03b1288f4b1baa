/** Every protocol that Sotto speaks over a connection, with its limits, in one table. */
import { DIRECT_FRAME_BYTES_MAX } from '../wire/direct.ts'
import { HOLDER_FRAME_BYTES_MAX } from '../wire/holder.ts'
import { UPGRADE_FRAME_BYTES_MAX } from '../wire/upgrade.ts'
import type { RatePolicy } from '../lib/rate-limiter.ts'

/** How a protocol is spoken and what one peer may take of it. */
export interface ProtocolLimits {
  readonly id: string
  /** The largest frame, length prefix excluded. */
  readonly frameBytesMax: number
  /** From the first byte of a frame to its last, and from the opening of a stream to its first frame. */
  readonly frameDeadlineMs: number
  /** Bytes that wait to be written on one stream; one more frame waits for room. */
  readonly writeBytesMax: number
  /** Streams that a peer may open to us, per connection; one more is reset. */
  readonly inboundStreamsMax: number
  /** Streams that we may open, per connection. */
  readonly outboundStreamsMax: number
  /** Frames a second from one peer, over all its streams. */
  readonly rate: RatePolicy
}

export interface Protocols {
  readonly holder: ProtocolLimits
  readonly direct: ProtocolLimits
  /** Over relayed connections only. */
  readonly upgrade: ProtocolLimits
  /** libp2p's own, under our name. */
  readonly kadId: string
}

const FRAME_DEADLINE_MS = 10_000

/** The protocols of the network with this name. */
export function protocolsOf(network: string): Protocols {
  return {
    holder: {
      id: `/sotto/${network}/holder/1`,
      frameBytesMax: HOLDER_FRAME_BYTES_MAX,
      frameDeadlineMs: FRAME_DEADLINE_MS,
      writeBytesMax: 2 * HOLDER_FRAME_BYTES_MAX,
      inboundStreamsMax: 4,
      outboundStreamsMax: 4,
      rate: { perSecond: 500, burst: 2_000 },
    },
    direct: {
      id: `/sotto/${network}/direct/1`,
      frameBytesMax: DIRECT_FRAME_BYTES_MAX,
      frameDeadlineMs: FRAME_DEADLINE_MS,
      writeBytesMax: 512 * 1_024,
      inboundStreamsMax: 2,
      outboundStreamsMax: 2,
      rate: { perSecond: 10_000, burst: 20_000 },
    },
    upgrade: {
      id: `/sotto/${network}/upgrade/1`,
      frameBytesMax: UPGRADE_FRAME_BYTES_MAX,
      frameDeadlineMs: FRAME_DEADLINE_MS,
      writeBytesMax: 16 * UPGRADE_FRAME_BYTES_MAX,
      inboundStreamsMax: 2,
      outboundStreamsMax: 2,
      rate: { perSecond: 0.1, burst: 6 }, // streams, not frames
    },
    kadId: `/sotto/${network}/kad/1.0.0`,
  }
}

/** Requests of one holder stream that are served at the same time; more wait unread. */
export const HOLDER_REQUESTS_IN_FLIGHT_MAX = 32
/** Requests that we let wait for their answers on one link. */
export const LINK_REQUESTS_MAX = 1_024
/** Links to holders that we keep; the longest unused one is closed for another. */
export const LINKS_MAX = 192
/** Holder streams served at once, over all peers. */
export const HOLDER_STREAMS_MAX = 1_024
/** Direct streams that peers opened to us, over all peers. */
export const DIRECT_STREAMS_MAX = 1_024
/** One address of a peer. */
export const ADDRESS_DIAL_DEADLINE_MS = 2_000
/** All addresses of a peer, secured and with a muxer. */
export const DIAL_DEADLINE_MS = 6_000
/** Dial, stream and greeting of a link. */
export const LINK_DEADLINE_MS = 8_000
/** A stream whose peer takes nothing for this long is reset. */
export const WRITE_STALL_MS = 15_000
/** Answers that may wait unsent on one holder stream before no more of its requests are read. */
export const HOLDER_BACKLOG_BYTES_MAX = 1_024 * 1_024
/** Answers that may wait unsent over all holder streams; above it the slowest stream is closed. */
export const HOLDER_ANSWERS_BYTES_MAX = 64 * 1_024 * 1_024
/** Connections that one public network (/24 of IPv4, /48 of IPv6) may open to us. */
export const CONNECTIONS_PER_NETWORK_MAX = 16
