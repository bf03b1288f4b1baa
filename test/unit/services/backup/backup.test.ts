import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { concat, equal, toHex, utf8 } from '../../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { CodecError, ConflictError, PassphraseError, StorageError } from '../../../../src/lib/errors.ts'
import { silentLogger } from '../../../../src/lib/log.ts'
import { withAccountKey } from '../../../../src/services/account/account-key.ts'
import {
  accountExists,
  clearUnfinished,
  createAccount,
  establish,
  makeVault,
} from '../../../../src/services/account/create.ts'
import type { AccountContext } from '../../../../src/services/account/ports.ts'
import { loadAccount } from '../../../../src/services/account/unlock.ts'
import { backupBytes } from '../../../../src/services/backup/make.ts'
import { restoreBackup } from '../../../../src/services/backup/restore.ts'
import type { RestoredHome } from '../../../../src/services/backup/restore.ts'
import { BACKUP_ENTRY, decodeEntries, encodeEntry } from '../../../../src/store/backup-entries.ts'
import type { BackupEntry } from '../../../../src/store/backup-entries.ts'
import { sealStream } from '../../../../src/store/backup-stream.ts'
import { emptyConversation } from '../../../../src/store/conversation-counters.ts'
import { Database } from '../../../../src/store/database.ts'
import { guardedEngine } from '../../../../src/store/engine.ts'
import { OWN_PROFILE } from '../../../../src/store/profiles.ts'
import { MESSAGE_STATUS } from '../../../../src/store/records.ts'
import { openStore } from '../../../../src/store/store.ts'
import type { Store } from '../../../../src/store/store.ts'
import { openVault } from '../../../../src/store/vault.ts'
import { UNMARKED } from '../../../../src/store/marks.ts'
import { bytes, CHEAP, collect, contact, everyByte, message, temporary, tools } from '../../store/fixtures.ts'
import type { Cleanup } from '../../store/fixtures.ts'

const NOW_MS = 1_800_000_000_000
const SETTINGS = ['user-settings']
const [alice, bob] = [bytes(32), bytes(32)]

interface Place {
  readonly path: string
  readonly context: AccountContext
}

async function emptyHome(
  t: Cleanup,
  over: (path: string) => Promise<Database> = async (path) => Database.open(path),
): Promise<Place> {
  const path = temporary(t)
  const database = await over(join(path, 'account'))
  t.after(async () => database.close())
  const files = { vault: join(path, 'vault'), accountKey: join(path, 'account.sealed') }
  const clock = new VirtualClock(NOW_MS)
  return { path, context: { ...tools, clock, log: silentLogger, database, files, cost: CHEAP } }
}

/** A home in use, and the plain bytes of its backup. */
async function used(
  t: Cleanup,
): Promise<{ store: Store; accountId: Uint8Array; plain: Uint8Array; secrets: Uint8Array[] }> {
  const { context } = await emptyHome(t)
  const { vault, accountId } = await createAccount(context, { passphrase: 'daily' })
  const store = await openStore(context.database, vault)
  const card = (await store.accounts.own())?.card
  const device = { deviceId: bytes(16), prekeys: undefined, prekeysAt: 0, grant: undefined, grantSent: 0 }
  const texts = ['one', 'two', 'three'].map((text, i) => message(alice, i + 1, { text, outgoing: i === 2 }))
  const [first, second, third] = texts as [(typeof texts)[0], (typeof texts)[0], (typeof texts)[0]]
  const marks = { ...UNMARKED, starred: 77, pinned: true }
  await store.batch([
    ...store.contacts.put(contact(alice, { pinned: card, token: bytes(16), laneNumber: 9, devices: [device] })),
    ...store.contacts.put(contact(bob, { name: 'Bob', state: 4 })),
    ...store.settings.put('user-settings', '{"readReceipts":false}'),
    ...store.settings.put('of-this-device', 'secret'),
    ...store.profiles.put(OWN_PROFILE, { number: 3, name: 'Me', bio: 'here', avatar: undefined }),
    ...store.profiles.put(alice, { number: 1, name: 'Alice', bio: '', avatar: { type: 1, data: bytes(30) } }),
    ...store.messages.put({ ...first, marked: true, readAt: 5 }),
    ...store.marks.put(alice, first.id, marks),
    ...store.starred.put({ messageId: first.id, order: 77 }),
    ...store.messages.put({ ...second, expiresAt: NOW_MS + 1_000, timerSeconds: 60 }),
    ...store.messages.put({ ...third, status: MESSAGE_STATUS.queued }),
    ...store.conversations.put({
      ...emptyConversation(alice),
      lastOrder: 3,
      lastMessage: third.id,
      unread: 9,
      draft: 'begun',
      lamport: 40,
      timerSeconds: 60,
      pins: [first.id],
    }),
  ])
  const plain = await withAccountKey(context, 'daily', accountId, async (seeds) =>
    concat(...(await collect(backupBytes({ store, seeds, settings: SETTINGS, clock: context.clock })))),
  )
  const own = await store.devices.own()
  assert.ok(own)
  return {
    store,
    accountId,
    plain,
    secrets: [own.identitySecret, own.mailboxSeed, own.introSeed, own.signingSeeds.ed25519, device.deviceId],
  }
}

