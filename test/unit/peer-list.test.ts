import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nativeProvider } from '../../src/crypto/native.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { checkPeerList, makeListKey, newPeerList, rotateListKeys, signPeerList } from '../../src/peer-list-tool.ts'
import { formatPeerList, listedPeers, parsePeerList } from '../../src/peer-list.ts'
import type { PeerListSource } from '../../src/peer-list.ts'
import { recordingLogger } from '../support/recording-logger.ts'

const ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
const peers = (port: number): string[] =>
  ['8.8.8.8', '1.1.1.1', '9.9.9.9'].map((ip) => `/ip4/${ip}/tcp/${port}/p2p/${ID}`)

/** A directory with three keepers' keys, the profile that names them, and a daemon's home. */
async function keepers(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'sotto-list-'))
  t.after(async () => rm(dir, { recursive: true, force: true }))
  const at = (name: string): string => join(dir, name)
  const keys = await Promise.all(['k1', 'k2', 'k3'].map(async (name) => makeListKey(at(name))))
  const profile = { ...LOCAL, name: 'example', listKeys: keys }
  await writeFile(at('profile.json'), JSON.stringify({ name: 'example', listKeys: keys }))
  const { log, lines } = recordingLogger()
  const read = async (change: Partial<PeerListSource> = {}) =>
    listedPeers({ home: dir, file: undefined, profile, crypto: nativeProvider, now: Date.now(), log, ...change })
  const put = async (port: number, signers: readonly string[], before?: string): Promise<void> => {
    await writeFile(at('peers.json'), await newPeerList({ network: 'example', peers: peers(port), days: 30, before }))
    for (const name of signers) await writeFile(at('peers.json'), await signPeerList(at('peers.json'), at(name)))
  }
  const warned = (): string[] => lines.splice(0).map((line) => String(line.fields?.['reason'] ?? line.message))
  return { at, keys, profile, read, put, warned }
}

test('OP-02 a home without a list joins by what it has; a signed list adds its peers, the next one replaces them', async (t) => {
  const { at, read, put, warned } = await keepers(t)
  assert.deepEqual(await read(), [])
  await put(1, ['k1', 'k2'])
  assert.deepEqual(await read(), peers(1))
  await put(2, ['k2', 'k3'], at('peers.json'))
  assert.deepEqual(await read(), peers(2))
  assert.equal((await checkPeerList(at('peers.json'), at('profile.json'))).list.sequence, 2)
  assert.deepEqual(warned(), [])
  assert.equal((await stat(at('peers.accepted.json'))).mode & 0o777, 0o600)
  assert.equal((await stat(at('k1'))).mode & 0o777, 0o600)
})

test('OP-02 a list that is not believed costs a warning, and the one before it goes on being used', async (t) => {
  const { at, read, put, warned } = await keepers(t)
  await put(1, ['k1', 'k2'])
  const first = await readFile(at('peers.json'), 'utf8')
  await put(2, ['k1', 'k2'], at('peers.json'))
  await read()
  for (const [text, why] of [
    [first, /older/],
    ['rubbish', /not JSON/],
    ['{"version":2}', /fault/],
    [JSON.stringify({ ...(JSON.parse(first) as object), signatures: [] }), /more than half/],
  ] as const) {
    await writeFile(at('peers.json'), text)
    assert.deepEqual(await read(), peers(2))
    assert.match(warned().join(), why)
  }
  await rm(at('peers.json'))
  assert.deepEqual(await read({ now: Date.now() + 90 * 86_400_000 }), peers(2), 'an accepted list outlives its end')
  await writeFile(at('peers.accepted.json'), 'damaged')
  assert.deepEqual(await read(), [])
})

test('OP-02 a file that the settings name has to be there; in a network without keys no list is believed', async (t) => {
  const { at, read, put, warned } = await keepers(t)
  await assert.rejects(read({ file: at('nowhere.json') }), { name: 'UsageError' })
  await put(1, ['k1', 'k2'])
  assert.deepEqual(await read({ profile: { ...LOCAL, name: 'example' } }), [])
  assert.match(warned().join(), /no keys/)
})

