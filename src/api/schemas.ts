/** What requests look like. Strict: an unknown field is a fault. Output needs no schema, it has types. */
import { z } from 'zod'
import { utf8 } from '../lib/bytes.ts'
import { LimitError } from '../lib/errors.ts'
import { TEXT_BYTES_MAX } from '../wire/content.ts'
import type { FieldFault } from './errors.ts'
import { RequestError } from './errors.ts'

/** JSON may write one byte of text as six characters (\u0000), and the fields around it need room. */
export const MESSAGE_BODY_MAX_BYTES = 6 * TEXT_BYTES_MAX + 16_384
export const BODY_MAX_BYTES = 65_536

/** bech32m (BIP 350) of 32 bytes: 52 characters of data and 6 of checksum. Its checksum is the daemon's to check. */
export const accountId = z.string().regex(/^sotto1[02-9ac-hj-np-z]{58}$/)
const messageId = z.string().regex(/^[0-9a-f]{32}$/)
const link = z
  .string()
  .max(8_192)
  .regex(/^sotto:[!-~]+$/)
// Names are shown on terminals: control characters have no business in them.
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    // oxlint-disable-next-line no-control-regex
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u)
const name = line(128)
const passphrase = z.string().min(1).max(1_024)
const newPassphrase = z.string().min(8).max(1_024)
export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,16}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))

export const none = z.strictObject({})
export const noBody = z.strictObject({}).optional()
export const byAccount = z.strictObject({ id: accountId })
export const byMessage = z.strictObject({ id: messageId })
export const createIdentity = z.strictObject({ passphrase: newPassphrase, phrase: z.string().max(512).optional() })
export const unlock = z.strictObject({ passphrase })
export const rotateIdentity = z.strictObject({ passphrase })
export const invite = z.strictObject({ token: z.stringbool().optional() })
export const addContact = z.strictObject({
  target: z.union([accountId, link]),
  name: name.optional(),
  note: line(1_024).optional(),
  source: z.enum(['network', 'invite', 'qr']).optional(),
})
export const acceptContact = z.strictObject({ name: name.optional() }).optional()
export const updateContact = z.strictObject({
  name: name.optional(),
  favourite: z.boolean().optional(),
  direct: z.enum(['always', 'never']).optional(),
})
export const verifyContact = z.strictObject({ verified: z.boolean().optional(), acceptChange: z.boolean().optional() })
export const page = z.strictObject({ cursor: z.string().min(1).max(256).optional(), limit: whole(1, 200).optional() })
export const sendMessage = z.strictObject({ to: accountId, text: z.string().min(1), replyTo: messageId.optional() })
export const markRead = z.strictObject({ upTo: messageId.optional() }).optional()
export const idempotencyKey = z.string().regex(/^[!-~]{1,128}$/)
/** The first frame of an event stream that had no Authorization header. */
export const authFrame = z.strictObject({ type: z.literal('auth'), token: z.string().max(128) })

/** The value as the schema wants it. Throws RequestError 422 that names fields and rules, never values. */
export function validate<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new RequestError(422, 'invalid', 'the request does not fit the schema', faultsOf(result.error))
}

function faultsOf(error: z.ZodError): readonly FieldFault[] {
  return error.issues.slice(0, 16).map((issue) => ({ path: issue.path.map(String).join('.'), rule: issue.code }))
}

/** Throws LimitError for a text over 1 MiB. */
export function checkTextSize(text: string): void {
  const fits = text.length <= TEXT_BYTES_MAX && utf8(text).length <= TEXT_BYTES_MAX
  if (!fits) throw new LimitError('a text has at most 1 MiB; send the rest as another message')
}
