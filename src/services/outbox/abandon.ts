/** What waits for a contact that is blocked or removed is not tried any more, and its messages say so. */
import { fromHex } from '../../lib/bytes.ts'
import type { OutboxMessages, Settled } from './ports.ts'
import type { Outbox } from './outbox.ts'

/** Inside a journal change. A timer of what was never delivered starts now (protocol/message-timer). */
export async function abandonOps(
  outbox: Pick<Outbox, 'queue' | 'dropOps'>,
  messages: OutboxMessages,
  contact: Uint8Array,
): Promise<Settled> {
  const waiting = outbox.queue.lanesOf(contact).flatMap((lane) => [...lane.entries.values()])
  const shown = new Set(waiting.filter(({ quiet }) => !quiet).map(({ messageId }) => messageId))
  const ids = [...shown].flatMap((id) => fromHex(id) ?? [])
  const dropped = outbox.dropOps(contact)
  const failed = await messages.advanceOps(contact, ids, 'failed')
  return { ops: [...dropped, ...failed.ops], facts: failed.facts }
}
