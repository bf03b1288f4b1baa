/** The messages of `/sotto/<network>/direct/1` (protocol §5): one long-lived stream per pair of devices, both ways. */
import { fixed, list, opaque, struct, variant } from './codec.ts'
import type { Coded } from './codec.ts'

/** The largest frame on a direct stream: one envelope and its head. */
export const DIRECT_FRAME_BYTES_MAX = 65_536 + 64

/**
 * Says that the receiver has committed the envelope. `id` is its SHA-256. `preimage` stands inside the envelope's
 * ciphertext: only who decrypted it can answer with it, so the answer is proof even where the link's own
 * authentication is broken.
 */
export const directAckCodec = struct({ id: fixed(32), preimage: fixed(16) })
export type DirectAck = Coded<typeof directAckCodec>

const envelope = struct({ envelope: opaque(65_536, 1) })
const acks = struct({ acks: list(directAckCodec, 64, 1) })

/** What a stream carries for the floor above. */
export const directFrameCodec = variant({ 1: envelope, 2: acks })
export type DirectFrame = Coded<typeof directFrameCodec>
/** All that stands on a stream: the first frame of either side is a hello, and says that it has the stream in use. */
export const directMessageCodec = variant({ 1: envelope, 2: acks, 3: struct({}) })
export const DIRECT_FRAME = { envelope: 1, acks: 2, hello: 3 } as const
