/**
 * The life of an outgoing message (protocol §4, "Message status is what was proved"):
 *
 *     queued → stored → delivered → read        queued, stored → expired, failed, taken-back → delivered → read
 *
 * A step is never taken back. `expired`, `failed` and `taken-back` say that trying has ended, not that nothing arrived: the recipient's
 * own receipt, which proves that it did, still counts after them; a holder's receipt does not.
 */
export type MessageStatus = 'queued' | 'stored' | 'delivered' | 'read' | 'expired' | 'failed' | 'taken-back'

const NEXT: Readonly<Record<MessageStatus, readonly MessageStatus[]>> = {
  queued: ['stored', 'delivered', 'read', 'expired', 'failed', 'taken-back'],
  stored: ['delivered', 'read', 'expired', 'failed', 'taken-back'],
  expired: ['delivered', 'read'],
  failed: ['delivered', 'read'],
  'taken-back': ['delivered', 'read'],
  delivered: ['read'],
  read: [],
}

/** The status after `proposed` was proved: that one where it is a step forward, else the current one. */
export function advance(current: MessageStatus, proposed: MessageStatus): MessageStatus {
  return NEXT[current].includes(proposed) ? proposed : current
}
