/** A message that its sender takes back before it was delivered (protocol §4: the sender knows x, too). */
import { ConflictError, NotFoundError } from '../../lib/errors.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Message } from '../../store/records.ts'
import { MESSAGE_STATUS } from '../../store/records.ts'
import type { Journal } from '../events/journal.ts'
import type { Grave } from './letters.ts'
import type { OutboxMessages } from './ports.ts'

export interface TakeBackComponents {
  readonly journal: Journal
  readonly conversations: OutboxMessages & { require(id: Uint8Array): Promise<Message> }
  readonly outbox: {
    takeBackOps(
      messageId: Uint8Array,
      contact: Uint8Array,
    ): Promise<{ readonly ops: readonly StoreOp[]; readonly graves: readonly Grave[] }>
  }
  /** Deletes letters at their holders. `ops` is part of the caller's batch; `added` is called once that is on disk. */
  readonly tombstones: {
    buryOps(graves: readonly Grave[]): { readonly ops: readonly StoreOp[]; readonly added: () => void }
  }
}

/**
 * Nothing more is sent of the message, and its letters are deleted, also after a restart in between. Whoever fetched it before
 * has it, and says so with a receipt. Taking back again changes nothing. Throws NotFoundError; ConflictError where the message
 * came in, was delivered, or is not tried any more.
 */
export async function takeBack(c: TakeBackComponents, id: Uint8Array): Promise<Message> {
  return c.journal.commit(async () => {
    const message = await c.conversations.require(id)
    if (message.status === MESSAGE_STATUS['taken-back']) return { ops: [], facts: [], result: message }
    refuseUnlessWaiting(message)
    const { ops, graves } = await c.outbox.takeBackOps(id, message.contact)
    const advanced = await c.conversations.advanceOps(message.contact, [id], 'taken-back')
    const buried = c.tombstones.buryOps(graves)
    return {
      ops: [...ops, ...advanced.ops, ...buried.ops],
      facts: advanced.facts,
      result: { ...message, status: MESSAGE_STATUS['taken-back'] },
      done: buried.added,
    }
  })
}

function refuseUnlessWaiting({ outgoing, status }: Message): void {
  if (!outgoing) throw new NotFoundError('no such message of yours')
  if (status === MESSAGE_STATUS.queued || status === MESSAGE_STATUS.stored) return
  if (status === MESSAGE_STATUS.delivered || status === MESSAGE_STATUS.read) {
    throw new ConflictError('the message has been delivered: ask the recipient to delete it')
  }
  throw new ConflictError('the message is not tried any more: there is nothing to take back')
}
