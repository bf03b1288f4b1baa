/**
 * What was done to a message after it was written: edits, reactions, deletion, a star. Kept apart from the message, so that
 * an operation may come before it; merged so that doubled, late and reordered operations never change the result:
 *
 * - an edit, and each side's reaction, is a register of its own: the highest (lamport, operation id) stays;
 * - a deletion stays for ever, and is all that is left;
 * - each side's word is kept under that side. Which of them counts is decided when it is shown, by who wrote the message:
 *   only its author's edits and deletions do. So nothing has to be known of a message whose marks come first.
 *
 * Merging is commutative, associative and idempotent (a join of registers); `test/property/message-marks.test.ts`.
 */

/** Where an operation stands among its side's others: `lamport` as it was said, and 16 bytes that name it. */
export interface Stamp {
  readonly lamport: number
  readonly operation: Uint8Array
}
/** `at` is the clock of whoever made it, in ms, for display only. */
export interface Edit extends Stamp {
  readonly text: string
  readonly at: number
}
/** An empty emoji has taken the reaction back. */
export interface Reaction extends Stamp {
  readonly emoji: string
  readonly at: number
}

/** What one side said of a message. */
export interface SideMarks {
  readonly edit: Edit | undefined
  readonly reaction: Reaction | undefined
  readonly deleted: boolean
}
export type Side = 'own' | 'theirs'
/** Both sides' words. */
export type Marks = Readonly<Record<Side, SideMarks>>

export type Operation =
  | { readonly kind: 'edit'; readonly edit: Edit }
  | { readonly kind: 'react'; readonly reaction: Reaction }
  | { readonly kind: 'delete' }

const NOTHING_SAID: SideMarks = { edit: undefined, reaction: undefined, deleted: false }
export const NO_MARKS: Marks = { own: NOTHING_SAID, theirs: NOTHING_SAID }

/** Above 0 where `a` comes after `b`, 0 where they are the same operation. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.lamport !== b.lamport) return a.lamport - b.lamport
  for (let i = 0; i < a.operation.length; i++) {
    const difference = (a.operation[i] ?? 0) - (b.operation[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The marks after an operation of `side`; the same object where it changes nothing. */
export function apply(marks: Marks, side: Side, operation: Operation): Marks {
  const before = marks[side]
  const after = applied(before, operation)
  return after === before ? marks : { ...marks, [side]: after }
}

function applied(marks: SideMarks, operation: Operation): SideMarks {
  switch (operation.kind) {
    case 'edit':
      return isNewer(operation.edit, marks.edit, ({ text }) => text) ? { ...marks, edit: operation.edit } : marks
    case 'react':
      return isNewer(operation.reaction, marks.reaction, ({ emoji }) => emoji)
        ? { ...marks, reaction: operation.reaction }
        : marks
    case 'delete':
      return marks.deleted ? marks : { ...marks, deleted: true }
  }
}

/** Who names two operations alike gets the one that says more, whichever came first. */
function isNewer<T extends Stamp>(next: T, known: T | undefined, said: (value: T) => string): boolean {
  if (known === undefined) return true
  const order = compareStamps(next, known)
  return order > 0 || (order === 0 && said(next) > said(known))
}

/** What is to be seen of a message that `author` wrote. */
export interface Shown {
  /** Deleted by its author: nothing else of it counts. */
  readonly deleted: boolean
  /** The author's last edit. */
  readonly edit: Edit | undefined
  /** Those that were not taken back. */
  readonly reactions: Readonly<Record<Side, Reaction | undefined>>
}

export function shown(marks: Marks, author: Side): Shown {
  if (marks[author].deleted) return { deleted: true, edit: undefined, reactions: { own: undefined, theirs: undefined } }
  const { edit } = marks[author]
  return { deleted: false, edit, reactions: { own: given(marks.own), theirs: given(marks.theirs) } }
}

const given = ({ reaction }: SideMarks): Reaction | undefined => (reaction?.emoji === '' ? undefined : reaction)

/** Whether the operation counts for a message of `author`, whatever else was said: others' edits and deletions do not. */
export function counts(side: Side, author: Side, operation: Operation): boolean {
  return operation.kind === 'react' || side === author
}