test('OP-02 keys are rotated with the tool: old and new ones sign, and a list of the old ones is not taken any more', async (t) => {
  const { at, keys, read, put, warned } = await keepers(t)
  await put(1, ['k1', 'k2', 'k3'])
  await read()
  const old = await readFile(at('peers.json'), 'utf8')
  const fresh = await makeListKey(at('k4'))
  await writeFile(at('peers.json'), await rotateListKeys(at('peers.json'), [fresh]))
  for (const name of ['k1', 'k2', 'k4'])
    await writeFile(at('peers.json'), await signPeerList(at('peers.json'), at(name)))
  assert.deepEqual(await read(), peers(1))
  assert.deepEqual(warned(), [])
  await writeFile(at('peers.json'), old)
  assert.deepEqual(await read(), peers(1))
  assert.match(warned().join(), /back behind/)
  await assert.rejects(makeListKey(at('k4')), 'a key is never overwritten')
  await assert.rejects(signPeerList(at('peers.json'), at('profile.json')), { name: 'UsageError' })
  await assert.rejects(rotateListKeys(at('peers.json'), ['x']), { name: 'UsageError' })
  assert.equal(keys.length, 3)
})

test('OP-02 the file survives its own text, and says where it is wrong', async (t) => {
  const { at, put } = await keepers(t)
  await put(1, ['k1'])
  const text = await readFile(at('peers.json'), 'utf8')
  assert.equal(formatPeerList(parsePeerList(text)), text)
  const value = JSON.parse(text) as { list: { peers: string[] } }
  for (const bad of [[], peers(1).slice(1), ['/ip4/8.8.8.8/tcp/1', ...peers(1)], ['/ip4/8.8.8.8/udp/1', ...peers(1)]]) {
    const wrong = JSON.stringify({ ...value, list: { ...value.list, peers: bad } })
    assert.throws(() => parsePeerList(wrong), { name: 'UsageError', message: /list\.peers/ })
  }
  assert.throws(() => parsePeerList(' '.repeat(300_000)), { name: 'UsageError' })
})

test('OP-02 neither a clock set back nor a release with other keys makes an older list acceptable, then or later', async (t) => {
  const { at, read, put, warned, profile } = await keepers(t)
  await put(1, ['k1', 'k2'])
  const old = await readFile(at('peers.json'), 'utf8')
  await put(2, ['k1', 'k2'], at('peers.json'))
  assert.deepEqual(await read(), peers(2))
  await writeFile(at('peers.json'), old)
  assert.deepEqual(await read({ now: Date.now() - 7 * 86_400_000 }), peers(2), 'the battery of the clock is empty')
  assert.match(warned().join(), /future/)
  assert.deepEqual(
    await read({ now: Date.parse((JSON.parse(old) as { list: { issuedAt: string } }).list.issuedAt) }),
    peers(2),
  )
  assert.match(warned().join(), /older/)
  const other = { ...profile, listKeys: [await makeListKey(at('k9'))] }
  await writeFile(at('peers.json'), old)
  await writeFile(at('peers.json'), await signPeerList(at('peers.json'), at('k9')))
  assert.deepEqual(await read({ profile: other }), [], 'nor is the one of the old keys believed any more')
  assert.match(warned().join(), /older/)
  assert.deepEqual(await read(), peers(2))
})

test('OP-02 a list that cannot be kept is used, and a pipe or an endless file does not hold up the start', async (t) => {
  const { at, read, put, warned } = await keepers(t)
  await put(1, ['k1', 'k2'])
  await mkdir(at('peers.accepted.json.new'))
  assert.deepEqual(await read(), peers(1))
  assert.match(warned().join(), /cannot be kept/)
  await truncate(at('peers.json'), 2 ** 31)
  assert.deepEqual(await read(), [])
  assert.match(warned().join(), /not accepted|fault|JSON/)
  execFileSync('mkfifo', [at('pipe')])
  for (const file of [at('pipe'), '/dev/zero']) assert.deepEqual(await read({ file }), [], file)
  await assert.rejects(read({ file: at('') }), { name: 'UsageError' })
})
