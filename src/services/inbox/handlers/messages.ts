/** Handlers for what is shown: texts, kinds this version does not know, and receipts for what we sent. */
import { CONTENT_KIND } from '../../../wire/content.ts'
import type { MessageStatus } from '../../../protocol/message-status.ts'
import { CONTACT_STATE } from '../../../store/records.ts'
import type { Contact } from '../../../store/records.ts'
import type { Handled, Handler } from '../ports.ts'

/** A message to keep. */
export interface IncomingMessage {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly contentKind: number
  readonly text: string
  readonly replyTo: Uint8Array | undefined
  readonly sentAt: number
}
export interface MessageParts {
  incomingOps(message: IncomingMessage): Promise<Handled>
  advanceOps(contact: Uint8Array, ids: readonly Uint8Array[], status: MessageStatus): Promise<Handled>
}
export interface ReceiptParts {
  deliveredOps(contact: Uint8Array, deviceId: Uint8Array, ids: readonly Uint8Array[]): Promise<Handled>
}

const NOTHING: Handled = { ops: [], facts: [] }

/** Strangers, and contacts that wait for our answer, say nothing that is kept. */
function isOpen(contact: Contact | undefined): contact is Contact {
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
    })
  }
}

/** Only the device's own word frees the outbox (protocol §4). */
export function receiptHandler(outbox: ReceiptParts, messages: MessageParts): Handler {
  return async ({ contact, deviceId, body }) => {
    if (!isOpen(contact) || body.kind !== CONTENT_KIND.receipt) return NOTHING
    const { delivered, read } = body.body
    const settled = await outbox.deliveredOps(contact.accountId, deviceId, [...delivered, ...read])
    const seen = await messages.advanceOps(contact.accountId, read, 'read')
    return { ops: [...settled.ops, ...seen.ops], facts: [...settled.facts, ...seen.facts] }
  }
}
