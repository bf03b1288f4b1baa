/** Text for people. What peers wrote is shown, never obeyed: control characters and direction overrides are made visible. */
import type { ContactView, MessageView } from '../api/application.ts'
import { EXIT, errorRow } from '../api/errors.ts'
import { SottoError, messageOf } from '../lib/errors.ts'

// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** One safe line of untrusted text. */
export function safeLine(text: string): string {
  return text.replaceAll(UNSAFE, '\u{fffd}')
}

/** JSON for a terminal as well as for a program: what could steer a terminal is escaped, and means the same. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Untrusted text with its line breaks, continuation lines indented. */
function safeText(text: string, indent: string): string {
  return text
    .split(/\r?\n/)
    .map((part) => safeLine(part.replaceAll('\t', '  ')))
    .join(`\n${indent}`)
}

/** Columns as wide as their longest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows.map((row) => row.map(safeLine))]
  const widths = head.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
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
  const text =
    message.kind === 'text' ? safeText(message.text, '    ') : '(a message of a kind that this version cannot show)'
  return `${when(message.sentAt)}  ${safeLine(who)}: ${text}${tail}  ${message.id}`
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
