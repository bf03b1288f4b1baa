/** Homes that older programs wrote, opened by this one. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { selectProvider } from '../../src/crypto/select.ts'
import { utf8 } from '../../src/lib/bytes.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { StorageError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { withAccountKey } from '../../src/services/account/account-key.ts'
import { loadAccount } from '../../src/services/account/unlock.ts'
import { Database } from '../../src/store/database.ts'
import { guardedEngine } from '../../src/store/engine.ts'
import type { Engine } from '../../src/store/engine.ts'
import { FORMAT, migrate, MIGRATIONS } from '../../src/store/migrations.ts'
import { Repository } from '../../src/store/repository.ts'
import { openStore } from '../../src/store/store.ts'
import type { Store } from '../../src/store/store.ts'
import { openVault } from '../../src/store/vault.ts'
import type { Vault } from '../../src/store/vault.ts'
import { struct, u32 } from '../../src/wire/codec.ts'
import { PASSPHRASE, TEXTS, unpack } from './packed-home.ts'

const tools = { crypto: selectProvider(undefined), rng: systemRng }
const FIXTURES = ['format-1', 'format-2'] as const
const COPY = `account.before-${FORMAT}`
const CONTACTS = TEXTS.map((_, at) => new Uint8Array(32).fill(at + 1))

interface Scratch {
  after(action: () => void): void
}

function oldHome(t: Scratch, fixture: string): string {
  const home = mkdtempSync(join(tmpdir(), 'sotto-upgrade-'))
  t.after(() => {
    rmSync(home, { recursive: true, force: true })
  })
  unpack(fixture, home)
  return home
}

const vaultOf = async (home: string): Promise<Vault> => openVault(join(home, 'vault'), PASSPHRASE, tools)

async function formatOf(database: Database, vault: Vault): Promise<number | undefined> {
  return (await new Repository(database, vault, 'format', struct({ format: u32 })).list())[0]?.format
}

async function assertWhole(store: Store): Promise<void> {
  for (const [at, texts] of TEXTS.entries()) {
    const id = CONTACTS[at] ?? new Uint8Array(32)
    const contact = await store.contacts.get(id)
    assert.equal(contact?.name, `Contact ${at}`)
    assert.deepEqual([contact.direct, contact.verified, contact.favourite], [1, at === 0, at === 1])
    assert.equal(contact.pinned?.body.number, 1)
    const messages = await store.messages.page(id, { limit: 10 })
    assert.deepEqual(messages.map(({ text }) => text).toReversed(), texts)
    assert.deepEqual([messages[0]?.gone, messages[0]?.marked, messages[0]?.timerSeconds], [0, false, 0])
    const conversation = await store.conversations.get(id)
    assert.deepEqual([conversation?.unread, conversation?.muted, conversation?.draft], [1, at === 0, ''])
    assert.equal(conversation?.lastOrder, texts.length)
  }
  assert.equal(await store.settings.get('choice'), 'kept')
  assert.equal(store.events.last(), 2)
  assert.notEqual(await store.accounts.own(), undefined)
  assert.notEqual(await store.devices.own(), undefined)
}

test('LS-21 the list of migrations goes from 1 to the present without a gap', () => {
  assert.deepEqual(
    MIGRATIONS.map(({ to }) => to),
    Array.from({ length: FORMAT - 1 }, (_, i) => i + 2),
  )
})

for (const fixture of FIXTURES) {
  test(`LS-21 a home of ${fixture} opens: migrated, everything readable, a copy of before kept`, async (t) => {
    const home = oldHome(t, fixture)
    const database = await Database.open(join(home, 'account'))
    const vault = await vaultOf(home)
    const files = { vault: join(home, 'vault'), accountKey: join(home, 'account.sealed') }
    const context = { ...tools, clock: new VirtualClock(1_800_000_000_000), log: silentLogger, database, files }
    const { accountId } = await loadAccount(context, vault)
    const store = await openStore(database, vault)
    await assertWhole(store)
    assert.equal(await formatOf(database, vault), FORMAT)
    assert.equal(await store.search.task(), 'clear')
    await withAccountKey(context, PASSPHRASE, accountId, async (seeds) => {
      assert.equal(seeds.ed25519.length, 32)
    })
    await database.close()
    // The copy is a home of before: whoever puts it back has the older program's.
    const copy = await Database.open(join(home, COPY))
    assert.equal(await formatOf(copy, vault), Number(fixture.slice(-1)))
    await migrate(copy, vault)
    await assertWhole(await openStore(copy, vault))
    await copy.close()
  })

  test(`LS-21 LS-08 a migration of ${fixture} that is cut short anywhere is made up for at the next start`, async (t) => {
    for (let writes = 0; ; writes++) {
      const home = oldHome(t, fixture)
      const vault = await vaultOf(home)
      const cut = await Database.over(cutShort(join(home, 'account'), writes))
      const ended = await migrate(cut, vault).then(
        () => true,
        () => false,
      )
      await cut.close()
      const database = await Database.open(join(home, 'account'))
      await assertWhole(await openStore(database, vault))
      assert.equal(await formatOf(database, vault), FORMAT)
      await database.close()
      const copy = await Database.open(join(home, COPY))
      assert.equal(await formatOf(copy, vault), Number(fixture.slice(-1)), `after ${writes} writes`)
      await copy.close()
      if (ended) break
      assert.ok(writes < 20)
    }
  })
}

/** Takes so many batches, and no more. */
function cutShort(path: string, writes: number): Engine {
  const engine = guardedEngine(path)
  let left = writes
  return {
    ...engine,
    batch: async (ops, options) => {
      if (left-- <= 0) throw new Error('the power went')
      await engine.batch(ops, options)
    },
  }
}