async function* once(one: Uint8Array): AsyncGenerator<Uint8Array> {
  yield one
}

const sealed = async (plain: Uint8Array): Promise<Uint8Array> =>
  concat(...(await collect(sealStream(once(plain), 'kept apart', tools, CHEAP))))

async function restore(
  { context }: Place,
  backup: Uint8Array,
  change: { passphrase?: string } = {},
): Promise<RestoredHome> {
  const account = {
    exists: async () => accountExists(context.database),
    clear: async () => clearUnfinished(context),
    makeVault: async (passphrase: string) => makeVault(context, passphrase),
    establish: async (...[vault, seeds, options]: Parameters<Maker['establish']>) =>
      establish(context, vault, seeds, { ...options, isBack: true }),
  }
  const input = { backup: once(backup), passphrase: 'kept apart', newPassphrase: 'fresh one', settings: SETTINGS }
  return restoreBackup(
    { ...context, account },
    { ...input, ...change, lookFor: async () => Promise.resolve({ asked: false }) },
  )
}
type Maker = Parameters<typeof restoreBackup>[0]['account']

/** As before anything was tried. */
async function assertEmpty({ path, context }: Place): Promise<void> {
  assert.deepEqual(readdirSync(path), ['account'])
  for await (const key of context.database.keys({})) assert.fail(`a record is left: ${key[0]}`)
}

test('LS-20 a backup brings everything back into an empty home: on a new device, with new prekeys', async (t) => {
  const { store, accountId, plain } = await used(t)
  const place = await emptyHome(t)
  const restored = await restore(place, await sealed(plain))
  assert.deepEqual([restored.contacts, restored.messages, restored.createdAt], [2, 3, NOW_MS])
  assert.deepEqual(restored.accountId, accountId)
  const { context } = place
  const fresh = await openStore(context.database, await openVault(context.files.vault, 'fresh one', tools))
  const account = await loadAccount(context, restored.vault)
  assert.deepEqual(account.accountId, accountId)
  const [was, is] = [await store.devices.own(), await fresh.devices.own()]
  assert.ok(was && is)
  for (const key of ['deviceId', 'identitySecret', 'mailboxSeed', 'introSeed'] as const)
    assert.ok(!equal(was[key], is[key]), key)
  const numbers = [(await store.accounts.own())?.number ?? 0, (await fresh.accounts.own())?.number ?? 0] as const
  assert.ok(numbers[1] > numbers[0], 'the new card follows every one of before')
  const devices = (await fresh.accounts.own())?.card.body.devices ?? []
  assert.deepEqual(
    devices.map(({ body }) => toHex(body.deviceId)),
    [toHex(is.deviceId)],
  )
  assert.equal((await fresh.prekeys.signed.list()).length, 1)
  await withAccountKey(context, 'fresh one', accountId, async (seeds) =>
    Promise.resolve(assert.equal(seeds.mldsa65.length, 32)),
  )
})

test('LS-20 LS-03 contacts come back pinned and to be met again, conversations with drafts and marks, messages honest about what was not sent', async (t) => {
  const { store, plain } = await used(t)
  const place = await emptyHome(t)
  const { vault } = await restore(place, await sealed(plain))
  const fresh = await openStore(place.context.database, vault)
  const [before, after] = [await store.contacts.get(alice), await fresh.contacts.get(alice)]
  const deviceIds = before?.pinned?.body.devices.map(({ body }) => body.deviceId) ?? []
  const devices = deviceIds.map((deviceId) => {
    return { deviceId, prekeys: undefined, prekeysAt: 0, grant: undefined, grantSent: 0 }
  })
  assert.deepEqual(after, { ...before, token: undefined, laneNumber: 0, devices })
  const greeted = await fresh.recovery.contacts()
  assert.deepEqual(
    greeted.map(({ accountId, greet }) => [toHex(accountId), greet]),
    [[toHex(alice), true]],
  )
  const messages = await fresh.messages.page(alice, { limit: 9 })
  const failed = messages[0]
  assert.equal(failed?.status, MESSAGE_STATUS.failed)
  const old = await store.messages.page(alice, { limit: 9 })
  assert.deepEqual(messages, [{ ...old[0], status: MESSAGE_STATUS.failed }, ...old.slice(1)])
  const conversation = await fresh.conversations.get(alice)
  assert.deepEqual(conversation, { ...(await store.conversations.get(alice)), unread: 1, unreadFrom: 2 })
  const [first] = old.slice(-1)
  assert.ok(first)
  assert.deepEqual(await fresh.marks.of(first), await store.marks.of(first))
  assert.deepEqual(await fresh.starred.page({ limit: 9 }), await store.starred.page({ limit: 9 }))
  assert.deepEqual(await collect(fresh.expiries.all()), [{ version: 1, messageId: old[1]?.id, at: NOW_MS + 1_000 }])
  assert.equal(await fresh.settings.get('user-settings'), '{"readReceipts":false}')
  assert.equal(await fresh.settings.get('of-this-device'), undefined)
  assert.equal((await fresh.profiles.get(OWN_PROFILE))?.name, 'Me')
  assert.equal((await fresh.profiles.get(alice))?.avatar?.data.length, 30)
  assert.equal(await fresh.search.task(), 'clear')
})

