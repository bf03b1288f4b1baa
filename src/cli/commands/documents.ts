import { Argument } from 'commander'
import type { Command } from 'commander'
import type { Shell } from '../completion.ts'
import { SHELLS } from '../completion.ts'
import type { Register } from '../context.ts'
import { ownVersion } from '../own-version.ts'
import { verbTree } from '../tree.ts'

/** What the program says of itself. */
export const registerDocuments: Register = (program, open) => {
  program
    .command('completion')
    .description('print what makes a shell complete sotto’s verbs and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action(async (shell: Shell, _options: object, self: Command) => {
      const { completion } = await import('../completion.ts')
      open(self).write(completion(shell, verbTree(program)))
    })
  program
    .command('openapi')
    .description('print the OpenAPI 3.1 document of the local API')
    .action(async (_options: object, self: Command) => {
      const [{ openApiDocument }, { ROUTES }] = await Promise.all([
        import('../../api/openapi.ts'),
        import('../../api/routes.ts'),
      ])
      open(self).write(JSON.stringify(openApiDocument(ROUTES, await ownVersion()), undefined, 2))
    })
  program
    .command('version')
    .description('show the version')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print({ version: await ownVersion(), node: process.versions.node }, ({ version }) => `sotto ${version}`)
    })
}
