/**
 * What is done to messages, by this user and by contacts, merged so that it does not matter in which order or how often it
 * comes (protocol/message-marks). Only reads; what changes is returned.
 */
import { equal, toHex } from '../../lib/bytes.ts'
import { apply, compareStamps, counts } from '../../protocol/message-marks.ts'
import type { Operation, Side } from '../../protocol/message-marks.ts'
import { isTimer } from '../../protocol/message-timer.ts'
import { afterHeard, afterSaid, emptyConversation } from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import type { EarlyMarks } from '../../store/marks.ts'
import { GONE } from '../../store/records.ts'
import type { Conversation, Message, StoredMarks } from '../../store/records.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import type { Fact } from '../events/journal.ts'
import { authorOf, COPIES_MS, goneOps, noteName, shownMessage, wasRemoved } from './gone.ts'
import type { ConversationComponents, Part } from './ports.ts'

/** Who does it, under which id and number, and when by its own clock. */
export interface Said {
  readonly contact: Uint8Array
  readonly side: Side
  readonly operation: Uint8Array
  readonly lamport: number | undefined
  readonly at: number
}
export type Act =
  | { readonly kind: 'edit'; readonly target: Uint8Array; readonly text: string }
  | { readonly kind: 'react'; readonly target: Uint8Array; readonly emoji: string }
  | { readonly kind: 'delete'; readonly targets: readonly Uint8Array[] }

/** `unsent` names what this user said before and need not arrive any more. */
export interface Operated extends Part {
  readonly unsent: readonly Uint8Array[]
}

/** What one target's turn adds. */
interface Turn {
  readonly conversation: Conversation
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
  readonly unsent: readonly Uint8Array[]
}

const FACT_OF = { edit: 'message:edited', react: 'message:reacted', delete: 'message:deleted' } as const

/** Applies an operation. What is not the speaker's to do changes nothing. */
export async function operateOps(c: ConversationComponents, said: Said, act: Act): Promise<Operated> {
  const known = await c.store.conversations.get(said.contact)
  const before = known ?? emptyConversation(said.contact)
  const spoken = after(before, said)
  // What lost count counts as said now, once: a copy that comes later is not said later.
  if (spoken.lost && (await wasSaid(c, said))) return { ops: [], facts: [], unsent: [] }
  const operation = operationOf(said, act, spoken.lost ? spoken.lamport : (said.lamport ?? spoken.lamport))
  let turn: Turn = { conversation: spoken.conversation, ops: [], facts: [], unsent: [] }
  const early: EarlyMarks[] = []
  for (const target of targetsOf(act)) {
    const message = await c.store.messages.get(target)
    if (message !== undefined) turn = joined(turn, await messageTurn(c, turn.conversation, said, message, operation))
    else if (await mayCome(c, said, target)) early.push(await earlyMarks(c, said, target, operation))
  }
  const { conversation, facts, unsent } = turn
  return {
    ops: [
      ...turn.ops,
      ...(early.length === 0 ? [] : await c.store.marks.wait(said.contact, early, c.clock.now())),
      ...(known === undefined || conversation === before ? [] : c.store.conversations.put(conversation)),
      ...(spoken.lost ? saidOps(c, said) : []),
    ],
    facts,
    unsent,
  }
}

/** Sets the conversation's timer, unless it was set later: the two sides agree, whatever crossed on the way. */
export async function timerOps(c: ConversationComponents, said: Said, seconds: number): Promise<Part> {
  const before = (await c.store.conversations.get(said.contact)) ?? emptyConversation(said.contact)
  const { conversation, lamport } = after(before, said)
  const stamp = { lamport, operation: said.operation }
  const newer = before.timerStamp === undefined || compareStamps(stamp, before.timerStamp) > 0
  if (!isTimer(seconds) || !newer || (await wasSaid(c, said))) return { ops: [], facts: [] }
  const set = { ...conversation, timerSeconds: seconds, timerStamp: stamp }
  const data = { contact: toHex(said.contact), timerSeconds: seconds, own: said.side === 'own' }
  return {
    ops: [...c.store.conversations.put(set), ...saidOps(c, said)],
    facts: [{ type: 'conversation:changed', data }],
  }
}

/** The number under which it counts, and the conversation in which it was said. */
function after(before: Conversation, { side, lamport, at }: Said): ReturnType<typeof afterHeard> {
  if (side === 'theirs' || lamport === undefined) return afterHeard(before, lamport, at)
  return { conversation: afterSaid(before, lamport), lamport, lost: false }
}

