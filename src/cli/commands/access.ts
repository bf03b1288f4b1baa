import { pathToFileURL } from 'node:url'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { Scope } from '../../api/application/access.ts'
import { writePageOpen } from '../../api/files.ts'
import { NotFoundError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { count } from '../context.ts'
import { when } from '../render.ts'

const SCOPES: readonly Scope[] = ['read', 'send', 'admin']

interface CreateOptions {
  readonly scope: Scope
  readonly days?: number
}

/** Who may ask the local API for what. */
export const registerAccess: Register = (program, open) => {
  const token = program.command('token').description('keys to the local API')
  token
    .command('create <name>')
    .description('make a token for a program; it is shown once')
    .addOption(new Option('--scope <scope>', 'what it is good for').choices(SCOPES).default('read'))
    .option('--days <number>', 'how long it lives (default: until it is revoked)', count)
    .action(async (name: string, options: CreateOptions, self: Command) => create(open(self), name, options))
  token
    .command('list', { isDefault: true })
    .description('list them')
    .action(async (_options: object, self: Command) => list(open(self)))
  token
    .command('revoke <token>')
    .description('end one, by its name or id')
    .action(async (wanted: string, _options: object, self: Command) => revoke(open(self), wanted))
  token
    .command('rotate')
    .description('make a new token for the command line; the old one stops working')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      const { remaining } = await (await context.client()).rotateToken()
      context.done(
        { rotated: true, remaining },
        () => 'the old token no longer works, and the page has to be opened anew',
      )
      for (const { name, id } of remaining)
        context.say(`${name} has every right too, and works on; to end it: sotto token revoke ${id}`)
    })
  program
    .command('open')
    .description('open the page in the browser, logged in')
    .option('--print', 'only say its address, which is good for one minute and one use')
    .action(async (options: { print?: boolean }, self: Command) => openPage(open(self), options.print === true))
}

async function create(context: Context, name: string, { scope, days }: CreateOptions): Promise<void> {
  const client = await context.client()
  const made = await client.createToken({ name, scopes: [scope], ...(days === undefined ? {} : { days }) })
  context.print(made, ({ token }) => token)
  context.say(`this token is shown once; to end it: sotto token revoke ${made.id}`)
}

async function list(context: Context): Promise<void> {
  const client = await context.client()
  context.print({ items: await client.tokens() }, ({ items }) => {
    const rows = items.map((each) => [
      each.name,
      each.scope,
      each.expiresAt === null ? 'stays' : when(each.expiresAt),
      each.usedAt === null ? 'never' : when(each.usedAt),
      each.id,
    ])
    return rows.length === 0 ? 'no tokens' : context.table(['NAME', 'SCOPE', 'UNTIL', 'USED', 'ID'], rows)
  })
}

async function revoke(context: Context, wanted: string): Promise<void> {
  const client = await context.client()
  const all = await client.tokens()
  const found = all.find(({ id }) => id === wanted) ?? all.find(({ name }) => name === wanted)
  if (found === undefined) throw new NotFoundError('there is no such token; see: sotto token list')
  await client.revokeToken(found.id)
  context.done({ revoked: found.id }, () => `${found.name} no longer works`)
}

async function openPage(context: Context, printOnly: boolean): Promise<void> {
  const { world } = context
  const { url } = await (await context.client()).pageCode()
  const wanted = !printOnly && !context.json && world.terminal.stdout
  // A command line can be read by every user of the machine, so the code is not on the browser's. The daemon takes the file away.
  const shown = wanted && (await world.openUrl(pathToFileURL(await writePageOpen(context.home, url)).href))
  context.print({ url, opened: shown }, () => (shown ? 'the page opens in your browser' : url))
  if (!shown) context.say('good for one minute and one use')
}
