/** Messages in runs of days. The order is the API's; a clock that went wrong never moves a message. */
import type { MessageView } from '../../../api/application/messages.ts'
import { dayKey } from '../../words/time.ts'

export interface DayGroup {
  /** The first message's: it names the day. */
  readonly at: string
  /** The day's own: it stays when older messages come before these. */
  readonly day: number
  readonly messages: readonly MessageView[]
}

const RUN_MS = 5 * 60_000

export function dayGroups(messages: readonly MessageView[]): readonly DayGroup[] {
  const groups: { at: string; day: number; messages: MessageView[] }[] = []
  for (const message of messages) {
    const day = dayKey(message.sentAt)
    const last = groups.at(-1)
    // An earlier day in between is somebody's clock, not the past.
    if (last !== undefined && day <= last.day) last.messages.push(message)
    else groups.push({ at: message.sentAt, day, messages: [message] })
  }
  return groups
}

/** Whether a message follows another of the same side closely, so that both stand together. */
export function isRun(before: MessageView | undefined, message: MessageView): boolean {
  if (before === undefined || before.outgoing !== message.outgoing) return false
  return Math.abs(new Date(message.sentAt).getTime() - new Date(before.sentAt).getTime()) < RUN_MS
}

/** The first message of those that were not read when the conversation was opened. */
export function firstUnread(messages: readonly MessageView[], unread: number): string | null {
  const incoming = messages.filter(({ outgoing }) => !outgoing)
  return unread === 0 ? null : (incoming.at(-Math.min(unread, incoming.length))?.id ?? null)
}
