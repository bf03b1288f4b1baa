/** The floors: imports go down only, packages belong to one floor, no cycles, and every source file is under test. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

/** Which rooms a room may import from, itself included. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: ['lib'],
  wire: ['lib', 'wire'],
  crypto: ['lib', 'crypto'],
  protocol: ['lib', 'wire', 'crypto', 'protocol'],
  store: ['lib', 'wire', 'crypto', 'protocol', 'store'],
  net: ['lib', 'wire', 'crypto', 'protocol', 'net'],
  services: ['lib', 'wire', 'crypto', 'protocol', 'store', 'net', 'services'],
  api: ['lib', 'wire', 'protocol', 'services', 'api'],
  daemon: ['lib', 'wire', 'crypto', 'protocol', 'store', 'net', 'services', 'api', 'daemon'],
  top: ['lib', 'wire', 'crypto', 'protocol', 'store', 'net', 'services', 'api', 'daemon', 'top', 'cli'],
  cli: ['lib', 'api', 'top', 'cli'],
  examples: ['top', 'examples'],
  web: ['lib', 'api', 'web'],
  packaging: ['top', 'cli', 'packaging'],
}

/** The only rooms where a package (or a built-in that touches the world) may appear. */
const OWNERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^@noble\/|^@scure\/|^node:crypto$/, ['crypto']],
  [/^level$|^snappyjs$|^crc-32\//, ['store']],
  [/^libp2p$|^@libp2p\/|^@chainsafe\/|^@multiformats\/|^datastore-core|^interface-datastore|^uint8arraylist$/, ['net']],
  [/^node:fs|^node:path$|^node:os$/, ['store', 'net', 'api', 'top', 'cli', 'packaging']],
  [/^node:(net|tls|http)$/, ['net', 'api', 'top', 'cli']],
  [/^node:async_hooks$|^node:dgram$|^node-datachannel$/, ['net']],
  [/^node:child_process$/, ['net', 'top', 'cli', 'packaging']],
  [/^node:worker_threads$|^node:process$|^node:v8$/, ['crypto', 'top', 'cli']],
  [/^fastify$|^@fastify\/|^ws$|^prom-client$/, ['api']],
  [/^zod$/, ['api', 'top', 'cli']],
  [/^pino$|^commander$/, ['top', 'cli']],
  [/^qrcode$/, ['top', 'cli', 'web']],
  [/^preact$|^preact\/|^@preact\/|^jsqr$/, ['web']],
  [
    /^node:events$|^node:module$|^node:tty$|^node:util$|^node:buffer$|^node:stream|^node:url$|^node:readline|^node:timers/,
    ['net', 'api', 'top', 'cli'],
  ],
]

interface Source {
  readonly path: string
  readonly room: string
  readonly imports: readonly string[]
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

/** The same without those that bring types only. */
const VALUE_IMPORT = /(?:^|\n)\s*(?:import|export)\s(?!type\s)(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]/g

function importsOf(text: string, pattern = IMPORT): readonly string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '')
}

function roomOf(path: string): string {
  const parts = path.split('/')
  return parts[0] === 'src' && parts.length > 2 ? (parts[1] ?? '') : 'top'
}

function load(pattern: string): readonly Source[] {
  return globSync(pattern, { cwd: ROOT }).map((path) => ({
    path,
    room: roomOf(path),
    imports: importsOf(readFileSync(join(ROOT, path), 'utf8')),
  }))
}

const resolved = (from: string, specifier: string): string => normalize(join(dirname(from), specifier))
const sources = load('src/**/*.{ts,tsx}')

test('imports go down only', () => {
  const faults: string[] = []
  for (const { path, room, imports } of sources) {
    const allowed = MAY_IMPORT[room]
    assert.ok(allowed, `${path}: no such room in the plan`)
    for (const specifier of imports.filter((name) => name.startsWith('.'))) {
      const target = roomOf(resolved(path, specifier))
      if (!allowed.includes(target)) faults.push(`${path} imports ${specifier}`)
      if (specifier.endsWith('/index.ts')) faults.push(`${path} imports an index`)
    }
  }
  assert.deepEqual(faults, [])
})

test('a package belongs to one floor', () => {
  const faults: string[] = []
  for (const { path, room, imports } of sources) {
    for (const specifier of imports.filter((name) => !name.startsWith('.'))) {
      const owner = OWNERS.find(([pattern]) => pattern.test(specifier))
      if (owner === undefined) faults.push(`${path} imports ${specifier}, which has no floor`)
      else if (!owner[1].includes(room)) faults.push(`${path} imports ${specifier}`)
    }
  }
  assert.deepEqual(faults, [])
})

test('AS-08 the native WebRTC library, which may end its process, is loaded in the helper’s and in no other', () => {
  const HELPER = 'src/net/upgrade/webrtc/helper-main.ts'
  const users = sources.filter(({ imports }) => imports.some((name) => /^node-datachannel|^@libp2p\/webrtc/.test(name)))
  assert.deepEqual(
    users.map(({ path }) => path),
    [HELPER],
  )
  const callers = sources.filter(({ path, imports }) =>
    imports.some((name) => name.startsWith('.') && resolved(path, name) === HELPER),
  )
  assert.deepEqual(callers, [])
})

/** Packages that bring primitives of their own, by a part of their name. */
const PRIMITIVES =
  /crypto|sodium|nacl|noble|scure|elliptic|forge|webcrypto|cipher|bcrypt|argon|scrypt|blake|sha[0-9]|md5|rsa|x509|pqc|kyber|dilithium|libsignal|openpgp|jose|secp/i
