/** A message out: kept with its outbox items in one batch, then on its way. */
import { equal, utf8 } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { IdentityChangedError, LimitError, UsageError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'
import { encode } from '../../wire/codec.ts'
import { CONTENT_KIND, contentExtensions, TEXT_BYTES_MAX, textBodyCodec, timerBodyCodec } from '../../wire/content.ts'
import type { StoreOp } from '../../store/database.ts'
import { CONTACT_STATE, GONE } from '../../store/records.ts'
import type { Contact, Message } from '../../store/records.ts'
import type { Fact, Journal } from '../events/journal.ts'
import type { Saying } from './compose.ts'
import type { Enqueued } from './outbox.ts'

export interface SendComponents {
  readonly journal: Journal
  readonly contacts: { require(accountId: Uint8Array): Promise<Contact> }
  readonly conversations: {
    outgoingOps(
      draft: {
        id: Uint8Array
        contact: Uint8Array
        contentKind: number
        text: string
        replyTo: Uint8Array | undefined
        sentAt: number
      },
      timerOperation: Uint8Array,
    ): Promise<{
      ops: readonly StoreOp[]
      facts: readonly Fact[]
      message: Message
      lamport: number
      begins: { readonly operation: Uint8Array; readonly seconds: number; readonly lamport: number } | undefined
    }>
    find(id: Uint8Array): Promise<Message | undefined>
  }
  readonly outbox: { enqueue(saying: Saying): Enqueued }
  readonly clock: Clock
  readonly rng: Rng
}

/** What the user says. `id` names it, so that saying it twice sends it once. */
export interface Outgoing {
  readonly contact: Uint8Array
  readonly text: string
  readonly replyTo?: Uint8Array
  readonly id?: Uint8Array
}

/**
 * Accepts a text for delivery; from here on it is delivered or reported as expired. Throws NotFoundError (no such contact),
 * IdentityChangedError, UsageError (blocked, not accepted, empty) or LimitError (over 1 MiB, outbox full).
 */
export async function send(c: SendComponents, outgoing: Outgoing): Promise<Message> {
  if (outgoing.text === '') throw new UsageError('the message is empty')
  if (utf8(outgoing.text).length > TEXT_BYTES_MAX)
    throw new LimitError('a message has at most 1 MiB; send a file instead')
  const id = outgoing.id ?? c.rng.bytes(16)
  return c.journal.commit(async () => {
    const known = await c.conversations.find(id)
    if (known !== undefined && isSame(known, outgoing)) return { ops: [], facts: [], result: known }
    const contact = await c.contacts.require(outgoing.contact)
    refuseUnlessOpen(contact)
    const sentAt = c.clock.now()
    const { text, replyTo } = outgoing
    const kept = await c.conversations.outgoingOps(
      { id, contact: contact.accountId, contentKind: CONTENT_KIND.text, text, replyTo, sentAt },
      c.rng.bytes(16),
    )
    const { lamport, begins, message } = kept
    const saying = { sentAt, contact: contact.accountId, devices: contact.devices.map(({ deviceId }) => deviceId) }
    const timer =
      begins === undefined
        ? undefined
        : c.outbox.enqueue({
            ...saying,
            id: begins.operation,
            kind: CONTENT_KIND.timer,
            body: encode(timerBodyCodec, { seconds: begins.seconds }),
            quiet: true,
            extensions: contentExtensions({ lamport: begins.lamport }),
          })
    const queued = c.outbox.enqueue({
      ...saying,
      id,
      kind: CONTENT_KIND.text,
      body: encode(textBodyCodec, { text, replyTo }),
      quiet: false,
      extensions: contentExtensions({ lamport, timerSeconds: message.timerSeconds }),
    })
    return {
      ops: [...kept.ops, ...(timer?.ops ?? []), ...queued.ops],
      facts: kept.facts,
      result: message,
      done: queued.added,
    }
  })
}

/** The message was accepted before; what became of it since does not make it another one. */
function isSame(known: Message, { contact, text }: Outgoing): boolean {
  return known.outgoing && equal(known.contact, contact) && (known.text === text || known.gone !== GONE.no)
}

/** Throws IdentityChangedError or UsageError where nothing can be said to the contact. */
export function refuseUnlessOpen(contact: Contact): void {
  if (contact.changed !== undefined) {
    throw new IdentityChangedError(
      'the keys of this contact changed: compare the safety number, then verify the contact',
    )
  }
  if (contact.state === CONTACT_STATE.blocked) throw new UsageError('this contact is blocked: unblock it first')
  if (contact.state === CONTACT_STATE.incoming) throw new UsageError('accept the contact request first')
}
