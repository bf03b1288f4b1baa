/** What the routes of messages and conversations take. */
import { z } from 'zod'
import { accountId, whole } from '../schemas.ts'

/** A timer in seconds: 5 s to 4 weeks. */
const timerSeconds = z.number().int().min(5).max(2_419_200)

export const updateConversation = z.strictObject({
  muted: z.boolean().optional(),
  pinned: z.boolean().optional(),
  markedUnread: z.boolean().optional(),
  timerSeconds: timerSeconds.nullable().optional(),
  draft: z.string().max(65_536).optional(),
})
export const editMessage = z.strictObject({ text: z.string().min(1) })
/** At most 32 bytes of UTF-8, and one emoji. */
export const react = z.strictObject({ emoji: z.string().min(1).max(32).nullable() })
export const flagMessage = z.strictObject({ starred: z.boolean().optional(), pinned: z.boolean().optional() })
export const deleteMessage = z.strictObject({ for: z.enum(['both', 'me']) })
export const search = z.strictObject({
  q: z.string().min(1).max(256),
  contact: accountId.optional(),
  cursor: z.string().min(1).max(256).optional(),
  limit: whole(1, 200).optional(),
})
