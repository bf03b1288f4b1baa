/**
 * Makes the fixtures of this folder: a small home by the code of any older commit, whose tree is the first argument
 * (`git worktree add /tmp/old COMMIT`), packed into the file that is the second. Run by hand, once for each format.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type * as Create from '../../src/services/account/create.ts'
import type * as Counters from '../../src/store/conversation-counters.ts'
import type * as DatabaseFile from '../../src/store/database.ts'
import type * as Native from '../../src/crypto/native.ts'
import type * as Clock from '../../src/lib/clock.ts'
import type * as Log from '../../src/lib/log.ts'
import type * as Rng from '../../src/lib/rng.ts'
import type * as StoreFile from '../../src/store/store.ts'
import type { Contact, Message } from '../../src/store/records.ts'
import { PASSPHRASE, TEXTS } from './packed-home.ts'

const [tree = '.', target = 'home.gz'] = process.argv.slice(2)
const load = async <T>(path: string): Promise<T> => (await import(join(resolve(tree), 'src', path))) as T
const CHEAP = { memoryKiB: 8, passes: 1, length: 32 }

const { createAccount } = await load<typeof Create>('services/account/create.ts')
const { Database } = await load<typeof DatabaseFile>('store/database.ts')
const { openStore } = await load<typeof StoreFile>('store/store.ts')
const { emptyConversation } = await load<typeof Counters>('store/conversation-counters.ts')
const { nativeProvider: crypto } = await load<typeof Native>('crypto/native.ts')
const { VirtualClock } = await load<typeof Clock>('lib/clock.ts')
const { silentLogger: log } = await load<typeof Log>('lib/log.ts')
const { seededRng } = await load<typeof Rng>('lib/rng.ts')

const home = mkdtempSync(join(tmpdir(), 'sotto-fixture-'))
const rng = seededRng(20_261_121)
const clock = new VirtualClock(1_800_000_000_000)
const database = await Database.open(join(home, 'account'))
const files = { vault: join(home, 'vault'), accountKey: join(home, 'account.sealed') }
const context = { crypto, rng, clock, log, database, files, cost: CHEAP }
const { vault } = await createAccount(context, { passphrase: PASSPHRASE })
const store = await openStore(database, vault)
const own = await store.accounts.own()

const contacts = TEXTS.map((texts, at) => ({ id: new Uint8Array(32).fill(at + 1), texts, at }))
for (const { id, texts, at } of contacts) {
  const contact = {
    version: 1,
    accountId: id,
    name: `Contact ${at}`,
    state: 3,
    pinned: own?.card,
    pinSource: 3,
    pinnedAt: 1_800_000_000_000,
    checkedAt: 0,
    verified: at === 0,
    changed: undefined,
    laneNumber: 2,
    note: 'a note',
    favourite: at === 1,
    direct: 1,
    addedAt: 1_800_000_000_000,
    lastSeenAt: 0,
    token: undefined,
    devices: [],
  } as Partial<Contact> as Contact
  await store.batch(store.contacts.put(contact))
  for (const [i, text] of texts.entries()) {
    const times = { sentAt: 1_800_000_000_000 + i, committedAt: 1_800_000_000_500 + i, readAt: 0 }
    const place = { version: 1, id: rng.bytes(16), contact: id, order: i + 1, outgoing: i % 2 === 1, contentKind: 1 }
    const message = {
      ...place,
      text,
      replyTo: undefined,
      ...times,
      status: 3,
      path: 1,
      receipts: 0,
    } as Partial<Message> as Message
    await store.batch(await store.messages.insert(message))
  }
  const counted = { lastOrder: texts.length, lastAt: 1_800_000_000_500 + texts.length, unread: 1, muted: at === 0 }
  await store.batch(store.conversations.put({ ...emptyConversation(id), ...counted }))
}
const event = { version: 1, at: 1_800_000_000_000, type: 'message:received', data: '{"n":1}' }
await store.batch([...store.settings.put('choice', 'kept'), ...store.events.append([event, event]).ops])
await database.close()

const packed: Record<string, string> = {}
for (const name of readdirSync(home, { recursive: true }) as string[]) {
  const path = join(home, name)
  if (statSync(path).isFile() && !name.endsWith('LOCK')) packed[name] = readFileSync(path).toString('base64')
}
writeFileSync(target, gzipSync(JSON.stringify(packed)))
rmSync(home, { recursive: true })
