/**
 * What a user does to messages, told to the contact: kept with its outbox items in one batch, then on its way like any
 * message, but without a status. An operation that the caller names counts once: named again, it changes nothing.
 */
import { utf8 } from '../../lib/bytes.ts'
import { LimitError, UsageError } from '../../lib/errors.ts'
import { DAY_MS } from '../../lib/time.ts'
import { isEmoji } from '../../protocol/emoji.ts'
import { isTimer } from '../../protocol/message-timer.ts'
import { encode } from '../../wire/codec.ts'
import {
  CONTENT_KIND,
  contentExtensions,
  deleteBodyCodec,
  editBodyCodec,
  EMOJI_BYTES_MAX,
  reactionBodyCodec,
  TEXT_BYTES_MAX,
  timerBodyCodec,
} from '../../wire/content.ts'
import type { StoreOp } from '../../store/database.ts'
import { GONE } from '../../store/records.ts'
import type { Contact, Message } from '../../store/records.ts'
import type { Change, Fact } from '../events/journal.ts'
import type { Grave } from './letters.ts'
import { refuseUnlessOpen } from './send.ts'
import type { SendComponents } from './send.ts'

/** How long a named operation is remembered. */
const NAMED_MS = 31 * DAY_MS

type Act =
  | { readonly kind: 'edit'; readonly target: Uint8Array; readonly text: string }
  | { readonly kind: 'react'; readonly target: Uint8Array; readonly emoji: string }
  | { readonly kind: 'delete'; readonly targets: readonly Uint8Array[] }
interface Said {
  readonly contact: Uint8Array
  readonly side: 'own'
  readonly operation: Uint8Array
  readonly lamport: number
  readonly at: number
}
interface Part {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
}

export interface OperateComponents extends Omit<SendComponents, 'conversations'> {
  readonly conversations: {
    require(id: Uint8Array): Promise<Message>
    nextLamport(contact: Uint8Array): Promise<number>
    operateOps(said: Said, act: Act): Promise<Part & { readonly unsent: readonly Uint8Array[] }>
    timerOps(said: Said, seconds: number): Promise<Part>
  }
  /** Operations that were named, by conversation. */
  readonly named: {
    has(contact: Uint8Array, operation: Uint8Array): Promise<boolean>
    put(contact: Uint8Array, operation: Uint8Array, until: number): readonly StoreOp[]
  }
  readonly callOff: CallOff
}

/** Ends what is still on its way of sayings that need not arrive any more; `done` once that is on disk. */
export type CallOff = (
  contact: Uint8Array,
  ids: readonly Uint8Array[],
) => Promise<{ readonly ops: readonly StoreOp[]; readonly done: () => void }>

export function callOffWith(c: {
  readonly outbox: () => {
    takeBackOps(
      id: Uint8Array,
      contact: Uint8Array,
    ): Promise<{ readonly ops: readonly StoreOp[]; readonly graves: readonly Grave[] }>
  }
  readonly tombstones: {
    buryOps(graves: readonly Grave[]): { readonly ops: readonly StoreOp[]; readonly added: () => void }
  }
}): CallOff {
  return async (contact, ids) => {
    const ops: StoreOp[] = []
    const graves: Grave[] = []
    for (const id of ids) {
      const ended = await c.outbox().takeBackOps(id, contact)
      ops.push(...ended.ops)
      graves.push(...ended.graves)
    }
    if (graves.length === 0) return { ops, done() {} }
    const buried = c.tombstones.buryOps(graves)
    return { ops: [...ops, ...buried.ops], done: buried.added }
  }
}

/** Throws NotFoundError, UsageError (another's message, gone, empty, no contact to tell), LimitError (over 1 MiB). */
export async function editMessage(
  c: OperateComponents,
  input: { readonly id: Uint8Array; readonly text: string; readonly operation?: Uint8Array },
): Promise<void> {
  const { id, text } = input
  if (text === '') throw new UsageError('the message is empty: delete it instead')
  if (utf8(text).length > TEXT_BYTES_MAX) throw new LimitError('a message has at most 1 MiB')
  await operate(c, input, (message) => {
    if (!message.outgoing) throw new UsageError('only the author of a message can change it')
    if (message.contentKind !== CONTENT_KIND.text) throw new UsageError('only texts can be changed')
    return {
      act: { kind: 'edit', target: id, text },
      kind: CONTENT_KIND.edit,
      body: encode(editBodyCodec, { target: id, text }),
    }
  })
}

