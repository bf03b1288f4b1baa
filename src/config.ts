/**
 * Settings: one strict schema; defaults < `config.json` in the home < environment (`SOTTO_…`) < flags. The file carries
 * a version and is brought up by numbered migrations. Everything that is wrong is reported at once.
 */
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { DEFAULT_API_LIMITS } from './api/limits.ts'
import { resolveHome } from './api/paths.ts'
import { fromSystemError } from './api/errors.ts'
import { UsageError } from './lib/errors.ts'
import { ROLE_NAMES, ROLES } from './lib/roles.ts'

type Environment = Readonly<Record<string, string | undefined>>
export type Json = Record<string, unknown>

/** Sun and Linux keep 104 to 108 bytes for the path of a unix socket. */
const SOCKET_PATH_MAX_BYTES = 100
const GIBIBYTE = 1_073_741_824

/** A listening or dialable address; its exact meaning is the network's to check. */
const ADDRESS = /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(\/[^/\s]+)*$/
const address = z.string().max(512).regex(ADDRESS)
const filePath = z.string().min(1).max(4_096)
/** `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. */
const addressRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
const perMinute = (standard: number) => z.number().int().min(1).max(1_000_000).default(standard)

const limitsSchema = z.strictObject({
  readsPerMinute: perMinute(DEFAULT_API_LIMITS.readsPerMinute),
  writesPerMinute: perMinute(DEFAULT_API_LIMITS.writesPerMinute),
  messagesPerMinute: perMinute(DEFAULT_API_LIMITS.messagesPerMinute),
  publishesPerMinute: perMinute(DEFAULT_API_LIMITS.publishesPerMinute),
  rotationsPerMinute: perMinute(DEFAULT_API_LIMITS.rotationsPerMinute),
  lookupsPerMinute: perMinute(DEFAULT_API_LIMITS.lookupsPerMinute),
  requestsPerMinute: perMinute(DEFAULT_API_LIMITS.requestsPerMinute),
  tokenPerMinute: perMinute(DEFAULT_API_LIMITS.tokenPerMinute),
  strangerMessagesPerMinute: perMinute(DEFAULT_API_LIMITS.strangerMessagesPerMinute),
})