test('LS-20 no device key, prekey, token or grant is in a backup', async (t) => {
  const { store, plain, secrets } = await used(t)
  const signed = await store.prekeys.signed.list()
  const token = (await store.contacts.get(alice))?.token
  assert.ok(token)
  const hidden = [...secrets, token, utf8('of-this-device'), ...signed.map(({ secret }) => secret)]
  for (const secret of hidden) assert.equal(Buffer.from(plain).includes(Buffer.from(secret)), false)
})

test('LS-20 a wrong passphrase, another home’s account and a file that is not whole leave the home as it was', async (t) => {
  const { plain } = await used(t)
  const place = await emptyHome(t)
  const whole = await sealed(plain)
  await assert.rejects(restore(place, whole, { passphrase: 'wrong' }), PassphraseError)
  await assert.rejects(restore(place, whole.subarray(0, whole.length - 20)), CodecError)
  const entries = await collect(decodeEntries(once(plain)))
  const faulty: Record<string, readonly BackupEntry[]> = {
    'without an end': entries.slice(0, -1),
    'with an entry missing': [...entries.slice(0, 4), ...entries.slice(5)],
    'going on behind its end': [...entries, ...entries.slice(3, 4)],
    'with a second beginning': [...entries.slice(0, 3), ...entries.slice(0, 1), ...entries.slice(4)],
    'without its account': entries.filter(({ kind }) => kind !== BACKUP_ENTRY.account),
    'with the keys of another': entries.map((entry) =>
      entry.kind === BACKUP_ENTRY.account ? { ...entry, body: { ...entry.body, ed25519: bytes(32) } } : entry,
    ),
    'with nothing in it': [],
  }
  for (const [how, list] of Object.entries(faulty)) {
    await assert.rejects(restore(place, await sealed(concat(...list.map(encodeEntry)))), CodecError, how)
    await assertEmpty(place)
  }
  await assert.rejects(restore(place, await sealed(plain.subarray(0, -3))), CodecError)
  await assert.rejects(restore(place, await sealed(bytes(5_000))), CodecError)
  await assertEmpty(place)
  await restore(place, whole)
  await assert.rejects(restore(place, whole), ConflictError)
})

test('LS-20 LS-08 a restoring that is cut short anywhere is begun anew; before its end the home has no account', async (t) => {
  const whole = await sealed((await used(t)).plain)
  for (let writes = 0; ; writes++) {
    let left = writes
    const place = await emptyHome(t, async (path) => {
      const engine = guardedEngine(path)
      return Database.over({
        ...engine,
        batch: async (ops, options) => {
          if (left-- <= 0) throw new Error('the power went')
          await engine.batch(ops, options)
        },
      })
    })
    const ended = await restore(place, whole).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof StorageError)
        return false
      },
    )
    left = 1_000
    if (ended) break
    assert.equal(await accountExists(place.context.database), false)
    assert.equal((await restore(place, whole)).messages, 3)
    assert.ok(writes < 20)
  }
})

test('LS-01 LS-20 nothing of a backup lies in the clear in the home that took it', async (t) => {
  const { plain } = await used(t)
  const place = await emptyHome(t)
  await restore(place, await sealed(plain))
  const disk = everyByte(place.path)
  for (const hidden of ['user-settings', 'begun', 'Carol']) assert.equal(disk.includes(hidden), false)
  assert.equal(existsSync(place.context.files.accountKey), true)
})

test('LS-20 SE-05 the account’s keys are wiped as soon as they are in the file, however slowly the rest is read', async (t) => {
  const { context } = await emptyHome(t)
  const { vault } = await createAccount(context, { passphrase: 'daily' })
  const store = await openStore(context.database, vault)
  const seeds = { ed25519: bytes(32), mldsa65: bytes(32) }
  const plain = backupBytes({ store, seeds, settings: SETTINGS, clock: context.clock })
  for (let entry = 0; entry < 2; entry++) assert.equal((await plain.next()).done, false)
  assert.ok(seeds.ed25519.some((byte) => byte !== 0))
  await plain.next()
  assert.ok([...seeds.ed25519, ...seeds.mldsa65].every((byte) => byte === 0))
  await plain.return(undefined)
})

test('LS-20 a file that asks for more memory or time than any backup is refused before either is taken', async (t) => {
  const { plain } = await used(t)
  const backup = await sealed(plain)
  const view = new DataView(backup.buffer, backup.byteOffset)
  const memoryAt = 'sotto backup'.length + 2
  assert.equal(view.getUint32(memoryAt), CHEAP.memoryKiB)
  for (const [memoryKiB, passes] of [
    [262_145, 1],
    [8, 9],
  ] as const) {
    view.setUint32(memoryAt, memoryKiB)
    view.setUint8(memoryAt + 4, passes)
    const place = await emptyHome(t)
    await assert.rejects(restore(place, backup), CodecError)
    await assertEmpty(place)
  }
})
