/** The command line as a function: arguments and a world in, an exit code out. */
import { Command, CommanderError } from 'commander'
import { EXIT, errorRow } from '../api/errors.ts'
import { UsageError } from '../lib/errors.ts'
import { registerContacts } from './commands/contacts.ts'
import { registerDaemon } from './commands/daemon.ts'
import { registerIdentity } from './commands/init.ts'
import { registerMessages } from './commands/messages.ts'
import { registerNetwork } from './commands/network.ts'
import { registerPeerList } from './commands/peer-list.ts'
import { registerTail } from './commands/tail.ts'
import { registerWait } from './commands/wait.ts'
import type { SharedOptions } from './context.ts'
import { Context, seconds } from './context.ts'
import { errorText } from './render.ts'
import type { World } from './world.ts'

const VERBS = [
  registerIdentity,
  registerDaemon,
  registerNetwork,
  registerPeerList,
  registerContacts,
  registerMessages,
  registerTail,
  registerWait,
]

/** @param argv without the interpreter and the script. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const contexts: Context[] = []
  const program = build(world, (command) => {
    const context = new Context(world, command.optsWithGlobals<SharedOptions>())
    contexts.push(context)
    return context
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    return report(error, argv, world)
  } finally {
    for (const context of contexts) context.close()
  }
}

function build(world: World, open: (command: Command) => Context): Command {
  const program = new Command('sotto')
    .description('peer-to-peer, post-quantum, end-to-end encrypted messages')
    .option('--home <directory>', 'the home of the identity (default: SOTTO_HOME, XDG_DATA_HOME/sotto)')
    .option('--json', 'one JSON object as result, errors too')
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
  const json = argv.includes('--json')
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