const configSchema = z.strictObject({
  version: z.literal(1).default(1),
  /** Network profile: `main`, `local`, or the path of a profile file. Its name is part of every protocol id. */
  network: z.string().min(1).max(4_096).default('main'),
  /** What it does for others; `holder.enabled` has the last word on holding. */
  role: z.enum(ROLE_NAMES).default('peer'),
  listen: z.array(address).min(1).max(16).default(['/ip4/0.0.0.0/tcp/0']),
  /** Addresses to tell others instead of the ones found. */
  announce: z.array(address).max(16).default([]),
  /** Peers to join by. One that cannot be an address is skipped with a warning. */
  bootstrap: z.array(z.string().max(4_096)).max(256).default([]),
  /** Peers on the local network are looked for, and we are found there; not in the roles of servers. */
  mdns: z.boolean().default(true),
  /** Whether contacts may learn our address and meet us directly; for one contact: `sotto contact direct`. */
  direct: z.enum(['always', 'never']).default('always'),
  /** Signed list of peers to join by; `peers.json` in the home where it says nothing. */
  peerList: filePath.optional(),
  holder: z
    .strictObject({
      enabled: z.boolean().optional(),
      diskMaxBytes: z
        .number()
        .int()
        .min(1_048_576)
        .max(Number.MAX_SAFE_INTEGER)
        .default(2 * GIBIBYTE),
    })
    .prefault({}),
  api: z
    .strictObject({
      /** Beyond loopback only with `tls`; the server refuses anything else. */
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(0),
      /** PEM files of a certificate and its key; a path that is not absolute counts from the home. */
      tls: z.strictObject({ cert: filePath, key: filePath }).optional(),
      /** Who else may connect where `host` is not loopback: addresses or networks (CIDR). Loopback always may. */
      allow: z.array(addressRange).max(64).default([]),
      /** By what names this machine may be called in a request beyond loopback, besides `host`. */
      names: z
        .array(
          z
            .string()
            .max(253)
            .regex(/^[A-Za-z0-9.:-]+$/),
        )
        .max(16)
        .default([]),
      limits: limitsSchema.prefault({}),
    })
    .prefault({}),
  hooks: z
    .strictObject({
      /**
       * A program and its arguments, run without a shell for every message that comes. What the message says is in neither of
       * them: the program asks the API, if it wants to know.
       */
      onMessage: z.array(filePath).min(1).max(64).optional(),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
  crypto: z.enum(['auto', 'native', 'noble']).default('auto'),
  passphraseFile: filePath.optional(),
})
type Parsed = z.output<typeof configSchema>
export interface Config extends Parsed {
  readonly holder: Parsed['holder'] & { readonly enabled: boolean }
}

/** What the daemon runs by: the settings and where it lives. */
export interface Settings extends Config {
  /** Absolute. */
  readonly home: string
  readonly socketPath: string
  /** For the user, one line each; nothing was refused for them. */
  readonly warnings: readonly string[]
}

/** Flags as the command line has them, by the names in {@link SOURCES}; undefined ones are left out. */
export type Flags = Readonly<Record<string, string | readonly string[] | boolean | undefined>>

interface Source {
  readonly path: readonly [string, ...string[]]
  readonly env: string
  readonly flag?: string
  readonly kind: 'text' | 'list' | 'number' | 'boolean'
}
export const SOURCES: readonly Source[] = [
  { path: ['network'], env: 'SOTTO_NETWORK', flag: 'network', kind: 'text' },
  { path: ['role'], env: 'SOTTO_ROLE', flag: 'role', kind: 'text' },
  { path: ['listen'], env: 'SOTTO_LISTEN', flag: 'listen', kind: 'list' },
  { path: ['announce'], env: 'SOTTO_ANNOUNCE', flag: 'announce', kind: 'list' },
  { path: ['bootstrap'], env: 'SOTTO_BOOTSTRAP', flag: 'bootstrap', kind: 'list' },
  { path: ['mdns'], env: 'SOTTO_MDNS', flag: 'mdns', kind: 'boolean' },
  { path: ['direct'], env: 'SOTTO_DIRECT', flag: 'direct', kind: 'text' },
  { path: ['peerList'], env: 'SOTTO_PEER_LIST', flag: 'peerList', kind: 'text' },
  { path: ['holder', 'enabled'], env: 'SOTTO_HOLDER', flag: 'holder', kind: 'boolean' },
  { path: ['holder', 'diskMaxBytes'], env: 'SOTTO_HOLDER_DISK_MAX_BYTES', kind: 'number' },
  { path: ['api', 'host'], env: 'SOTTO_API_HOST', flag: 'apiHost', kind: 'text' },
  { path: ['api', 'port'], env: 'SOTTO_API_PORT', flag: 'apiPort', kind: 'number' },
  { path: ['api', 'tls', 'cert'], env: 'SOTTO_API_TLS_CERT', flag: 'tlsCert', kind: 'text' },
  { path: ['api', 'tls', 'key'], env: 'SOTTO_API_TLS_KEY', flag: 'tlsKey', kind: 'text' },
  { path: ['api', 'allow'], env: 'SOTTO_API_ALLOW', flag: 'allow', kind: 'list' },
  { path: ['hooks', 'onMessage'], env: 'SOTTO_ON_MESSAGE', flag: 'onMessage', kind: 'list' },
  { path: ['api', 'limits', 'writesPerMinute'], env: 'SOTTO_API_WRITES_PER_MINUTE', kind: 'number' },
  { path: ['api', 'limits', 'messagesPerMinute'], env: 'SOTTO_API_MESSAGES_PER_MINUTE', kind: 'number' },
  { path: ['log', 'level'], env: 'SOTTO_LOG_LEVEL', flag: 'logLevel', kind: 'text' },
  { path: ['crypto'], env: 'SOTTO_CRYPTO', kind: 'text' },
  { path: ['passphraseFile'], env: 'SOTTO_PASSPHRASE_FILE', flag: 'passphraseFile', kind: 'text' },
]

/** A step from version `from` to `from + 1`. */
export interface Migration {
  readonly from: number
  apply(config: Json): Json
}
/** In order; the schema above is what the last one leaves. */
const MIGRATIONS: readonly Migration[] = []

/** Everything the daemon needs to know. Throws UsageError that lists every fault, StorageError. */
export async function loadSettings(input: {
  home?: string | undefined
  env: Environment
  flags?: Flags
}): Promise<Settings> {
  const { env, flags = {} } = input
  const home = resolveHome(input.home, env)
  const file = await readConfigFile(home)
  const config = parseConfig(overlay(file, env, flags))
  const { good, bad } = sortBootstrap(config.bootstrap)
  const warnings = bad.map(
    (at) => `bootstrap address ${at + 1} of ${config.bootstrap.length} is not a multiaddr; skipped`,
  )
  return { ...config, bootstrap: good, home, socketPath: socketPathFor(home, env), warnings }
}

/** The checked settings. Throws UsageError with one entry per fault: the setting's name and the rule, not the value. */
export function parseConfig(raw: unknown): Config {
  const result = configSchema.safeParse(raw)
  if (result.success) return withRole(result.data)
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'config'}: ${ruleOf(issue)}`)
  throw new UsageError(`the configuration has ${faults.length} fault(s): ${faults.join('; ')}`)
}

/** What `config.json` may say, as JSON Schema. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, { io: 'input' })
}

function withRole(parsed: Parsed): Config {
  const { role, holder } = parsed
  return { ...parsed, holder: { ...holder, enabled: holder.enabled ?? ROLES[role].holds } }
}

/** Brings an older file up, one numbered step after another. Throws UsageError for a file of a newer Sotto. */
export function migrate(file: Json, migrations: readonly Migration[]): Json {
  const newest = 1 + migrations.length
  const version = file['version'] ?? newest
  if (typeof version !== 'number') return file
  if (version > newest) throw new UsageError('config.json was written by a newer version of Sotto; update Sotto')
  let config = file
  for (const step of migrations) {
    if (step.from >= version) config = { ...step.apply(config), version: step.from + 1 }
  }
  return config
}

/** The socket lies in the home, or where that path is too long for one, in a directory of its own. */
export function socketPathFor(home: string, env: Environment): string {
  const plain = join(home, 'api.sock')
  if (Buffer.byteLength(plain) <= SOCKET_PATH_MAX_BYTES) return plain
  const runtime = env['XDG_RUNTIME_DIR'] ?? ''
  const base = runtime !== '' && Buffer.byteLength(runtime) <= 60 ? runtime : tmpdir()
  return join(base, `sotto-${process.getuid?.() ?? 0}-${fingerprint(home)}`, 'api.sock')
}

/** FNV-1a, 64 bits: tells homes apart. It guards nothing; the directory's owner and mode do. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text))
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash.toString(16).padStart(16, '0')
}

/** `config.json` of the home, brought up to this version but not checked; empty where there is none. Throws UsageError. */
export async function readConfigFile(home: string): Promise<Json> {
  const text = await readFile(configFile(home), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}'
    throw fromSystemError(error, 'cannot read config.json')
  })
  try {
    const value = JSON.parse(text) as unknown
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return migrate(value as Json, MIGRATIONS)
  } catch (error) {
    if (error instanceof UsageError) throw error
  }
  throw new UsageError('config.json is not a JSON object; mend it or move it away')
}

export function configFile(home: string): string {
  return join(home, 'config.json')
}

function overlay(file: Json, env: Environment, flags: Flags): Json {
  const config = structuredClone(file)
  // As for any package with a native part; SOTTO_CRYPTO says the same more exactly.
  if (env['NO_NATIVE'] === '1') assign(config, ['crypto'], 'noble')
  for (const source of SOURCES) {
    const text = env[source.env]
    if (text !== undefined && text !== '') assign(config, source.path, fromText(source.kind, text))
    const flag = source.flag === undefined ? undefined : flags[source.flag]
    if (flag === undefined) continue
    assign(config, source.path, typeof flag === 'string' ? fromText(source.kind, flag) : flag)
  }
  return config
}

/** What a text means for a setting. What cannot be converted stays text, so that the schema reports it with the setting's name. */
export function fromText(kind: Source['kind'], text: string): unknown {
  if (kind === 'list') return text.split(/[\s,]+/).filter((part) => part !== '')
  if (kind === 'number') return /^[0-9]{1,16}$/.test(text) ? Number(text) : text
  if (kind === 'boolean' && /^(true|1|yes|on)$/i.test(text)) return true
  if (kind === 'boolean' && /^(false|0|no|off)$/i.test(text)) return false
  return text
}

export function assign(config: Json, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path
  if (head === undefined) return
  if (rest.length === 0) {
    config[head] = value
    return
  }
  const inner = config[head] ?? {}
  config[head] = inner
  if (typeof inner === 'object') assign(inner as Json, rest, value)
}

function sortBootstrap(list: readonly string[]): { good: string[]; bad: number[] } {
  const good = list.filter((entry) => address.safeParse(entry).success)
  const bad = list.flatMap((entry, at) => (address.safeParse(entry).success ? [] : [at]))
  return { good: [...new Set(good)], bad }
}

function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown setting ${issue.keys.join(', ')}`
  if (issue.code === 'invalid_type') return `must be ${issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`
  return 'is not valid'
}
