import { CONTENT_KIND } from '../../../wire/content.ts'
import type { Handler } from '../ports.ts'

/** Who does not tell what was read is not told either (PR-05): what a receipt calls read was delivered, no more. */
export function withoutRead(receipts: Handler, shows: () => boolean): Handler {
  return async (incoming) => {
    const { body } = incoming
    if (shows() || body.kind !== CONTENT_KIND.receipt) return receipts(incoming)
    const { delivered, read } = body.body
    return receipts({ ...incoming, body: { ...body, body: { delivered: [...delivered, ...read], read: [] } } })
  }
}
