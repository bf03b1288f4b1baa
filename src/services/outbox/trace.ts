import type { OutboxItem } from '../../store/records.ts'
import { TRACE_MAX } from './limits.ts'

/** The item with one more step in its story; a step that repeats the last one only moves its time. */
export function traced(item: OutboxItem, at: number, event: string, detail = ''): OutboxItem {
  const last = item.trace.at(-1)
  const repeats = last !== undefined && last.event === event && last.detail === detail
  const kept = repeats ? item.trace.slice(0, -1) : item.trace
  const trimmed = kept.length < TRACE_MAX ? kept : [...kept.slice(0, 1), ...kept.slice(kept.length - TRACE_MAX + 2)]
  return { ...item, trace: [...trimmed, { at, event, detail: detail.slice(0, 120) }] }
}
