/** The document that describes the API: complete, sound, and true to what the daemon answers. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import { ERRORS } from '../../../src/api/errors.ts'
import { openApiDocument } from '../../../src/api/openapi.ts'
import { DESCRIPTIONS } from '../../../src/api/openapi-routes.ts'
import { REQUEST_PROBLEMS } from '../../../src/api/problems.ts'
import { EVENT_TYPES } from '../../../src/api/views/event-types.ts'
import { MESSAGE_STATUS } from '../../../src/store/records.ts'
import { serve } from './harness.ts'

type Node = { readonly [key: string]: unknown }
interface Operation extends Node {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly Node[]
  readonly responses: Readonly<Record<string, Node>>
  readonly requestBody?: Node
}
const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete'])
const ROOT = join(import.meta.dirname, '..', '..', '..')

const document = openApiDocument(ROUTES, '0.1.0')
const paths = document['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).flatMap(([method, operation]) => (METHODS.has(method) ? [{ path, method, operation }] : [])),
)

/** Every object below `node`. */
function* objects(node: unknown): Generator<Node> {
  if (typeof node !== 'object' || node === null) return
  if (!Array.isArray(node)) yield node as Node
  for (const child of Object.values(node)) yield* objects(child)
}

/** What a `$ref` of this document points at. */
function target(ref: string): unknown {
  assert.ok(ref.startsWith('#/'), ref)
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>(
      (node, key) => (node as Node | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    )
}

test('AP-01 every route is in the document, and nothing else below /api/v1', () => {
  const routes = ROUTES.map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
  const described = operations
    .filter(({ path }) => paths[path]?.['servers'] === undefined)
    .map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(described.sort(), routes.sort())
  const lines = ROUTES.map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(
    Object.keys(DESCRIPTIONS).filter((line) => !lines.includes(line)),
    [],
    'lines for routes that do not exist',
  )
})

test('AP-01 operation ids are unique, references resolve, and every operation says what it answers', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[a-z][a-zA-Z]+$/)
  for (const node of objects(document)) {
    if (typeof node['$ref'] === 'string') assert.ok(target(node['$ref']) !== undefined, node['$ref'])
    assert.ok(!('$schema' in node) && !('$id' in node), JSON.stringify(node).slice(0, 100))
  }
  for (const { path, operation } of operations) {
    const statuses = Object.keys(operation.responses)
    assert.ok(
      statuses.some((status) => /^2\d\d$/.test(status)),
      path,
    )
    assert.ok(operation.summary.length > 5, path)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const told = (operation.parameters ?? []).filter(({ in: where }) => where === 'path').map(({ name }) => name)
    assert.deepEqual(told, inPath, path)
  }
})

test('AP-01 AP-11 each operation has its scope and rate group, or says that it is open', () => {
  for (const { path, method, operation } of operations) {
    const route = ROUTES.find(
      (one) => one.path.replaceAll(/:(\w+)/g, '{$1}') === path && one.method.toLowerCase() === method,
    )
    if (route === undefined) continue
    assert.equal(operation['x-rate-group'], route.group)
    if (route.open) assert.deepEqual(operation['security'], [])
    else assert.equal(operation['x-scope'], route.scope)
    const keyed = (operation.parameters ?? []).some(({ $ref }) => $ref === '#/components/parameters/IdempotencyKey')
    assert.equal(keyed, method !== 'get', `${method} ${path}`)
  }
  assert.deepEqual(document['security'], [{ token: [] }])
})

test('AP-34 every code that the API refuses with is in the document', () => {
  const known = [...ERRORS, ...REQUEST_PROBLEMS].map(({ status, code }) => `${status} ${code}`)
  assert.equal(new Set(known.map((line) => line.split(' ')[1])).size, known.length, 'a code stands for one thing')
  const thrown = globSync('src/api/**/*.ts', { cwd: ROOT }).flatMap((path) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/(?:RequestError\(|\[)\s*(\d{3}),\s*'([a-z-]+)'/g)].map(
      ([, status, code]) => `${status} ${code}`,
    ),
  )
  assert.ok(thrown.length > 5)
  assert.deepEqual(
    [...new Set(thrown)].filter((line) => !known.includes(line)),
    [],
  )
  const dead = REQUEST_PROBLEMS.filter(({ status, code }) => !thrown.includes(`${status} ${code}`))
  assert.deepEqual(dead, [])
  const told = (document['x-problems'] as readonly { status: number; code: string }[]).map(
    ({ status, code }) => `${status} ${code}`,
  )
  assert.deepEqual(told, known)
})

test('AP-01 the daemon serves the document to whoever has a token', async (t) => {
  const { ask } = await serve(t)
  assert.equal((await ask('/api/v1/openapi.json', { token: null })).status, 401)
  const served = await ask('/api/v1/openapi.json')
  assert.equal(served.status, 200)
  assert.deepEqual(served.body, JSON.parse(JSON.stringify(document)))
  assert.ok(served.text.length < 262_144, `${served.text.length} characters`)
})

test('AP-01 what a query means is told, not how it is written', () => {
  const query = (path: string, name: string) =>
    paths[path]?.['get']?.parameters?.find((parameter) => parameter['name'] === name)?.['schema']
  assert.deepEqual(query('/events', 'wait'), { type: 'integer', minimum: 0, maximum: 30 })
  assert.deepEqual(query('/invite', 'token'), { type: 'boolean' })
})

test('AP-08 every type of event that the daemon makes has a schema, and there is none for what it does not make', () => {
  const NOUNS = 'account|contact|conversation|message|prekeys|session|profile|settings|recovery'
  const text = globSync('src/{services,daemon}/**/*.ts', { cwd: ROOT })
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n')
  const made = [...text.matchAll(new RegExp(`'((?:${NOUNS}):[a-z-]+)'`, 'g'))].map(([, type]) => type ?? '')
  // What a message has become is said by the name of its status.
  const states = Object.keys(MESSAGE_STATUS).map((name) => `message:${name}`)
  assert.deepEqual(Object.keys(EVENT_TYPES).sort(), [...new Set([...made, ...states])].sort())
  assert.deepEqual(Object.keys(document['x-events'] as object), Object.keys(EVENT_TYPES))
  for (const type of Object.keys(EVENT_TYPES))
    assert.match(`types=${type}`, /^types=[a-z][a-z0-9-]{0,31}:[a-z][a-z0-9-]{0,31}$/)
})