/** Gives the message this user's one reaction, or takes it back (empty). */
export async function react(
  c: OperateComponents,
  input: { readonly id: Uint8Array; readonly emoji: string; readonly operation?: Uint8Array },
): Promise<void> {
  const { id, emoji } = input
  if (utf8(emoji).length > EMOJI_BYTES_MAX || (emoji !== '' && !isEmoji(emoji))) {
    throw new UsageError('a reaction is one emoji')
  }
  await operate(c, input, () => ({
    act: { kind: 'react', target: id, emoji },
    kind: CONTENT_KIND.reaction,
    body: encode(reactionBodyCodec, { target: id, emoji }),
  }))
}

/** Deletes an own message on both sides, for ever. What was not delivered yet is taken back. Again: nothing. */
export async function deleteForBoth(
  c: OperateComponents,
  input: { readonly id: Uint8Array; readonly operation?: Uint8Array },
): Promise<void> {
  const { id } = input
  await operate(
    c,
    input,
    (message) => {
      if (!message.outgoing) throw new UsageError('only its author can delete a message for both')
      return {
        act: { kind: 'delete', targets: [id] },
        kind: CONTENT_KIND.delete,
        body: encode(deleteBodyCodec, { targets: [id] }),
      }
    },
    { goneIsDone: true },
  )
}

/** How long new messages stay once they were read, for both; 0 for ever. */
export async function setTimer(
  c: OperateComponents,
  input: { readonly contact: Uint8Array; readonly seconds: number; readonly operation?: Uint8Array },
): Promise<void> {
  const { seconds } = input
  if (!isTimer(seconds)) throw new UsageError('a timer is off, or 5 seconds to 4 weeks')
  await c.journal.commit(async () => {
    const contact = await c.contacts.require(input.contact)
    const { said, known } = await spoken(c, contact.accountId, input.operation)
    if (known) return NO_CHANGE
    refuseUnlessOpen(contact)
    const part = await c.conversations.timerOps(said, seconds)
    return told(c, contact, said, part, { kind: CONTENT_KIND.timer, body: encode(timerBodyCodec, { seconds }) }, input)
  })
}

/** How this user says the next thing in the conversation; `known` where it was said already. */
async function spoken(
  c: OperateComponents,
  contact: Uint8Array,
  named: Uint8Array | undefined,
): Promise<{ readonly said: Said; readonly known: boolean }> {
  const operation = named ?? c.rng.bytes(16)
  const lamport = await c.conversations.nextLamport(contact)
  const known = named !== undefined && (await c.named.has(contact, named))
  return { said: { contact, side: 'own', operation, lamport, at: c.clock.now() }, known }
}

/** The part, what tells the contact, and the memory of its name. */
function told(
  c: OperateComponents,
  contact: Contact,
  said: Said,
  part: Part,
  saying: Saying,
  input: { readonly operation?: Uint8Array },
): Change<undefined> {
  const { operation, lamport, at } = said
  const queued = c.outbox.enqueue({
    id: operation,
    kind: saying.kind,
    body: saying.body,
    sentAt: at,
    contact: contact.accountId,
    devices: contact.devices.map(({ deviceId }) => deviceId),
    quiet: true,
    extensions: contentExtensions({ lamport }),
  })
  const name = input.operation === undefined ? [] : c.named.put(said.contact, operation, at + NAMED_MS)
  return { ops: [...part.ops, ...queued.ops, ...name], facts: part.facts, result: undefined, done: queued.added }
}

const NO_CHANGE: Change<undefined> = { ops: [], facts: [], result: undefined }

interface Saying {
  readonly kind: number
  readonly body: Uint8Array
}

async function operate(
  c: OperateComponents,
  input: { readonly id: Uint8Array; readonly operation?: Uint8Array },
  make: (message: Message) => Saying & { readonly act: Act },
  { goneIsDone = false } = {},
): Promise<void> {
  await c.journal.commit(async () => {
    const message = await c.conversations.require(input.id)
    const { said, known } = await spoken(c, message.contact, input.operation)
    if (known) return NO_CHANGE
    const saying = make(message)
    if (message.gone !== GONE.no) {
      if (goneIsDone) return NO_CHANGE
      throw new UsageError('the message is gone')
    }
    const contact = await c.contacts.require(message.contact)
    refuseUnlessOpen(contact)
    const part = await c.conversations.operateOps(said, saying.act)
    const off = await c.callOff(message.contact, part.unsent)
    const change = told(c, contact, said, part, saying, input)
    return {
      ...change,
      ops: [...off.ops, ...change.ops],
      done: () => {
        off.done()
        change.done?.()
      },
    }
  })
}
