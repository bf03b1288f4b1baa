import type { Command } from 'commander'
import { addressFile, tokenFile } from '../../api/paths.ts'
import { NotFoundError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { fields } from '../render.ts'

/** The file of settings, and where everything lies. */
export const registerConfig: Register = (program, open) => {
  const config = program.command('config').description('the settings of the daemon')
  config
    .command('get [setting]')
    .description('what holds now: defaults, config.json and the environment together; all, or one like api.port')
    .option('--file', 'only what config.json says')
    .action(async (key: string | undefined, options: { file?: boolean }, self: Command) =>
      get(open(self), key, options.file === true),
    )
  config
    .command('set <setting> <value>')
    .description('write a setting to config.json: text, a number, true or false, a list with commas, or JSON')
    .action(async (key: string, value: string, _options: object, self: Command) => set(open(self), key, value))
  config
    .command('unset <setting>')
    .description('take a setting out of config.json, so that the default holds')
    .action(async (key: string, _options: object, self: Command) => set(open(self), key, undefined))
  config
    .command('schema')
    .description('what config.json may say, as JSON Schema')
    .action(async (_options: object, self: Command) => {
      const { configJsonSchema } = await import('../../config.ts')
      open(self).write(JSON.stringify(configJsonSchema(), undefined, 2))
    })
  config
    .command('path')
    .description('where config.json is')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      const { configFile } = await import('../../config.ts')
      context.print({ path: configFile(context.home) }, ({ path }) => path)
    })
  program
    .command('paths')
    .description('where home, settings, token and socket are')
    .action(async (_options: object, self: Command) => paths(open(self)))
}

async function get(context: Context, key: string | undefined, fileOnly: boolean): Promise<void> {
  const [{ loadSettings, readConfigFile }, { settingAt, settingPath }] = await Promise.all([
    import('../../config.ts'),
    import('../../config-file.ts'),
  ])
  const { home: _home, socketPath: _socket, warnings: _warnings, ...effective } = await loadSettings(located(context))
  const config = fileOnly ? await readConfigFile(context.home) : effective
  if (key === undefined) {
    context.print(config, (value) => JSON.stringify(value, undefined, 2))
    return
  }
  const value = settingAt(config, settingPath(key))
  if (value === undefined) throw new NotFoundError('there is no such setting, or it is not set; see: sotto config get')
  context.print({ setting: key, value }, () =>
    typeof value === 'string' ? value : JSON.stringify(value, undefined, 2),
  )
}

async function set(context: Context, key: string, text: string | undefined): Promise<void> {
  const { changeConfig } = await import('../../config-file.ts')
  const value = await changeConfig(context.home, key, text)
  context.done({ setting: key, value: value ?? null }, () => `${key} is ${JSON.stringify(value) ?? 'not set'} now`)
  if (await runs(context)) context.say('the daemon takes it over when it starts again')
}

async function runs(context: Context): Promise<boolean> {
  try {
    await (await context.client()).status()
    return true
  } catch {
    return false
  }
}

async function paths(context: Context): Promise<void> {
  const { configFile, socketPathFor } = await import('../../config.ts')
  const { home, world } = context
  const all = {
    home,
    config: configFile(home),
    token: tokenFile(home),
    address: addressFile(home),
    socket: socketPathFor(home, world.env),
  }
  context.print(all, fields)
}

function located(context: Context): { home: string | undefined; env: Context['world']['env'] } {
  return { home: context.homeFlag, env: context.world.env }
}
