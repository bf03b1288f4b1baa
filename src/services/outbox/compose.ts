/** From something to say to what waits in the outbox: parts, fan-out over devices, a preimage for each envelope. */
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import { encode } from '../../wire/codec.ts'
import { CONTENT_KIND, contentCodec, PART_BYTES_MAX, partBodyCodec, PARTS_MAX } from '../../wire/content.ts'
import type { Content } from '../../wire/content.ts'
import { LimitError } from '../../lib/errors.ts'
import { OUTBOX_PATH } from '../../store/records.ts'
import type { OutboxItem } from '../../store/records.ts'
import { MESSAGE_LIFE_MS } from './limits.ts'

/** Something to say to a contact's devices. `body` is the encoded body of `kind`. */
export interface Saying {
  readonly id: Uint8Array
  readonly kind: number
  readonly body: Uint8Array
  readonly sentAt: number
  readonly contact: Uint8Array
  readonly devices: readonly Uint8Array[]
  /** Receipts, grants and requests: no status of theirs is shown. */
  readonly quiet: boolean
  /** What stands beside the body, in each of its parts. */
  readonly extensions?: Content['extensions']
}

interface Piece {
  readonly kind: number
  readonly body: Uint8Array
}

/** A body that fits one envelope goes whole; a larger one in parts. Throws LimitError above 32 parts (1.25 MiB). */
export function pieces(saying: Pick<Saying, 'id' | 'kind' | 'body'>): readonly Piece[] {
  if (saying.body.length <= PART_BYTES_MAX) return [{ kind: saying.kind, body: saying.body }]
  const count = Math.ceil(saying.body.length / PART_BYTES_MAX)
  if (count > PARTS_MAX) throw new LimitError('the message is too large')
  return Array.from({ length: count }, (_, index) => ({
    kind: CONTENT_KIND.part,
    body: encode(partBodyCodec, {
      whole: saying.id,
      kind: saying.kind,
      index,
      count,
      bytes: saying.body.subarray(index * PART_BYTES_MAX, (index + 1) * PART_BYTES_MAX),
    }),
  }))
}

/** Stands for the devices of a contact that was brought back and is not met yet: what waits for it goes to those that it has then. */
const NOT_KNOWN_YET = new Uint8Array(16)

/** One item for each piece and device, in the order in which they are to go. */
export function compose(
  saying: Saying,
  ctx: { rng: Rng; clock: Clock; sequence: () => number },
): readonly OutboxItem[] {
  const createdAt = ctx.clock.now()
  const devices = saying.devices.length === 0 ? [NOT_KNOWN_YET] : saying.devices
  return pieces(saying).flatMap((piece) =>
    devices.map((deviceId): OutboxItem => {
      const preimage = ctx.rng.bytes(16)
      const content = encode(contentCodec, {
        version: 1,
        id: saying.id,
        preimage,
        sentAt: saying.sentAt,
        kind: piece.kind,
        body: piece.body,
        extensions: saying.extensions ?? [],
      })
      return {
        version: 1,
        sequence: ctx.sequence(),
        messageId: saying.id,
        contact: saying.contact,
        deviceId,
        content,
        preimage,
        quiet: saying.quiet,
        sealed: undefined,
        letter: undefined,
        letterId: undefined,
        proof: undefined,
        rungs: 0,
        former: [],
        ladder: { rung: 0, audits: 0, shorts: 0, shortSince: 0, restamps: 0 },
        receipts: [],
        proved: undefined,
        path: OUTBOX_PATH.none,
        attempts: 0,
        nextAt: createdAt,
        createdAt,
        expiresAt: createdAt + MESSAGE_LIFE_MS,
        trace: [{ at: createdAt, event: 'queued', detail: '' }],
      }
    }),
  )
}
