export type MessageState = 'queued' | 'stored' | 'delivered' | 'read' | 'expired' | 'failed' | 'taken-back'

export interface MessageView {
  readonly id: string
  readonly contact: string
  readonly outgoing: boolean
  readonly kind: 'text' | 'unsupported'
  /** Empty once it was deleted or has run out. */
  readonly text: string
  readonly replyTo: string | null
  readonly sentAt: string
  readonly committedAt: string
  readonly status: MessageState
  /** How many holders proved last that they keep it, of how many asked for: `stored 4/5`. Zero on the direct path. */
  readonly stored: number
  readonly storedOf: number
  /** The path by which it last went. */
  readonly path: 'none' | 'direct' | 'mailbox'
  /** When the text was last replaced by its author; null where it never was. */
  readonly editedAt: string | null
  /** Deleted for both by its author, or run out: only its place is left. */
  readonly gone: 'no' | 'deleted' | 'expired'
  /** At most one of each side. */
  readonly reactions: readonly ReactionView[]
  readonly starred: boolean
  /** Pinned in its conversation, on this side. */
  readonly pinned: boolean
  /** Disappears this long after it was read; null stays. */
  readonly timerSeconds: number | null
  /** When it disappears, once that is known. */
  readonly expiresAt: string | null
  /** Opaque: pass it back as the page cursor. */
  readonly cursor: string
}
export interface ReactionView {
  /** Whether this user gave it. */
  readonly own: boolean
  /** One emoji, at most 32 bytes. */
  readonly emoji: string
  readonly at: string
}
export interface MessageFlags {
  readonly starred?: boolean
  readonly pinned?: boolean
}

export interface ConversationView {
  readonly contact: string
  readonly name: string
  /** Its text is a preview: the first 1,024 bytes, up to a whole character. All of it: `message(id)`. */
  readonly lastMessage: MessageView | null
  readonly unread: number
  readonly muted: boolean
  readonly pinned: boolean
  /** Marked as unread by hand; ends with the next reading. */
  readonly markedUnread: boolean
  /** New messages disappear this long after they were read; null stay. Both sides have the same. */
  readonly timerSeconds: number | null
  /** What the user began to write, or empty. */
  readonly draft: string
  /** Pinned messages, newest first, at most 16. */
  readonly pins: readonly string[]
}
export interface ConversationChange {
  readonly muted?: boolean
  readonly pinned?: boolean
  readonly markedUnread?: boolean
  /** Told to the contact. Null, or 5 s to 4 weeks. */
  readonly timerSeconds?: number | null
  /** At most 64 KiB; empty takes it away. */
  readonly draft?: string
}

/** Of messages it has at most 1 MiB of text, and at least one message where there is one: `next`, not the count, says whether it was the last. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Ask for the page after this one with it; null at the end. */
  readonly next: string | null
}

export interface WhyView {
  readonly id: string
  readonly status: MessageState
  readonly devices: readonly {
    readonly deviceId: string
    readonly path: 'none' | 'direct' | 'mailbox'
    readonly attempts: number
    readonly nextAttemptAt: string | null
    readonly expiresAt: string
    readonly holders: readonly { readonly peerId: string; readonly at: string }[]
    /** How many holders showed that they have it when they were last asked; null before that. */
    readonly proved: { readonly holders: number; readonly at: string } | null
    readonly steps: readonly { readonly at: string; readonly event: string; readonly detail: string }[]
  }[]
  /** One sentence in plain words: what is proved so far, and what happens next. */
  readonly summary: string
}

export interface MessagesPart {
  conversations(): Promise<readonly ConversationView[]>
  conversation(accountId: string): Promise<ConversationView>
  updateConversation(accountId: string, change: ConversationChange): Promise<ConversationView>
  /** Deletes every message of it on this device only. */
  clearConversation(accountId: string): Promise<void>
  /** Newest first, in causal order: what was written after reading a message stands after it, on both sides alike. */
  messages(accountId: string, input: { cursor?: string; limit: number }): Promise<Page<MessageView>>
  message(id: string): Promise<MessageView>
  /** Messages that have every word (prefixes count), newest first; of one contact or of all. */
  search(input: SearchInput): Promise<Page<MessageView>>
  starred(input: { cursor?: string; limit: number }): Promise<Page<MessageView>>
  send(accountId: string, input: { text: string; replyTo?: string; id?: string }): Promise<MessageView>
  /** Replaces the text for both. Throws UsageError for another's message, or one that is gone. */
  editMessage(id: string, input: { text: string; operation?: string }): Promise<MessageView>
  /** One reaction a side; null takes it back. */
  react(id: string, input: { emoji: string | null; operation?: string }): Promise<MessageView>
  flagMessage(id: string, flags: MessageFlags): Promise<MessageView>
  /** `both`: the author's word, for ever, also where the message comes later. `me`: on this device. */
  deleteMessage(id: string, input: { for: 'both' | 'me'; operation?: string }): Promise<void>
  /** Takes back what was not delivered yet, for every device. Throws NotFoundError; ConflictError where it is too late. */
  takeBack(id: string): Promise<MessageView>
  markRead(accountId: string, input: { upTo?: string }): Promise<{ marked: number }>
  why(id: string): Promise<WhyView>
}

export interface SearchInput {
  readonly query: string
  readonly contact?: string
  readonly cursor?: string
  readonly limit: number
}
