/** Colour for people: a hint besides the words, never the only one. */
import type { World } from './world.ts'

/** SGR parameters. */
const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const
export type Style = keyof typeof STYLES

/**
 * `--no-color`, then FORCE_COLOR (0 or false says no), then NO_COLOR (force-color.org, no-color.org), then whether
 * standard output is a terminal that can.
 */
export function wantsColour({ env, terminal }: Pick<World, 'env' | 'terminal'>, flag?: boolean): boolean {
  if (flag === false) return false
  const force = env['FORCE_COLOR']
  if (force !== undefined) return force !== '0' && force !== 'false'
  if ((env['NO_COLOR'] ?? '') !== '') return false
  return terminal.stdout && env['TERM'] !== 'dumb'
}

export function paint(style: Style, text: string, colour: boolean): string {
  return colour && text !== '' ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text
}