/** Whether the contact's operation counted before, under a number that this side gave it. Own ones are named by who says them. */
async function wasSaid(c: ConversationComponents, { side, contact, operation }: Said): Promise<boolean> {
  return side === 'theirs' && c.store.operations.has(noteName(contact, operation))
}

function saidOps(c: ConversationComponents, { side, contact, operation }: Said): readonly StoreOp[] {
  return side === 'own' ? [] : c.store.operations.put(noteName(contact, operation), c.clock.now() + COPIES_MS)
}

function operationOf({ operation, at }: Said, act: Act, lamport: number): Operation {
  const stamp = { lamport, operation }
  if (act.kind === 'edit') return { kind: 'edit', edit: { ...stamp, text: act.text, at } }
  if (act.kind === 'react') return { kind: 'react', reaction: { ...stamp, emoji: act.emoji, at } }
  return { kind: 'delete' }
}

function targetsOf(act: Act): readonly Uint8Array[] {
  if (act.kind !== 'delete') return [act.target]
  return [...new Map(act.targets.map((id) => [toHex(id), id])).values()]
}

function joined(turn: Turn, next: Turn): Turn {
  return {
    conversation: next.conversation,
    ops: [...turn.ops, ...next.ops],
    facts: [...turn.facts, ...next.facts],
    unsent: [...turn.unsent, ...next.unsent],
  }
}

/** A contact's message may come after what it did to it; our own are here, or are none. */
async function mayCome(c: ConversationComponents, { side, contact }: Said, target: Uint8Array): Promise<boolean> {
  return side === 'theirs' && !(await wasRemoved(c, contact, target))
}

async function earlyMarks(
  c: ConversationComponents,
  { contact, side }: Said,
  id: Uint8Array,
  operation: Operation,
): Promise<EarlyMarks> {
  const before = await c.store.marks.get(contact, id)
  // What is deleted needs no other mark any more.
  const marks = { ...before, ...apply(before, side, operation) }
  const theirs = marks.theirs.deleted ? { ...marks.theirs, edit: undefined, reaction: undefined } : marks.theirs
  return { id, marks: { ...marks, theirs } }
}

async function messageTurn(
  c: ConversationComponents,
  conversation: Conversation,
  { contact, side }: Said,
  message: Message,
  operation: Operation,
): Promise<Turn> {
  const nothing: Turn = { conversation, ops: [], facts: [], unsent: [] }
  if (!equal(message.contact, contact) || message.gone !== GONE.no) return nothing
  if (!counts(side, authorOf(message), operation)) return nothing
  if (operation.kind === 'edit' && message.contentKind !== CONTENT_KIND.text) return nothing
  const marks = await c.store.marks.of(message)
  const next = { ...marks, ...apply(marks, side, operation) }
  if (next.own === marks.own && next.theirs === marks.theirs) return nothing
  const data = { id: toHex(message.id), contact: toHex(contact), own: side === 'own' }
  const facts: readonly Fact[] = [{ type: FACT_OF[operation.kind], data }]
  const unsent = side === 'own' ? overtaken(message, marks, operation) : []
  if (operation.kind === 'delete') {
    c.wiping.wiped(contact)
    return { ...(await goneOps(c, conversation, message, GONE.deleted)), facts, unsent }
  }
  return { conversation, ops: await markOps(c, message, marks, next), facts, unsent }
}

async function markOps(
  c: ConversationComponents,
  message: Message,
  before: StoredMarks,
  after: StoredMarks,
): Promise<readonly StoreOp[]> {
  const [was, is] = [shownMessage(message, before), shownMessage(message, after)]
  return [
    ...c.store.marks.put(message.contact, message.id, after),
    ...(message.marked ? [] : c.store.messages.put({ ...message, marked: true })),
    ...(was.text === is.text ? [] : await c.index.indexOps(was, is)),
  ]
}

/** What this user said before of the message, and is of no use now. */
function overtaken(message: Message, { own }: StoredMarks, operation: Operation): readonly Uint8Array[] {
  const edit = own.edit === undefined ? [] : [own.edit.operation]
  const reaction = own.reaction === undefined ? [] : [own.reaction.operation]
  if (operation.kind === 'edit') return edit
  return operation.kind === 'react' ? reaction : [message.id, ...edit, ...reaction]
}
