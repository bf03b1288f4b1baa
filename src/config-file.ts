/** Changing `config.json`: checked as a whole before it is written, written whole or not at all. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fromSystemError } from './api/errors.ts'
import { assign, configFile, fromText, parseConfig, readConfigFile, SOURCES } from './config.ts'
import type { Json } from './config.ts'
import { UsageError } from './lib/errors.ts'

const KEY = /^[a-zA-Z]{1,32}(\.[a-zA-Z]{1,32}){0,4}$/

/** `api.port` as the way to it. Throws UsageError. */
export function settingPath(key: string): readonly string[] {
  if (!KEY.test(key) || /(^|\.)(__proto__|constructor|prototype)(\.|$)/.test(key))
    throw new UsageError('a setting is named like api.port; see: sotto config schema')
  return key.split('.')
}

/** The value that stands at `path`, undefined where there is none. */
export function settingAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) => (typeof value === 'object' && value !== null ? (value as Json)[name] : undefined),
    config,
  )
}

/** Sets one setting in the file of `home`, or takes it out. Throws UsageError that says every fault of what it would become. */
export async function changeConfig(home: string, key: string, text: string | undefined): Promise<unknown> {
  const path = settingPath(key)
  const config = structuredClone(await readConfigFile(home))
  if (text === undefined) remove(config, path)
  else assign(config, path, valueOf(path, text))
  const parsed = parseConfig(config)
  await write(configFile(home), `${JSON.stringify({ version: parsed.version, ...config }, undefined, 2)}\n`)
  return settingAt(parsed, path)
}

/** JSON where it is JSON; else what the environment variable of the same setting would mean. */
function valueOf(path: readonly string[], text: string): unknown {
  const source = SOURCES.find((each) => each.path.join('.') === path.join('.'))
  const looksLikeJson = /^[[{"]/.test(text) || source === undefined
  if (looksLikeJson) {
    try {
      return JSON.parse(text) as unknown
    } catch {
      // it is text then
    }
  }
  return fromText(source?.kind ?? 'text', text)
}

function remove(config: Json, path: readonly string[]): void {
  const inner = path.length === 1 ? config : settingAt(config, path.slice(0, -1))
  const last = path.at(-1)
  if (typeof inner === 'object' && inner !== null && last !== undefined) Reflect.deleteProperty(inner, last)
}

async function write(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.new`
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await rm(draft, { force: true })
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    throw fromSystemError(error, 'cannot write config.json')
  }
}
