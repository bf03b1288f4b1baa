/** What a day's work leaves in the logs, at their most talkative, and how daemons end. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { selectProvider } from '../../src/crypto/select.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { loadAccount, Unlocker } from '../../src/services/account/unlock.ts'
import { Database } from '../../src/store/database.ts'
import { canary, searchTrees } from '../support/canary.ts'
import { befriend, PASSPHRASE, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

const INFO = 30
/** Nothing is handed over by who holds nothing. */
const STOP_MS = 5_000

const bed = new Testbed()
const secret = canary()
const debug = ['--log-level', 'debug']
const entrance = bed.daemon('entrance', { flags: [...debug, '--role', 'bootstrap'], passphrase: null })
const nobody = ['--bootstrap', '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWL7n5N549ndND3kSGg6A2m1ahrvVvKTwuKRwbyCG1oc2Z']
const keeper = bed.daemon('keeper', { flags: [...debug, ...nobody], passphrase: null })
const alice = bed.daemon('alice', { flags: [...debug, '--no-holder'] })
const bob = bed.daemon('bob', { flags: debug })
const everybody: readonly Daemon[] = [entrance, keeper, alice, bob]
const accounts: string[] = []
const links: string[] = []
let stopMs = 0

/** Writes, fails, is refused, waits: what is logged about. Then all of them end. */
async function aDay(): Promise<void> {
  for (const daemon of everybody) await daemon.start()
  await Promise.all([alice.createIdentity(1), bob.createIdentity(1)])
  accounts.push(await alice.accountId(), await bob.accountId())
  links.push((await bob.api<{ link: string }>('GET', '/invite?token=true')).link)
  await befriend(alice, bob)
  const [, bobId = ''] = accounts
  const direct = await alice.send(bobId, `${secret} while you are there`)
  await alice.reaches(direct.id, 'delivered')
  await assert.rejects(alice.api('POST', '/unlock', { passphrase: `${secret} is not it` }))
  await assert.rejects(alice.api('POST', '/messages', { to: secret, text: secret }))
  await assert.rejects(alice.api('GET', '/status', undefined, { authorization: `Bearer ${secret}` }))
  await bob.kill()
  await alice.send(bobId, `${secret} while you are away`)
  await bob.start()
  await bob.receives(accounts[0] ?? '', `${secret} while you are away`)
}

/** The 32 bytes and more that everything of a person hangs on, out of the sealed home. */
async function keysOf({ home }: Daemon): Promise<readonly Uint8Array[]> {
  const database = await Database.open(join(home, 'account'))
  try {
    const crypto = selectProvider(undefined)
    const files = { vault: join(home, 'vault'), accountKey: join(home, 'account.sealed') }
    const context = { crypto, rng: systemRng, clock: systemClock, log: silentLogger, database, files }
    const { vault } = await new Unlocker(context).unlock(PASSPHRASE)
    const { signingSeeds, identitySecret, mailboxSeed, introSeed } = await loadAccount(context, vault)
    return [signingSeeds.ed25519, signingSeeds.mldsa65, identitySecret, mailboxSeed, introSeed]
  } finally {
    await database.close()
  }
}

/** Whether eight bytes of the key stand in the text as numbers, or fifteen in base64. */
function tellsOf(text: string, key: Uint8Array): boolean {
  const bytes = Buffer.from(key)
  const pieces = Array.from({ length: bytes.length / 4 - 1 }, (_, i) => bytes.subarray(4 * i, 4 * i + 8))
  const numbers = pieces.flatMap((piece) => {
    const hex = piece.toString('hex')
    return [hex, hex.toUpperCase(), [...piece].join(',')]
  })
  const base64 = [0, 1, 2].map((offset) => bytes.toString('base64', offset, offset + 15))
  const base64url = base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))
  return [...numbers, ...base64, ...base64url].some((form) => text.includes(form))
}

interface Line {
  readonly level: number
  readonly text: string
}

function linesOf({ log }: Daemon): readonly Line[] {
  const lines = log.split('\n').filter((text) => text.startsWith('{'))
  return lines.map((text) => ({ level: (JSON.parse(text) as { level: number }).level, text }))
}

before(async () => {
  await aDay()
})
after(() => bed.close())

test('SE-07 SIGTERM in the midst of work: exit code 0, every store closed, nothing unhandled, in five seconds', async (t) => {
  await alice.send(accounts[1] ?? '', `${secret} and gone`)
  const beganMs = performance.now()
  assert.equal(await alice.stop(), 0)
  stopMs = performance.now() - beganMs
  t.diagnostic(`${Math.round(stopMs)} ms`)
  assert.ok(stopMs < STOP_MS, `${stopMs} ms`)
  for (const daemon of everybody) assert.equal(await daemon.stop(), 0, daemon.name)
  for (const { home, log, name } of everybody) {
    for (const open of ['account/OPEN', 'held/OPEN', 'api.json', 'api.sock']) {
      assert.equal(existsSync(join(home, open)), false, `${name} left ${open}`)
    }
    assert.doesNotMatch(log, /crashed|failed to stop|unhandled|did not stop/i)
  }
})

test('OP-18 SE-16 at debug nothing of what was written, of any key, passphrase, token or invite is in any log', async () => {
  const keys = (await Promise.all([alice, bob].map(keysOf))).flat()
  assert.equal(keys.length, 10)
  const logs = everybody.map((daemon) => daemon.log).join('\n')
  assert.ok(
    everybody.flatMap(linesOf).some(({ level }) => level < INFO),
    'there is something to look at',
  )
  assert.deepEqual(searchTrees([join(bed.root, 'logs')], secret).found, [])
  const tokens = everybody.map(({ home }) => readFileSync(join(home, 'api-token'), 'utf8').trim())
  const nodeKeys = everybody.map(({ home }) => readFileSync(join(home, 'node.key')))
  for (const text of [PASSPHRASE, ...tokens, ...links]) assert.equal(logs.indexOf(text), -1)
  for (const key of [...keys, ...nodeKeys.map((bytes) => bytes.subarray(4, 36))]) {
    assert.ok(tellsOf(`a line with ${Buffer.from(key.subarray(8, 16)).toString('hex')}`, key), 'the search finds')
    assert.equal(tellsOf(logs, key), false, 'a piece of a key is in a log')
  }
})

test('OP-18 SE-17 at info and above, an intruder’s knock among it, no account, no peer, no address of a peer and no long random text is in any log', () => {
  const told = everybody.flatMap(linesOf).filter(({ level }) => level >= INFO)
  assert.deepEqual(linesOf(alice).filter(({ text }) => text.includes('"security":true')).length, 1, 'a wrong token')
  const ours = [...accounts, ...everybody.map(({ peerId }) => peerId)]
  for (const { text } of told) {
    for (const name of ours) assert.equal(text.indexOf(name), -1, text)
    assert.doesNotMatch(text, /\/ip[46]\/|\/p2p\/|12D3KooW|sotto1|\b\d+\.\d+\.\d+\.\d+\b/)
    assert.doesNotMatch(text, /[0-9a-fA-F]{16}|[A-Za-z0-9+/_-]{32}/)
  }
})

test('OP-05 NA-06 who lets people in holds nothing of theirs: no mail, no card, on no disk', async () => {
  assert.equal(existsSync(join(entrance.home, 'held')), false)
  const found = searchTrees([entrance.home, keeper.home], secret)
  assert.deepEqual(found.found, [])
  for (const account of accounts) assert.deepEqual(searchTrees([entrance.home], account).found, [])
})
