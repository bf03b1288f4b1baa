/** What happens and what is said of it: the `data` of each type of event. Types and fields may join; who does not know one passes over it. */
import { z } from 'zod'
import { account, count, id16, time } from './view.ts'

const contact = z.looseObject({ contact: account })
const message = z.looseObject({ id: id16, contact: account })
const card = z.looseObject({ number: count })
const said = z.looseObject({ id: id16, contact: account, own: z.boolean() })
/** How it went, where it went at all. */
const sent = z.looseObject({
  id: id16,
  contact: account,
  path: z.enum(['direct', 'mailbox']).optional(),
  receipts: count.optional(),
})
const nothing = z.looseObject({})

const CONTACT_EVENTS = {
  'contact:added': contact,
  'contact:requested': contact,
  'contact:accepted': contact,
  'contact:blocked': contact,
  'contact:unblocked': contact,
  'contact:updated': contact,
  'contact:removed': contact,
  'contact:verified': contact,
  'contact:unverified': contact,
  'contact:profile': z.looseObject({ contact: account, number: count }),
  'contact:pinned': z.looseObject({ contact: account, number: count }),
  'contact:changed': z.looseObject({ contact: account, why: z.string() }),
  'contact:change-accepted': contact,
  'contact:succeeded': z.looseObject({ contact: account, successor: account }),
  'contact:devices-changed': z.looseObject({ contact: account, added: count, removed: count }),
  'session:restarted': contact,
}

const MESSAGE_EVENTS = {
  'message:received': z.looseObject({ id: id16, contact: account, kind: z.string() }),
  'message:queued': message,
  'message:stored': sent,
  'message:delivered': sent,
  'message:read': sent,
  'message:expired': message,
  'message:failed': sent,
  'message:taken-back': sent,
  'message:edited': said,
  'message:reacted': said,
  'message:deleted': message,
  'message:flagged': z.looseObject({ id: id16, contact: account, starred: z.boolean(), pinned: z.boolean() }),
  'conversation:changed': contact,
  'conversation:read': z.looseObject({ contact: account, marked: count }),
}

const OWN_EVENTS = {
  'account:published': card,
  'account:rotated': card,
  'account:overtaken': card,
  'account:expiring': z.looseObject({ expiresAt: time }),
  'prekeys:generated': z.looseObject({ count }),
  'prekeys:served': z.looseObject({ count, lostSlices: count }),
  'prekeys:rotated': card,
  'prekeys:reused': nothing,
  'profile:changed': card,
  'settings:changed': nothing,
  'recovery:found': nothing,
  'recovery:none': nothing,
  'recovery:replaced': nothing,
}

/** By type. */
export const EVENT_TYPES: Readonly<Record<string, z.ZodType>> = { ...CONTACT_EVENTS, ...MESSAGE_EVENTS, ...OWN_EVENTS }
