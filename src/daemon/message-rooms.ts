/** Conversations, what makes their messages disappear, and what it takes to change them: built together. */
import type { Base } from './base.ts'
import { Conversations } from '../services/conversations/conversations.ts'
import { noteName } from '../services/conversations/gone.ts'
import type { ConversationComponents } from '../services/conversations/ports.ts'
import { Sweeper } from '../services/conversations/sweeper.ts'
import type { Journal } from '../services/events/journal.ts'
import type { Mailbox } from '../services/mailbox/mailbox.ts'
import { callOffWith } from '../services/outbox/operate.ts'
import type { CallOff, OperateComponents } from '../services/outbox/operate.ts'
import type { Outbox } from '../services/outbox/outbox.ts'
import type { UserSettings } from '../services/settings/values.ts'
import { bucketRange } from '../store/buckets.ts'
import type { Store } from '../store/store.ts'

export interface MessageRooms {
  readonly conversations: Conversations
  readonly sweeper: Sweeper
  /** What conversations are made of, for what is done to them on this device. */
  readonly talk: ConversationComponents
  readonly callOff: CallOff
  readonly named: OperateComponents['named']
}

interface Around {
  readonly base: Base
  readonly store: Store
  readonly journal: Journal
  readonly mailbox: Mailbox
  readonly choices: () => UserSettings
  /** Made after the conversations that it reports to. */
  readonly outbox: () => Outbox
}

export function messageRooms({ base, store, journal, mailbox, choices, outbox }: Around): MessageRooms {
  const { clock, database } = base
  const callOff = callOffWith({ outbox, tombstones: mailbox.tombstones })
  const shared = { store, journal, clock, index: store.search, choices }
  const sweeper = new Sweeper({
    ...shared,
    callOff,
    compact: async (contacts) => {
      await store.search.tend()
      for (const contact of contacts) await database.compact(store.messages.range(contact))
      for (const bucket of BESIDES) await database.compact(bucketRange(bucket))
    },
    log: base.log.child('sweeper'),
  })
  const talk = { ...shared, wiping: sweeper }
  const named: OperateComponents['named'] = {
    has: async (contact, operation) => store.operations.has(noteName(contact, operation)),
    put: (contact, operation, until) => store.operations.put(noteName(contact, operation), until),
  }
  return { conversations: new Conversations(talk), sweeper, talk, callOff, named }
}

/** Where texts were besides: edits, what was on its way, what came in parts. */
const BESIDES = ['marks', 'outbox', 'parts'] as const
