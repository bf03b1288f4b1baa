import type { ConversationView } from '../../../api/application/messages.ts'

/** Pinned ones first, then by their last message. */
export function sortedChats(list: readonly ConversationView[]): readonly ConversationView[] {
  const timeOf = ({ lastMessage }: ConversationView): string => lastMessage?.committedAt ?? ''
  return list.toSorted(
    (one, other) => Number(other.pinned) - Number(one.pinned) || timeOf(other).localeCompare(timeOf(one)),
  )
}
