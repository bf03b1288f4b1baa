/** What the worker, the putter and the looks have in common: an item under way, and how it is written back. */
import { toHex } from '../../lib/bytes.ts'
import { withDeadline } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Contact, ContactDevice, OutboxItem } from '../../store/records.ts'
import type { Outbox } from './outbox.ts'
import type { Update, WorkerPorts } from './ports.ts'
import type { Entry } from './queue.ts'

export interface WorkerComponents extends WorkerPorts {
  readonly outbox: Outbox
}

/** Whom an item is for. */
export interface Target {
  readonly contact: Contact
  readonly device: ContactDevice
}

/** An item, and the envelope (id in hex) that is being sent for it. */
export interface Work {
  readonly entry: Entry
  readonly envelopeId: string
}

/** The change, unless the item was settled, or encrypted anew, since the work on this envelope began. */
export function noted(
  work: Work,
  change: (item: OutboxItem) => OutboxItem | undefined,
  extra?: Update['extra'],
): Update {
  const same = (item: OutboxItem): boolean =>
    item.sealed !== undefined && toHex(item.sealed.envelopeId) === work.envelopeId
  return {
    entry: work.entry,
    change: (item) => (same(item) ? change(item) : undefined),
    ...(extra === undefined ? {} : { extra }),
  }
}

/** Within the time, and while the outbox runs. */
export async function within<T>(
  c: { readonly clock: Clock; readonly outbox: Pick<Outbox, 'signal'> },
  limitMs: number,
  job: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(c.clock, limitMs, job, c.outbox.signal)
}
