import type { MessageView } from '../../api/application/messages.ts'

const PREVIEW_MAX = 160

/** A message in one line. */
export function preview({ kind, gone, text }: Pick<MessageView, 'kind' | 'gone' | 'text'>): string {
  if (gone === 'deleted') return 'Message deleted'
  if (gone === 'expired') return 'Message disappeared'
  if (kind === 'unsupported') return 'A kind of message that this version does not know'
  const line = text
    .slice(0, 2 * PREVIEW_MAX)
    .replaceAll(/\s+/g, ' ')
    .trim()
  return line.length > PREVIEW_MAX ? `${line.slice(0, PREVIEW_MAX - 1)}…` : line
}
