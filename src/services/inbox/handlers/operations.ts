/** Handlers for what a contact does to messages: edits, reactions, deletions, the conversation's timer. */
import { toHex } from '../../../lib/bytes.ts'
import { CONTENT_KIND, readExtensions } from '../../../wire/content.ts'
import { isEmoji } from '../../../protocol/emoji.ts'
import type { Contact } from '../../../store/records.ts'
import type { Handled, Handler, Incoming } from '../ports.ts'
import { isOpen } from './messages.ts'

interface Said {
  readonly contact: Uint8Array
  readonly side: 'theirs'
  readonly operation: Uint8Array
  readonly lamport: number | undefined
  readonly at: number
}
type Act =
  | { readonly kind: 'edit'; readonly target: Uint8Array; readonly text: string }
  | { readonly kind: 'react'; readonly target: Uint8Array; readonly emoji: string }
  | { readonly kind: 'delete'; readonly targets: readonly Uint8Array[] }

export interface OperationParts {
  operateOps(said: Said, act: Act): Promise<Handled>
  timerOps(said: Said, seconds: number): Promise<Handled>
}
/** The account that a message was written under: the contact's own, or the one that it had before. */
export type StandsUnder = (messageId: Uint8Array, contact: Contact) => Promise<Uint8Array>

const NOTHING: Handled = { ops: [], facts: [] }

/** By kind of content. Who may say something may change it too: what a contact did may overtake that it agreed. */
export function operationHandlers(
  messages: OperationParts,
  standsUnder: StandsUnder,
): Readonly<Record<number, Handler>> {
  const handler: Handler = async (incoming) => {
    const { contact, body } = incoming
    if (!isOpen(contact)) return NOTHING
    if (body.kind === CONTENT_KIND.timer) {
      return messages.timerOps(saidBy(incoming, contact.accountId), body.body.seconds)
    }
    const act = actOf(body)
    if (act === undefined) return NOTHING
    if (act.kind === 'delete') return deletion(messages, standsUnder, incoming, contact, act.targets)
    return messages.operateOps(saidBy(incoming, await standsUnder(act.target, contact)), act)
  }
  const kinds = [CONTENT_KIND.reaction, CONTENT_KIND.edit, CONTENT_KIND.delete, CONTENT_KIND.timer]
  return Object.fromEntries(kinds.map((kind) => [kind, handler]))
}

function saidBy({ content }: Incoming, contact: Uint8Array): Said {
  const { lamport } = readExtensions(content.extensions)
  return { contact, side: 'theirs', operation: content.id, lamport, at: content.sentAt }
}

/** An empty edit is none: its author's program would have deleted the message. */
function actOf(body: Incoming['body']): Act | undefined {
  if (body.kind === CONTENT_KIND.edit && body.body.text !== '') return { kind: 'edit', ...body.body }
  if (body.kind === CONTENT_KIND.reaction)
    return isReaction(body.body.emoji) ? { kind: 'react', ...body.body } : undefined
  if (body.kind === CONTENT_KIND.delete) return { kind: 'delete', ...body.body }
  return undefined
}

/** One emoji, or none to take it back: thirty-two bytes of anything else are no reaction, whatever a contact sends. */
const isReaction = (emoji: string): boolean => emoji === '' || isEmoji(emoji)

/** The targets of each account that they stand under, together: a conversation changes once in a batch. */
async function deletion(
  messages: OperationParts,
  standsUnder: StandsUnder,
  incoming: Incoming,
  contact: Contact,
  targets: readonly Uint8Array[],
): Promise<Handled> {
  const under = new Map<string, { readonly account: Uint8Array; readonly targets: Uint8Array[] }>()
  for (const target of targets) {
    const account = await standsUnder(target, contact)
    const known = under.get(toHex(account)) ?? { account, targets: [] }
    known.targets.push(target)
    under.set(toHex(account), known)
  }
  const parts: Handled[] = []
  for (const each of under.values()) {
    parts.push(await messages.operateOps(saidBy(incoming, each.account), { kind: 'delete', targets: each.targets }))
  }
  return { ops: parts.flatMap(({ ops }) => ops), facts: parts.flatMap(({ facts }) => facts) }
}
