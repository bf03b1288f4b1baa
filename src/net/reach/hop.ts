/** The one message of circuit relay v2 that we write ourselves: `HopMessage` of type STATUS (libp2p specs, protocol buffers). */

/** The numbers of the specification. */
export const HOP_STATUS = { ok: 100, limit: 201, failed: 203, noReservation: 204, malformed: 400 } as const

const STATUS_TYPE = [0x08, 2]
const LIMIT_TAG = 0x22
const STATUS_TAG = 0x28
const DURATION_TAG = 0x08
const DATA_TAG = 0x10

/** `{ type: STATUS, limit?, status }`; the limit tells both ends what the circuit may carry, its time in seconds. */
export function hopStatus(
  status: number,
  limit?: { readonly circuitBytesMax: number; readonly circuitMs: number },
): Uint8Array {
  if (limit === undefined) return Uint8Array.from([...STATUS_TYPE, STATUS_TAG, ...varint(status)])
  const seconds = Math.floor(limit.circuitMs / 1_000)
  const inner = [DURATION_TAG, ...varint(seconds), DATA_TAG, ...varint(limit.circuitBytesMax)]
  return Uint8Array.from([...STATUS_TYPE, LIMIT_TAG, inner.length, ...inner, STATUS_TAG, ...varint(status)])
}

/** A message as it stands on a stream, after its length. */
export function delimited(message: Uint8Array): Uint8Array {
  return Uint8Array.from([...varint(message.length), ...message])
}

/** LEB128, as protocol buffers write it; for whole numbers below 2^31. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return [...bytes, rest]
}
