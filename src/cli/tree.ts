/** The verbs as plain data, for the manual and for shells. */
import type { Command, Option } from 'commander'

export interface OptionFacts {
  /** `-n, --limit <count>`. */
  readonly flags: string
  readonly names: readonly string[]
  readonly description: string
  /** Empty where any text goes. */
  readonly choices: readonly string[]
  /** What it takes: nothing, a file or a directory, or other text. */
  readonly value: 'none' | 'file' | 'directory' | 'text'
}

export interface Verb {
  /** `contact add`; empty for the program itself. */
  readonly path: string
  readonly name: string
  /** `<who> [name]`. */
  readonly usage: string
  readonly description: string
  readonly options: readonly OptionFacts[]
  /** What its arguments may be, where that is known; `file` stands for any file. */
  readonly argumentChoices: readonly string[]
  readonly takesFile: boolean
  readonly verbs: readonly Verb[]
}

export function verbTree(command: Command, parent: readonly string[] = []): Verb {
  const path = command.parent === null ? [] : [...parent, command.name()]
  const args = command.registeredArguments
  return {
    path: path.join(' '),
    name: command.name(),
    usage: args.map((each) => argumentText(each.name(), each.required, each.variadic)).join(' '),
    description: command.description(),
    options: command.options.filter(({ hidden }) => !hidden).map(optionFacts),
    argumentChoices: args.flatMap((each) => each.argChoices ?? []),
    takesFile: args.some((each) => each.name() === 'file'),
    verbs: command.commands.map((each) => verbTree(each, path)),
  }
}

/** Every verb that does something by itself, in the order of the tree. */
export function leaves(verb: Verb): readonly Verb[] {
  return verb.verbs.length === 0 ? [verb] : verb.verbs.flatMap(leaves)
}

/** Every verb, groups too, the program first. */
export function everyVerb(verb: Verb): readonly Verb[] {
  return [verb, ...verb.verbs.flatMap(everyVerb)]
}

function argumentText(name: string, required: boolean, variadic: boolean): string {
  const text = variadic ? `${name}...` : name
  return required ? `<${text}>` : `[${text}]`
}

function optionFacts(option: Option): OptionFacts {
  const { flags, description, argChoices = [] } = option
  const names = [option.short, option.long].filter((name) => name !== undefined)
  return { flags, names, description, choices: argChoices, value: valueOf(option) }
}

function valueOf({ flags, required, optional }: Option): OptionFacts['value'] {
  if (!required && !optional) return 'none'
  if (flags.includes('<file>')) return 'file'
  return flags.includes('<directory>') ? 'directory' : 'text'
}
