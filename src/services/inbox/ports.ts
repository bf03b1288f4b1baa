/** What the inbox asks of its neighbours. A leaf: only types. */
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { Content, ContentBody } from '../../wire/content.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Contact } from '../../store/records.ts'
import type { Fact } from '../events/journal.ts'

/** An envelope that decrypted. Nothing of it holds before its ops are written. */
export interface Opened {
  readonly accountId: Uint8Array
  readonly deviceId: Uint8Array
  readonly content: Uint8Array
  readonly ops: readonly StoreOp[]
  /** The verified card that came with a session's first message. */
  readonly prekeys: PrekeyCard | undefined
  /** The device began anew although a session with it was in use: it lost its own. */
  readonly replaced: boolean
}

export interface InboxSessions {
  /** Decrypts inside a journal change. Throws DecryptError; then nothing has changed. What the change does not keep is undone. */
  open(envelope: Uint8Array): Promise<Opened>
}

/** What a handler adds to the batch; `done` runs once it is on disk. */
export interface Handled {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
  readonly done?: () => void
}

/** Who says what: the contact as stored (undefined for a stranger), the device, and the message. */
export interface Incoming {
  readonly contact: Contact | undefined
  readonly accountId: Uint8Array
  readonly deviceId: Uint8Array
  readonly prekeys: PrekeyCard | undefined
  readonly content: Pick<Content, 'id' | 'kind' | 'sentAt' | 'extensions'>
  readonly body: ContentBody
}

/** Handles one kind of content. Only reads; what it wants written it returns. */
export type Handler = (incoming: Incoming) => Promise<Handled>
