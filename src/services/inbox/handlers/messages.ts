/** Handlers for what is shown: texts, kinds this version does not know, and receipts for what we sent. */
import { toHex } from '../../../lib/bytes.ts'
import { CONTENT_KIND, readExtensions } from '../../../wire/content.ts'
import type { StoreOp } from '../../../store/database.ts'
import { CONTACT_STATE } from '../../../store/records.ts'
import type { Contact } from '../../../store/records.ts'
import type { Fact } from '../../events/journal.ts'
import type { Handled, Handler } from '../ports.ts'

/** A message to keep. */
export interface IncomingMessage {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly contentKind: number
  readonly text: string
  readonly replyTo: Uint8Array | undefined
  readonly sentAt: number
  readonly lamport?: number
  readonly timerSeconds?: number
}
export interface MessageParts {
  incomingOps(message: IncomingMessage): Promise<Handled>
}
export interface ReceiptParts {
  deliveredOps(
    contact: Uint8Array,
    deviceId: Uint8Array,
    ids: readonly Uint8Array[],
    status: 'delivered' | 'read',
  ): Promise<Handled>
}

const NOTHING: Handled = { ops: [], facts: [] }

/** Strangers, and contacts that wait for our answer, say nothing that is kept. */
export function isOpen(contact: Contact | undefined): contact is Contact {
  return contact?.state === CONTACT_STATE.accepted || contact?.state === CONTACT_STATE.requested
}

export function textHandler(messages: MessageParts): Handler {
  return async ({ contact, content, body }) => {
    if (!isOpen(contact) || body.kind !== CONTENT_KIND.text) return NOTHING
    return messages.incomingOps({
      id: content.id,
      contact: contact.accountId,
      contentKind: content.kind,
      text: body.body.text,
      replyTo: body.body.replyTo,
      sentAt: content.sentAt,
      ...readExtensions(content.extensions),
    })
  }
}

/** Keeps the place of a message that a later version could show. */
export function unsupportedHandler(messages: MessageParts): Handler {
  return async ({ contact, content, body }) => {
    if (!isOpen(contact) || body.kind !== 'unsupported') return NOTHING
    return messages.incomingOps({
      id: content.id,
      contact: contact.accountId,
      contentKind: content.kind,
      text: '',
      replyTo: undefined,
      sentAt: content.sentAt,
      ...readExtensions(content.extensions),
    })
  }
}

/**
 * Only the device's own word frees the outbox (protocol §4). `standsUnder` names the account that a message of ours was
 * written to: the contact's own, or the one that it had before.
 */
export function receiptHandler(
  outbox: ReceiptParts,
  standsUnder: (messageId: Uint8Array, contact: Contact) => Promise<Uint8Array>,
): Handler {
  return async ({ contact, deviceId, body }) => {
    if (!isOpen(contact) || body.kind !== CONTENT_KIND.receipt) return NOTHING
    const { delivered, read } = body.body
    const seen = new Map(read.map((id) => [toHex(id), id]))
    const taken = new Map(delivered.filter((id) => !seen.has(toHex(id))).map((id) => [toHex(id), id]))
    const ops: StoreOp[] = []
    const facts: Fact[] = []
    for (const [ids, status] of [[taken, 'delivered'] as const, [seen, 'read'] as const]) {
      for (const id of ids.values()) {
        const settled = await outbox.deliveredOps(await standsUnder(id, contact), deviceId, [id], status)
        ops.push(...settled.ops)
        facts.push(...settled.facts)
      }
    }
    return { ops, facts }
  }
}
