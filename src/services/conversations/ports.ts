/** What conversations ask of their neighbours. A leaf: only types. */
import type { Clock } from '../../lib/clock.ts'
import type { Conversations } from '../../store/conversations.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Expiries } from '../../store/expiries.ts'
import type { MarkRecords } from '../../store/marks.ts'
import type { Messages } from '../../store/messages.ts'
import type { Message } from '../../store/records.ts'
import type { SeenIds } from '../../store/seen.ts'
import type { Starred } from '../../store/starred.ts'
import type { Fact, Journal } from '../events/journal.ts'

/** What a change adds to a batch. */
export interface Part {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
}

export interface ConversationStore {
  readonly messages: Messages
  readonly conversations: Conversations
  readonly marks: MarkRecords
  readonly expiries: Expiries
  readonly starred: Starred
  readonly operations: SeenIds
  readonly removed: SeenIds
}

/** Keeps the words of texts findable, in the batch of the texts themselves. `text` is what is shown of a message. */
export interface TextIndex {
  indexOps(before: Message | undefined, after: Message | undefined): Promise<readonly StoreOp[]>
}

/** What the owner chose, as far as it is about messages. */
export interface Choices {
  readonly readReceipts: boolean
  readonly retentionDays: number | null
  readonly defaultTimerSeconds: number | null
}

/** Hears of messages whose end became known, and of conversations in whose files old bytes are left. */
export interface Wiping {
  expires(messageId: Uint8Array, at: number): void
  wiped(contact: Uint8Array): void
}

export interface ConversationComponents {
  readonly store: ConversationStore
  readonly journal: Journal
  readonly clock: Clock
  readonly index: TextIndex
  readonly choices: () => Choices
  readonly wiping: Wiping
}
