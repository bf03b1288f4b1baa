/** The page of the manual, made from the verbs themselves. Pure. */
import type { OptionFacts, Verb } from './tree.ts'
import { leaves } from './tree.ts'

export interface ManFacts {
  readonly version: string
  /** `2026-11-21`. */
  readonly date: string
  /** Environment variables, with the setting that each gives. */
  readonly environment: readonly (readonly [name: string, setting: string])[]
}

/** What every exit code means. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'it worked'],
  [1, 'it was asked for wrongly, or cannot be now'],
  [2, 'unexpected: a bug'],
  [3, 'network or disk'],
  [4, 'a changed or untrusted key'],
  [5, 'too many requests, or a stamp is asked for'],
  [6, 'the daemon does not run'],
  [7, 'it took too long'],
  [8, 'there is no such thing'],
  [130, 'stopped with Ctrl-C'],
]

const FILES: readonly (readonly [path: string, what: string])[] = [
  [
    '~/.local/share/sotto',
    'the home: keys (sealed), store, token and socket; --home, SOTTO_HOME or XDG_DATA_HOME name another',
  ],
  ['config.json', 'in the home: settings; see sotto config schema'],
  ['api-token, api.sock', 'in the home: the key to the local API, and its socket; only for the owner'],
  ['~/.cache/sotto', 'compiled code, which may be deleted at any time'],
]

/** Roff with the man macros. */
export function manPage(program: Verb, { version, date, environment }: ManFacts): string {
  return [
    `.TH SOTTO 1 ${quote(date)} ${quote(`Sotto ${version}`)} ${quote('User Commands')}`,
    '.SH NAME',
    `sotto \\- ${escape(program.description)}`,
    '.SH SYNOPSIS',
    '.B sotto',
    escape('[options] <verb> [arguments]'),
    '.SH DESCRIPTION',
    text(
      'Sotto is a messenger without servers. A daemon on this machine keeps your keys and messages and speaks to other daemons;',
    ),
    text('the verbs below ask the daemon. The first two of a new home are'),
    '.B sotto init',
    'and',
    '.BR "sotto daemon" .',
    '.PP',
    text('WHO is an account id, the name that you gave a contact, or a unique beginning of either.'),
    '.SH OPTIONS',
    ...program.options.flatMap(optionItem),
    '.SH VERBS',
    ...leaves(program).flatMap(verbItem),
    '.SH EXIT STATUS',
    ...EXIT_CODES.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, text(meaning)]),
    '.SH ENVIRONMENT',
    ...environment.flatMap(([name, setting]) => ['.TP', `.B ${escape(name)}`, text(setting)]),
    '.SH FILES',
    ...FILES.flatMap(([path, what]) => ['.TP', `.I ${escape(path)}`, text(what)]),
    '.SH EXAMPLES',
    ...example('sotto init', 'make an account; write the 24 words down'),
    ...example('sotto daemon', 'run the daemon'),
    ...example('sotto invite --qr', 'a link that somebody adds you by'),
    ...example('uname -a | sotto send bob -', 'send what another program prints'),
    ...example('sotto tail --follow --jsonl', 'everything that comes, for a program'),
    '',
  ].join('\n')
}

function verbItem(verb: Verb): readonly string[] {
  const options = verb.options.length === 0 ? [] : ['.RS', ...verb.options.flatMap(optionItem), '.RE']
  return ['.TP', `.B sotto ${escape(`${verb.path} ${verb.usage}`.trim())}`, text(verb.description), ...options]
}

function optionItem({ flags, description, choices }: OptionFacts): readonly string[] {
  const among = choices.length === 0 ? '' : ` (${choices.join(', ')})`
  return ['.TP', `.B ${escape(flags)}`, text(`${description}${among}`)]
}

function example(command: string, what: string): readonly string[] {
  return ['.TP', `.B ${escape(command)}`, text(what)]
}

/** A line of text: what roff would take for a request at its start is kept from it. */
function text(line: string): string {
  const escaped = escape(line)
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}

function escape(line: string): string {
  return line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', "'").replaceAll('…', '...')
}

const quote = (word: string): string => `"${escape(word).replaceAll('"', '""')}"`
