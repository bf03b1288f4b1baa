/** Text for people. What peers wrote is shown, never obeyed: control characters and direction overrides are made visible. */
import type { ContactView } from '../api/application/contacts.ts'
import type { MessageView } from '../api/application/messages.ts'
import { EXIT, errorRow } from '../api/errors.ts'
import { SottoError, messageOf } from '../lib/errors.ts'
import { paint } from './colour.ts'
import { cut, displayWidth } from './width.ts'

/** No column is cut to less. */
const CELL_MIN = 8

// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** The same but for line breaks, which in JSON stand between values only. */
const UNSAFE_IN_LINES = new RegExp(`(?!\n)${UNSAFE.source}`, UNSAFE.flags)

/** One safe line of untrusted text. */
export function safeLine(text: string): string {
  return text.replaceAll(UNSAFE, '\u{fffd}')
}

/** JSON for a terminal as well as for a program: what could steer a terminal is escaped, and means the same. */
export function safeJson(value: unknown, indent?: number): string {
  const steering = indent === undefined ? UNSAFE : UNSAFE_IN_LINES
  return JSON.stringify(value, undefined, indent).replaceAll(
    steering,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Untrusted text with its line breaks, continuation lines indented. */
function safeText(text: string, indent: string): string {
  return text
    .split(/\r?\n/)
    .map((part) => safeLine(part.replaceAll('\t', '  ')))
    .join(`\n${indent}`)
}

interface TableStyle {
  /** How wide it may be; undefined: as wide as it takes. */
  readonly columns?: number | undefined
  readonly colour?: boolean
}

/** Columns as wide as their longest cell; where that is too wide, the widest are cut. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { columns, colour = false }: TableStyle = {},
): string {
  const all = [head, ...rows.map((row) => row.map(safeLine))]
  const natural = head.map((_, at) => Math.max(...all.map((row) => displayWidth(row[at] ?? ''))))
  const widths = columns === undefined ? natural : fitting(natural, columns)
  const lines = all.map((row) =>
    row
      .map((cell, at) => padded(cut(cell, widths[at] ?? 0), widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line, at) => (at === 0 ? paint('bold', line, colour) : line)).join('\n')
}

/** The widest columns give way, down to what still says something. */
function fitting(natural: readonly number[], columns: number): readonly number[] {
  const widths = [...natural]
  let excess = widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1) - columns
  for (; excess > 0; excess--) {
    const widest = Math.max(...widths)
    if (widest <= CELL_MIN) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - displayWidth(cell)))
}

/** `name: value` lines. */
export function fields(entries: Readonly<Record<string, string | number | boolean | null>>): string {
  const width = Math.max(...Object.keys(entries).map((name) => name.length)) + 1
  return Object.entries(entries)
    .map(([name, value]) => `${`${name}:`.padEnd(width)} ${value === null ? '–' : safeLine(String(value))}`)
    .join('\n')
}

/** `2026-11-21 13:20` in the local time zone. */
export function when(iso: string): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return '–'
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** `stored 4/5`, `delivered (direct)`. */
export function statusOf(message: MessageView): string {
  if (message.status === 'stored') return `stored ${message.stored}/${message.storedOf}`
  return message.path === 'direct' ? `${message.status} (direct)` : message.status
}

export function messageLine(message: MessageView, name: string): string {
  const tail = message.outgoing ? ` [${statusOf(message)}]` : ''
  const who = message.outgoing ? `me → ${name}` : name
  const marks = marksOf(message).map((mark) => ` ${safeLine(mark)}`)
  return `${when(message.sentAt)}  ${safeLine(who)}: ${textOf(message)}${marks.join('')}${tail}  ${message.id}`
}

function textOf({ kind, gone, text }: MessageView): string {
  if (gone === 'deleted') return '(deleted)'
  if (gone === 'expired') return '(disappeared)'
  return kind === 'text' ? safeText(text, '    ') : '(a message of a kind that this version cannot show)'
}

/** What was done to it since: `(edited)`, reactions, star and pin. */
function marksOf({ editedAt, reactions, starred, pinned, timerSeconds }: MessageView): readonly string[] {
  return [
    ...(editedAt === null ? [] : ['(edited)']),
    ...reactions.map(({ emoji, own }) => (own ? `${emoji} (mine)` : emoji)),
    ...(starred ? ['★'] : []),
    ...(pinned ? ['(pinned)'] : []),
    ...(timerSeconds === null ? [] : ['(disappears)']),
  ]
}

export function contactRow(contact: ContactView): readonly string[] {
  const trust = contact.changed ? 'CHANGED KEY' : contact.verified ? 'verified' : contact.pinSource
  return [contact.name, contact.state, trust, contact.accountId]
}
export const CONTACT_HEAD = ['NAME', 'STATE', 'TRUST', 'ACCOUNT'] as const

/** The phrase in four columns, numbered. */
export function phraseGrid(phrase: string): string {
  const words = phrase.split(' ').map((word, at) => `${String(at + 1).padStart(2)} ${word}`.padEnd(14))
  const rows = Array.from({ length: Math.ceil(words.length / 4) }, (_, at) => words.slice(at * 4, at * 4 + 4))
  return rows.map((row) => `  ${row.join('').trimEnd()}`).join('\n')
}

/** What to do about it, by the error's code. */
const NEXT: Readonly<Record<string, string>> = {
  locked: 'run: sotto unlock',
  'identity-changed': 'sotto contact verify NAME shows the number; --accept-change takes the new key',
  storage: 'nothing was lost; mend it and start again',
  network: 'check: sotto status',
  internal: 'this is a bug; the daemon log says more',
}

/** What goes to stderr: one line, or one JSON object. */
export function errorText(error: unknown, json: boolean): string {
  const { code, exit } = errorRow(error)
  const ours = error instanceof SottoError
  const message = ours ? error.message : `unexpected error: ${messageOf(error)}`
  const next = exit === EXIT.unexpected ? NEXT['internal'] : NEXT[code]
  const line = safeLine(next === undefined ? message : `${message} (${next})`)
  return json ? JSON.stringify({ schemaVersion: 1, error: { code, message: line, exitCode: exit } }) : `sotto: ${line}`
}
