/** Pages of messages laid over what is known already. A thread stands oldest first; the API's pages newest first. */
import type { MessageView } from '../../api/application/messages.ts'

/**
 * The thread after its newest page was read again: the page wins over what it covers, older ones stay. Where the page does not
 * touch what is known, something between them was not seen, and only the page is left.
 */
export function withNewestPage(
  known: readonly MessageView[],
  page: readonly MessageView[],
  reachesStart: boolean,
): { readonly messages: readonly MessageView[]; readonly joined: boolean } {
  const newest = page.toReversed()
  const first = newest[0]
  if (first === undefined || reachesStart) return { messages: newest, joined: true }
  const at = known.findIndex(({ id }) => id === first.id)
  if (at >= 0) return { messages: [...known.slice(0, at), ...newest], joined: true }
  return { messages: newest, joined: false }
}

/** The thread with an older page before it; what is there already is not doubled. */
export function withOlderPage(known: readonly MessageView[], page: readonly MessageView[]): readonly MessageView[] {
  const ids = new Set(known.map(({ id }) => id))
  return [...page.toReversed().filter(({ id }) => !ids.has(id)), ...known]
}

/** The thread with one message read again in its place. One that is not in it is left out: where it stands is the API's to say. */
export function withMessage(known: readonly MessageView[], message: MessageView): readonly MessageView[] {
  const at = known.findIndex(({ id }) => id === message.id)
  return at < 0 ? known : known.with(at, message)
}

export function withoutMessages(known: readonly MessageView[], ids: ReadonlySet<string>): readonly MessageView[] {
  return known.some(({ id }) => ids.has(id)) ? known.filter(({ id }) => !ids.has(id)) : known
}
