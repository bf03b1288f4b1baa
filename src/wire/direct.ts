/** The messages of `/sotto/<network>/direct/1` (protocol §5): one long-lived stream per pair of devices, both ways. */
import { fixed, list, opaque, struct, variant } from './codec.ts'
import type { Coded } from './codec.ts'

/** The largest frame on a direct stream: one envelope and its head. */
export const DIRECT_FRAME_BYTES_MAX = 65_536 + 64
/** An envelope with a live signal: the size class that holds it with every header of a session in use. */
const LIVE_ENVELOPE_BYTES_MAX = 8_192

/**
 * Says that the receiver has committed the envelope. `id` is its SHA-256. `preimage` stands inside the envelope's
 * ciphertext: only who decrypted it can answer with it, so the answer is proof even where the link's own
 * authentication is broken.
 */
export const directAckCodec = struct({ id: fixed(32), preimage: fixed(16) })
export type DirectAck = Coded<typeof directAckCodec>

const envelope = struct({ envelope: opaque(65_536, 1) })
const acks = struct({ acks: list(directAckCodec, 64, 1) })
/** What is true now: sent once, neither acknowledged nor kept. */
const live = struct({ envelope: opaque(LIVE_ENVELOPE_BYTES_MAX, 1) })
/** Says that the sender is still there, and no more than the stream itself does. */
const beat = struct({})

/** What a stream carries for the floor above. */
export const directFrameCodec = variant({ 1: envelope, 2: acks, 4: live, 5: beat })
export type DirectFrame = Coded<typeof directFrameCodec>
/**
 * All that stands on a stream: the first frame of either side is a hello, and says that it has the stream in use. A second one says
 * that its sender passes over kinds of frames that it does not know, and knows 4 and 5: these are for nobody else. (Version 0.1
 * takes any number of hellos, and ends the stream at a frame that it does not know.)
 */
export const directMessageCodec = variant({ 1: envelope, 2: acks, 3: struct({}), 4: live, 5: beat })
export const DIRECT_FRAME = { envelope: 1, acks: 2, hello: 3, live: 4, beat: 5 } as const

/** Whether the frame is of a kind that a later version has; it is passed over. */
export function isLaterFrame(bytes: Uint8Array): boolean {
  return (bytes[0] ?? 0) > DIRECT_FRAME.beat
}
