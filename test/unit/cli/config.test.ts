import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempHome } from '../api/harness.ts'
import { sotto } from './world.ts'

test('CL-14 config set checks the whole before it writes, get says what holds, unset takes it back', async (t) => {
  const home = join(await tempHome(t), 'new')
  const file = join(home, 'config.json')
  assert.equal((await sotto(home, ['config', 'path'])).out, `${file}\n`)
  assert.equal((await sotto(home, ['config', 'get', 'api.port'])).out, '0\n')
  assert.equal((await sotto(home, ['config', 'set', 'api.port', '4100'])).out, 'api.port is 4100 now\n')
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { version: 1, api: { port: 4_100 } })
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await sotto(home, ['config', 'get', 'api.port'])).out, '4100\n')
  const env = { SOTTO_API_PORT: '5000' }
  assert.equal((await sotto(home, ['config', 'get', 'api.port'], { env })).out, '5000\n')
  assert.equal((await sotto(home, ['config', 'get', 'api.port', '--file'], { env })).out, '4100\n')
  const before = await readFile(file, 'utf8')
  for (const [key, value, says] of [
    ['api.port', '70000', /api\.port: must be at most 65535/],
    ['api.prot', '1', /unknown setting prot/],
    ['log.level', 'loud', /log\.level: must be one of/],
    ['listen', 'nowhere', /listen\.0/],
    ['mdns', 'perhaps', /mdns: must be boolean/],
    ['__proto__.x', '1', /named like/],
    ['api.tls.cert', '/c.pem', /api\.tls\.key/],
  ] as const) {
    const { code, err } = await sotto(home, ['config', 'set', key, value])
    assert.equal(code, 1, key)
    assert.match(err, says)
  }
  assert.equal(await readFile(file, 'utf8'), before)
  assert.equal((await sotto(home, ['config', 'unset', 'api.port'])).code, 0)
  assert.equal((await sotto(home, ['config', 'get', 'api.port'])).out, '0\n')
  assert.equal((await sotto(home, ['config', 'get', 'moon'])).code, 8)
})

test('CL-14 config takes text, numbers, switches, lists and JSON', async (t) => {
  const home = await tempHome(t)
  const set = async (key: string, value: string): Promise<unknown> =>
    (await sotto(home, ['config', 'set', key, value, '--json'])).json['value']
  assert.equal(await set('mdns', 'off'), false)
  assert.deepEqual(await set('bootstrap', '/ip4/1.2.3.4/tcp/1, /dns4/b.example/tcp/2'), [
    '/ip4/1.2.3.4/tcp/1',
    '/dns4/b.example/tcp/2',
  ])
  assert.deepEqual(await set('announce', '["/ip4/1.2.3.4/tcp/1"]'), ['/ip4/1.2.3.4/tcp/1'])
  assert.deepEqual(await set('api.tls', '{"cert":"c.pem","key":"k.pem"}'), { cert: 'c.pem', key: 'k.pem' })
  assert.deepEqual(await set('api.allow', '192.0.2.0/24,2001:db8::/32'), ['192.0.2.0/24', '2001:db8::/32'])
  assert.deepEqual(await set('hooks.onMessage', 'notify-send Sotto'), ['notify-send', 'Sotto'])
  assert.equal(await set('api.limits.readsPerMinute', '100'), 100)
  const { json } = await sotto(home, ['config', 'get', '--file', '--json'])
  assert.deepEqual(Object.keys(json), ['schemaVersion', 'version', 'mdns', 'bootstrap', 'announce', 'api', 'hooks'])
})

test('AP-14 AP-25 who may connect and how it is encrypted are settings, with a rule each', async (t) => {
  const home = await tempHome(t)
  for (const bad of ['10.0.0.0/33', 'example.org', '10.0.0', '::/129'])
    assert.equal((await sotto(home, ['config', 'set', 'api.allow', bad])).code, 1, bad)
  for (const good of ['10.0.0.7', '10.0.0.0/8', '::1', 'fd00::/8'])
    assert.equal((await sotto(home, ['config', 'set', 'api.allow', good])).code, 0, good)
})

test('config schema is JSON Schema that knows every setting; a file of a newer version is not touched', async (t) => {
  const home = await tempHome(t)
  const schema = JSON.parse((await sotto(home, ['config', 'schema'])).out) as { properties: Record<string, unknown> }
  for (const key of ['network', 'role', 'listen', 'holder', 'api', 'hooks', 'log']) assert.ok(key in schema.properties)
  const file = join(home, 'config.json')
  await writeFile(file, '{"version":99,"moon":true}')
  const { code, err } = await sotto(home, ['config', 'set', 'mdns', 'off'])
  assert.deepEqual([code, /newer version/.test(err)], [1, true])
  assert.equal(await readFile(file, 'utf8'), '{"version":99,"moon":true}')
})

test('CL-07 NO_NATIVE=1 is the noble backend, unless another was asked for by name', async (t) => {
  const home = await tempHome(t)
  const crypto = async (env: Record<string, string>): Promise<string> =>
    (await sotto(home, ['config', 'get', 'crypto'], { env })).out.trim()
  assert.equal(await crypto({}), 'auto')
  assert.equal(await crypto({ NO_NATIVE: '1' }), 'noble')
  assert.equal(await crypto({ NO_NATIVE: '0' }), 'auto')
  assert.equal(await crypto({ NO_NATIVE: '1', SOTTO_CRYPTO: 'native' }), 'native')
})