/** libp2p's own for its links, and files of ours. */
const LINKS = /^\.|^@libp2p\/|^@chainsafe\/libp2p-noise/
const OWN_PRIMITIVES = [
  '@noble/ciphers',
  '@noble/curves',
  '@noble/hashes',
  '@noble/post-quantum',
  '@scure/base',
  '@scure/bip39',
]
/** Random bytes are the one thing that is taken from the platform outside `crypto`: by `lib/rng.ts`, and for pings. */
const PLATFORM = /\bcrypto\.subtle\b|\bsubtle\.(?:sign|encrypt|digest|deriveBits|importKey)\b|process\.binding/

test('SE-14 primitives are those of noble and OpenSSL, in one room, and nobody else’s', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>
  }
  const found = Object.keys(dependencies).filter((name) => PRIMITIVES.test(name) && !LINKS.test(name))
  assert.deepEqual(found, OWN_PRIMITIVES)
  const users = sources.filter(({ imports }) => imports.some((name) => PRIMITIVES.test(name) && !LINKS.test(name)))
  assert.ok(users.length > 5)
  const strays = users.filter(({ room }) => room !== 'crypto')
  const platform = sources.filter(({ path }) => PLATFORM.test(readFileSync(join(ROOT, path), 'utf8')))
  assert.deepEqual(
    [...strays, ...platform].map(({ path }) => path),
    [],
  )
})

/** What the name of a value has last where it is compared with what somebody brought. */
const SECRET = String.raw`(?:[a-z]\w*)?(?:[tT]oken|[tT]ag|[mM]ac|[pP]reimage|[sS]ecret|[pP]assphrase|[pP]assword|[sS]eed|[cC]ommitment)`
const OTHER = String.raw`(?!undefined|null|true|false|typeof|['"\x60\d])[\w#(]`
const BY_OPERATOR = new RegExp(
  String.raw`\b${SECRET}\)? [!=]==? ${OTHER}|[\w\])] [!=]==? (?:\w+\()?(?:[\w#]+[.?])*#?${SECRET}\b(?![.(])`,
)
const BY_METHOD = new RegExp(
  String.raw`\b${SECRET}\.(?:equals|compare|localeCompare)\(|Buffer\.compare\([^)]*${SECRET}\b`,
)
const earlyCompares = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line) && (BY_OPERATOR.test(line) || BY_METHOD.test(line)))

test('SE-18 tokens, tags and secrets are compared by what does not stop at the first difference', () => {
  const planted = [
    'if (request.token === this.#value) return',
    'return given !== own.#token',
    'if (toHex(preimage) === toHex(known)) return',
    'const same = tag == other',
    'if (a.equals(b) || mac.equals(expected)) return',
    'return Buffer.compare(given, secret) === 0',
  ]
  const innocent = [
    'if (token === undefined) return',
    "if (kind === 'token') return",
    'options.token === true',
    'stage === 1',
  ]
  for (const line of planted) assert.equal(earlyCompares(line).length, 1, line)
  for (const line of innocent) assert.deepEqual(earlyCompares(line), [], line)
  const faults = sources.flatMap(({ path }) =>
    earlyCompares(readFileSync(join(ROOT, path), 'utf8')).map((line) => `${path}: ${line.trim()}`),
  )
  assert.deepEqual(faults, [])
})

test('services know one another only by ports', () => {
  const faults: string[] = []
  for (const { path, room } of sources) {
    if (room !== 'services') continue
    const values = importsOf(readFileSync(join(ROOT, path), 'utf8'), VALUE_IMPORT)
    const mine = path.split('/')[2]
    for (const specifier of values.filter((name) => name.startsWith('.'))) {
      const target = resolved(path, specifier).split('/')
      if (target[1] === 'services' && target.length >= 4 && target[2] !== mine)
        faults.push(`${path} imports ${specifier}`)
    }
  }
  assert.deepEqual(faults, [])
})

test('no import cycles, type imports included', () => {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      source.imports.filter((name) => name.startsWith('.')).map((name) => resolved(source.path, name)),
    ]),
  )
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), `cycle: ${[...trail, path].join(' → ')}`)
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) walk(path, [])
})

test('TE-12 every source file is reached by a test, and nothing is left out of the compiler', () => {
  const all = [...sources, ...load('test/**/*.{ts,tsx}')]
  const byPath = new Map(all.map((source) => [source.path, source]))
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const name of byPath.get(path)?.imports ?? []) if (name.startsWith('.')) visit(resolved(path, name))
  }
  for (const { path } of all) if (/\.test\.tsx?$/.test(path)) visit(path)
  // Entry points are run as processes by the tests.
  visit('src/cli/main.ts')
  visit('src/net/upgrade/webrtc/helper-main.ts')
  visit('src/web/main.tsx')
  visit('src/examples/echo-bot.ts')
  visit('src/packaging/main.ts')
  assert.deepEqual(
    sources.map(({ path }) => path).filter((path) => !seen.has(path)),
    [],
  )
  const compiler = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
    include: string[]
    exclude?: unknown
  }
  assert.ok(compiler.include.includes('src') && compiler.include.includes('test') && compiler.exclude === undefined)
})

test('TE-12 no test is skipped or marked to run alone', () => {
  const banned = /\b(?:test|it|describe|suite)\.(?:skip|todo|only)\b|\{\s*(?:skip|todo|only):/
  const faults = globSync('test/**/*.test.{ts,tsx}', { cwd: ROOT }).filter(
    (path) => path !== 'test/architecture.test.ts' && banned.test(readFileSync(join(ROOT, path), 'utf8')),
  )
  assert.deepEqual(faults, [])
})

test('ID-20 no RSA in the sources', () => {
  const users = sources.filter(({ path }) =>
    /\brsa\b/i.test(readFileSync(join(ROOT, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')),
  )
  assert.deepEqual(
    users.map(({ path }) => path),
    [],
  )
})
