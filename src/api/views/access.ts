import { z } from 'zod'
import type { CreatedToken, PageCode, PageSession, RotatedToken, TokenView } from '../application/access.ts'
import type { BackupSummary } from '../application/storage.ts'
import type { Problem } from '../errors.ts'
import { account, count, time, viewOf } from './view.ts'

const token = {
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string(),
  scope: z.enum(['read', 'send', 'admin']),
  createdAt: time,
  expiresAt: time.nullable(),
  usedAt: time.nullable(),
}
export const tokenView = viewOf<TokenView>()(z.object(token))
export const createdTokenView = viewOf<CreatedToken>()(z.object({ ...token, token: z.string() }))
export const pageCodeView = viewOf<PageCode>()(z.object({ code: z.string(), url: z.string() }))
export const pageSessionView = viewOf<PageSession>()(z.object({ token: z.string(), expiresAt: time.nullable() }))
export const rotatedTokenView = viewOf<RotatedToken>()(z.object({ remaining: z.array(tokenView) }))

export const backupSummary = viewOf<BackupSummary>()(
  z.object({ accountId: account, createdAt: time, contacts: count, messages: count }),
)

/** RFC 9457. `code` is stable; `detail` is for people. */
export const problemView = viewOf<Problem>()(
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    retryAfterSeconds: count.exactOptional(),
    fields: z.array(z.object({ path: z.string(), rule: z.string() })).exactOptional(),
  }),
)
