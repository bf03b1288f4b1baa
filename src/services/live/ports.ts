/** What the live room asks of its neighbours, and what it says. A leaf: only types. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { ContactWatcher } from '../../store/contacts.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Contact, ContactDevice } from '../../store/records.ts'
import type { DirectNetwork } from '../ports.ts'
import type { Journal } from '../events/journal.ts'

/** What a contact does at the moment; kept nowhere. */
export type LiveSignal =
  | { readonly type: 'typing'; readonly contact: Uint8Array; readonly typing: boolean }
  | { readonly type: 'presence'; readonly contact: Uint8Array; readonly online: boolean }

export interface LiveSettings {
  current(): { readonly typing: boolean; readonly presence: boolean }
  watch(watcher: () => void): () => void
}

export interface LiveSessions {
  /** `undefined` where no session with the device is in use by both sides. Inside a journal change. */
  sealLive(
    contact: Contact,
    device: ContactDevice,
    content: Uint8Array,
  ): Promise<{ readonly ops: readonly StoreOp[]; readonly sealed: { readonly envelope: Uint8Array } } | undefined>
  /** `undefined` where the envelope is of no session with the device. Throws DecryptError. Inside a journal change. */
  openLive(
    device: { readonly accountId: Uint8Array; readonly deviceId: Uint8Array },
    envelope: Uint8Array,
  ): Promise<{ readonly ops: readonly StoreOp[]; readonly content: Uint8Array } | undefined>
}

export interface LiveComponents {
  readonly contacts: {
    get(accountId: Uint8Array): Promise<Contact | undefined>
    list(): Promise<readonly Contact[]>
    watch(watcher: ContactWatcher): () => void
  }
  readonly direct: Pick<DirectNetwork, 'send' | 'connected' | 'hearsLive'>
  readonly sessions: LiveSessions
  readonly settings: LiveSettings
  readonly journal: Journal
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}
