/** How much text an answer of the local API may hold: a page of long messages ends early, a list of conversations shows their beginnings. */
import type { MessageView } from '../../api/application/messages.ts'
import { fromUtf8, utf8 } from '../../lib/bytes.ts'

/** Of one page; one message of this size always fits. In JSON a byte of text has six characters at the most. */
const PAGE_TEXT_BYTES_MAX = 1_048_576
const PREVIEW_BYTES_MAX = 1_024
/** Messages that are read at once: each may be as large as a page. */
const STEP = 16

/** How many of these messages, from the first on, a page has room for: at least one, where there is one. */
function countThatFits(views: readonly Pick<MessageView, 'text'>[], leftBytes: number): number {
  let size = 0
  const end = views.findIndex(({ text }) => (size += utf8(text).length) > leftBytes)
  return end === -1 ? views.length : end
}

/**
 * Views of the first entries of a list that is read step by step, until `limit` of them or a page's worth of text is there. `more`:
 * there is another one behind them.
 */
export async function fill<T>(
  source: (count: number) => Promise<readonly T[]>,
  view: (entries: readonly T[]) => Promise<readonly MessageView[]>,
  limit: number,
): Promise<{ readonly items: readonly MessageView[]; readonly more: boolean }> {
  const items: MessageView[] = []
  let leftBytes = PAGE_TEXT_BYTES_MAX
  for (;;) {
    const wanted = Math.min(STEP, limit + 1 - items.length)
    const views = await view(await source(wanted))
    const room = Math.min(limit - items.length, countThatFits(views, leftBytes))
    const taken = views.slice(0, items.length === 0 ? Math.max(1, room) : room)
    items.push(...taken)
    leftBytes -= taken.reduce((size, { text }) => size + utf8(text).length, 0)
    if (taken.length < views.length) return { items, more: true }
    if (views.length < wanted) return { items, more: false }
  }
}

/** The same message with the first KiB of its text. */
export function preview(view: MessageView): MessageView {
  const bytes = utf8(view.text)
  if (bytes.length <= PREVIEW_BYTES_MAX) return view
  let end = PREVIEW_BYTES_MAX
  // Not within a character: its later bytes are 10xxxxxx.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return { ...view, text: fromUtf8(bytes.subarray(0, end)) ?? '' }
}
