import { z } from 'zod'
import { whole } from '../schemas.ts'

const WAIT_MAX_SECONDS = 30
const TYPES_MAX = 32
const TYPE = '[a-z][a-z0-9-]{0,31}'
const TYPES = new RegExp(`^${TYPE}(:${TYPE})?(,${TYPE}(:${TYPE})?){0,${TYPES_MAX - 1}}$`)

/** Behind the `@`, for the owner: the token that it belongs to. */
export const consumerName = z.string().regex(/^[a-z0-9-]{1,64}(@[0-9a-f]{16})?$/)
const number = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const reading = {
  /** The last number that was seen. */
  since: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  consumer: consumerName.optional(),
  /** `message:received,contact`: these types, and all of a noun. */
  types: z
    .string()
    .max(2_048)
    .regex(TYPES)
    .transform((text) => text.split(','))
    .optional(),
}
const EITHER = { message: 'either since or consumer', path: ['since'] }
const either = ({ since, consumer }: { since?: number | undefined; consumer?: string | undefined }): boolean =>
  since === undefined || consumer === undefined

export const stream = z.strictObject(reading).refine(either, EITHER)
export const events = z
  .strictObject({ ...reading, limit: whole(1, 1_000).optional(), wait: whole(0, WAIT_MAX_SECONDS).optional() })
  .refine(either, EITHER)
export const byName = z.strictObject({ name: consumerName })
export const makeConsumer = z.strictObject({ from: number.optional() }).optional()
export const acknowledge = z.strictObject({ number })
/** What a reader of an SSE stream that comes back has seen. */
export const lastEventId = z.string().regex(/^[0-9]{1,16}$/)