test('LS-21 without room for the copy the home is not touched, and says so', async (t) => {
  const home = oldHome(t, 'format-2')
  const vault = await vaultOf(home)
  const full = Object.assign(new Error('no room'), { code: 'ENOSPC' })
  const engine = guardedEngine(join(home, 'account'))
  const database = await Database.over({ ...engine, backUp: async () => Promise.reject(full) })
  await assert.rejects(
    openStore(database, vault),
    (error: Error) => error instanceof StorageError && /full/.test(error.message),
  )
  assert.equal(await formatOf(database, vault), 2)
  await database.close()
})

test('LS-21 a copy that was cut short is made anew, one that is whole stays, and goes when it is old', async (t) => {
  const home = oldHome(t, 'format-2')
  const path = join(home, 'account')
  const engine = guardedEngine(path)
  const half = join(home, `${COPY}.part`)
  unpack('format-1', half)
  await engine.backUp?.(`before-${FORMAT}`)
  assert.equal(existsSync(half), false)
  assert.equal(readdirSync(join(home, COPY)).includes('OPEN'), false)
  assert.equal(statSync(join(home, COPY)).mode & 0o777, 0o700)
  const made = statSync(join(home, COPY)).ino
  await engine.backUp?.(`before-${FORMAT}`)
  assert.equal(statSync(join(home, COPY)).ino, made)
  await engine.dropBackups?.(1_700_000_000_000)
  assert.equal(existsSync(join(home, COPY)), true)
  utimesSync(join(home, COPY), 1_600_000_000, 1_600_000_000)
  await engine.dropBackups?.(1_700_000_000_000)
  assert.equal(existsSync(join(home, COPY)), false)
  assert.equal(existsSync(path), true)
})

test('LS-21 a home of a newer program is refused in plain words, and stays as it is', async (t) => {
  const home = oldHome(t, 'format-2')
  const vault = await vaultOf(home)
  const database = await Database.open(join(home, 'account'))
  const records = new Repository(database, vault, 'format', struct({ format: u32 }))
  await database.batch(records.put({ id: utf8('format') }, { format: FORMAT + 1 }))
  await assert.rejects(openStore(database, vault), /newer version/)
  assert.equal(existsSync(join(home, COPY)), false)
  await database.close()
})
