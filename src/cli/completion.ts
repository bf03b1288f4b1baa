/** Completion for shells, made from the verbs themselves. Pure. */
import type { OptionFacts, Verb } from './tree.ts'
import { everyVerb } from './tree.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const HELP: OptionFacts = {
  flags: '-h, --help',
  names: ['-h', '--help'],
  description: 'say what it does',
  choices: [],
  value: 'none',
}

export function completion(shell: Shell, program: Verb): string {
  const makers: Readonly<Record<Shell, (program: Verb) => string>> = { bash, zsh, fish }
  return makers[shell](program)
}

/** What can be said at each place: words with their meaning. */
interface Place {
  /** `sotto contact`. */
  readonly at: string
  readonly words: readonly (readonly [word: string, meaning: string])[]
  readonly file: boolean
}

function places(program: Verb): readonly Place[] {
  return everyVerb(program).map((verb) => ({
    at: `sotto ${verb.path}`.trim(),
    words: [
      ...verb.verbs.map(({ name, description }) => [name, description] as const),
      ...verb.argumentChoices.map((choice) => [choice, ''] as const),
      ...optionsAt(program, verb).flatMap(({ names, description }) =>
        names.map((name) => [name, description] as const),
      ),
    ],
    file: verb.takesFile,
  }))
}

const optionsAt = (program: Verb, verb: Verb): readonly OptionFacts[] => [
  ...(verb === program ? [] : verb.options),
  ...program.options,
  HELP,
]

/** Options whose value can be offered, each once: a name means the same everywhere. */
function valued(program: Verb): readonly OptionFacts[] {
  const all = everyVerb(program).flatMap(({ options }) => options)
  const known = new Map(all.filter(({ value }) => value !== 'none').map((option) => [option.names.join(), option]))
  return [...known.values()]
}

/** The steps from one place to the next, as `at word`: all verbs but the program. */
const steps = (program: Verb): readonly string[] =>
  everyVerb(program)
    .slice(1)
    .map(({ path }) => `sotto ${path}`)

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

function bash(program: Verb): string {
  const values = valued(program).map((option) => {
    const words = option.choices.join(' ')
    const offer =
      words === '' ? PATHS_BASH[option.value] : `mapfile -t COMPREPLY < <(compgen -W ${quoted(words)} -- "$cur")`
    return `    ${option.names.join('|')}) ${offer}; return ;;`
  })
  const at = places(program).map(({ at, words, file }) => {
    const offer = `mapfile -t COMPREPLY < <(compgen -W ${quoted(words.map(([word]) => word).join(' '))} -- "$cur")`
    const files = file
      ? '; [[ $cur == -* ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")'
      : ''
    return `    ${quoted(at)}) ${offer}${files} ;;`
  })
  return `# bash completion for sotto; put it where bash-completion looks, or: source <(sotto completion bash)
_sotto() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at=sotto word
  COMPREPLY=()
  case $prev in
${values.join('\n')}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${steps(program).map(quoted).join('|')}) at="$at $word" ;;
    esac
  done
  case $at in
${at.join('\n')}
  esac
}
complete -F _sotto sotto
`
}

const PATHS_BASH: Readonly<Record<OptionFacts['value'], string>> = {
  none: ':',
  text: ':',
  file: 'mapfile -t COMPREPLY < <(compgen -f -- "$cur")',
  directory: 'mapfile -t COMPREPLY < <(compgen -d -- "$cur")',
}

function zsh(program: Verb): string {
  const values = valued(program).map((option) => {
    const offer = option.choices.length > 0 ? `compadd -- ${option.choices.join(' ')}` : PATHS_ZSH[option.value]
    return `    ${option.names.join('|')}) ${offer}; return ;;`
  })
  const at = places(program).map(({ at, words, file }) => {
    const list = words.map(([word, meaning]) => quoted(`${word.replaceAll(':', String.raw`\:`)}:${meaning}`)).join(' ')
    return `    ${quoted(at)}) words_here=(${list})${file ? '; _files' : ''} ;;`
  })
  return `#compdef sotto
# zsh completion for sotto; put it as _sotto into a directory of $fpath
_sotto() {
  local at=sotto word
  local -a words_here
  case \${words[CURRENT-1]} in
${values.join('\n')}
  esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${steps(program).map(quoted).join('|')}) at="$at $word" ;;
    esac
  done
  case $at in
${at.join('\n')}
  esac
  _describe 'sotto' words_here
}
if [ "$funcstack[1]" = "_sotto" ]; then _sotto "$@"; else compdef _sotto sotto; fi
`
}

const PATHS_ZSH: Readonly<Record<OptionFacts['value'], string>> = {
  none: ':',
  text: ':',
  file: '_files',
  directory: '_files -/',
}

function fish(program: Verb): string {
  const lines = everyVerb(program).flatMap((verb) => {
    const at = `sotto ${verb.path}`.trim()
    const here = `-n ${quoted(`__sotto_at "${at}"`)}`
    const verbs = verb.verbs.map(
      ({ name, description }) => `complete -c sotto ${here} -f -a ${quoted(name)} -d ${quoted(description)}`,
    )
    const files = verb.takesFile ? [`complete -c sotto ${here} -F`] : [`complete -c sotto ${here} -f`]
    const choices = verb.argumentChoices.map((choice) => `complete -c sotto ${here} -f -a ${quoted(choice)}`)
    const options = verb === program ? [] : verb.options.map((option) => fishOption(here, option))
    return [...files, ...verbs, ...choices, ...options]
  })
  const shared = [...program.options, HELP].map((option) => fishOption('', option))
  return `# fish completion for sotto; put it as sotto.fish into ~/.config/fish/completions
function __sotto_at
  set -l at sotto
  for word in (commandline -opc)[2..-1]
    contains -- "$at $word" ${steps(program).map(quoted).join(' ')}; and set at "$at $word"
  end
  test "$at" = "$argv[1]"
end
${[...lines, ...shared].join('\n')}
`
}

function fishOption(here: string, { names, description, choices, value }: OptionFacts): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const files = value === 'file' || value === 'directory' ? '-r -F' : '-x'
  const takes = value === 'none' ? [] : choices.length > 0 ? [`-x -a ${quoted(choices.join(' '))}`] : [files]
  return ['complete -c sotto', ...(here === '' ? [] : [here]), ...flags, ...takes, `-d ${quoted(description)}`].join(
    ' ',
  )
}
