/** The command line as a function: arguments and a world in, an exit code out. */
import { Command, CommanderError } from 'commander'
import { EXIT, errorRow } from '../api/errors.ts'
import { UsageError } from '../lib/errors.ts'
import { registerAccess } from './commands/access.ts'
import { registerConfig } from './commands/config.ts'
import { registerContacts } from './commands/contacts.ts'
import { registerDaemon } from './commands/daemon.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerDocuments } from './commands/documents.ts'
import { registerIdentity } from './commands/init.ts'
import { registerMessage } from './commands/message.ts'
import { registerMessages } from './commands/messages.ts'
import { registerNetwork } from './commands/network.ts'
import { registerOwner } from './commands/owner.ts'
import { registerPeerList } from './commands/peer-list.ts'
import { registerStorage } from './commands/storage.ts'
import { registerTail } from './commands/tail.ts'
import { registerWait } from './commands/wait.ts'
import type { SharedOptions } from './context.ts'
import { Context, seconds } from './context.ts'
import { errorText } from './render.ts'
import { Interrupted } from './world.ts'
import type { World } from './world.ts'

const VERBS = [
  registerIdentity,
  registerDaemon,
  registerAccess,
  registerNetwork,
  registerContacts,
  registerMessages,
  registerMessage,
  registerTail,
  registerOwner,
  registerStorage,
  registerConfig,
  registerWait,
  registerDoctor,
  registerPeerList,
  registerDocuments,
]

/** What a shell makes of a program that Ctrl-C ended. */
const INTERRUPTED = 130

/** @param argv without the interpreter and the script. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const contexts: Context[] = []
  const program = build(world, (command) => {
    const context = new Context(world, command.optsWithGlobals<SharedOptions>())
    contexts.push(context)
    return context
  })
  try {
    await program.parseAsync(withVersion(argv), { from: 'user' })
    return contexts.find(({ exitCode }) => exitCode !== 0)?.exitCode ?? EXIT.ok
  } catch (error) {
    return report(error, argv, world)
  } finally {
    for (const context of contexts) context.close()
  }
}

/** The verbs, for those who describe them. */
export function program(): Command {
  const world = { stdout: () => {}, terminal: { columns: 80 } }
  return build(world, () => {
    throw new TypeError('these verbs are only looked at')
  })
}

/** Other programs are asked by `--version`; it is the verb. */
function withVersion(argv: readonly string[]): readonly string[] {
  const [first = '', ...rest] = argv
  return first === '--version' || first === '-V' ? ['version', ...rest] : argv
}

type Shown = Pick<World, 'stdout'> & { readonly terminal: Pick<World['terminal'], 'columns'> }

function build(world: Shown, open: (command: Command) => Context): Command {
  const program = new Command('sotto')
    .description('peer-to-peer, post-quantum, end-to-end encrypted messages')
    .option('--home <directory>', 'the home of the identity (default: SOTTO_HOME, XDG_DATA_HOME/sotto)')
    .option('--json', 'one JSON object as result, errors too')
    .option('--jsonl', 'the same, and one object per line for lists')
    .option('-q, --quiet', 'no confirmations, hints or progress')
    .option('--no-color', 'no colours (so do NO_COLOR, and FORCE_COLOR=0)')
    .option('-V, --version', 'show the version')
    .option('--timeout <seconds>', 'how long to wait for an answer', seconds)
    .showSuggestionAfterError(true)
  // Subcommands copy these settings, so they come first.
  program.exitOverride().configureOutput({
    writeOut: (text) => {
      world.stdout(text)
    },
    writeErr: () => {},
    getOutHelpWidth: () => world.terminal.columns,
  })
  for (const register of VERBS) register(program, open)
  return program
}

/** Says what went wrong in one line and gives the code to exit with. */
function report(error: unknown, argv: readonly string[], world: World): number {
  if (error instanceof Interrupted) return INTERRUPTED
  const json = argv.includes('--json') || argv.includes('--jsonl')
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok
    world.stderr(`${errorText(new UsageError(usageText(error)), json)}\n`)
    return EXIT.user
  }
  world.stderr(`${errorText(error, json)}\n`)
  if (world.env['SOTTO_LOG_LEVEL'] === 'debug' && error instanceof Error) world.stderr(`${error.stack ?? ''}\n`)
  return errorRow(error).exit
}

function usageText(error: CommanderError): string {
  if (error.code === 'commander.help') return 'say what to do; see: sotto --help'
  const [line = ''] = error.message.replace(/^error: /, '').split('\n')
  return `${line}; see: sotto --help`
}
