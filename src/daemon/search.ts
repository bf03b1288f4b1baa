/** Builds what keeps the search index: over the texts that conversations show. */
import { shownMessage } from '../services/conversations/gone.ts'
import type { Journal } from '../services/events/journal.ts'
import { SearchKeeper } from '../services/search/search-keeper.ts'
import { UNMARKED } from '../store/marks.ts'
import type { Store } from '../store/store.ts'
import type { Base } from './base.ts'

export function searchKeeper({ clock, log }: Base, store: Store, journal: Journal): SearchKeeper {
  return new SearchKeeper({
    index: store.search,
    journal,
    clock,
    log: log.child('search'),
    messages: {
      contacts: async () => (await store.conversations.all()).map(({ contact }) => contact),
      older: async (contact, before, limit) => {
        const page = await store.messages.page(contact, { limit, ...(before === undefined ? {} : { before }) })
        const marks = await store.marks.ofAll(page)
        return page.map((message, i) => shownMessage(message, marks[i] ?? UNMARKED))
      },
    },
  })
}
