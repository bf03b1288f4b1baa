/** Homes in temporary directories and records of every kind. */
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selectProvider } from '../../../src/crypto/select.ts'
import { u32be } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { bucketKey } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import type { StoreOp } from '../../../src/store/database.ts'
import { CONTACT_STATE, MESSAGE_STATUS, OUTBOX_PATH, PIN_SOURCE } from '../../../src/store/records.ts'
import type { Contact, Message, OutboxItem } from '../../../src/store/records.ts'
import { openStore } from '../../../src/store/store.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Tombstone } from '../../../src/wire/letter.ts'
import { createVault } from '../../../src/store/vault.ts'
import type { Vault } from '../../../src/store/vault.ts'

export const SEED = 20_260_101
console.log(`seed ${SEED}`)
export const rng = seededRng(SEED)
export const tools = { crypto: selectProvider(undefined), rng }
/** The least that Argon2id takes: tests are not the place to be slow. */
export const CHEAP = { memoryKiB: 8, passes: 1, length: 32 }

export interface Home {
  readonly path: string
  readonly database: Database
  readonly vault: Vault
  readonly store: Store
}

export interface Cleanup {
  after(action: () => Promise<void> | void): void
}

export function temporary(t: Cleanup): string {
  const path = mkdtempSync(join(tmpdir(), 'sotto-store-'))
  t.after(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

export async function openDatabase(t: Cleanup, path: string): Promise<Database> {
  const database = await Database.open(path)
  t.after(() => database.close())
  return database
}

export async function newHome(t: Cleanup, passphrase = 'correct horse'): Promise<Home> {
  const path = temporary(t)
  const database = await openDatabase(t, join(path, 'store'))
  const vault = await createVault(join(path, 'vault'), passphrase, tools, CHEAP)
  return { path, database, vault, store: await openStore(database, vault) }
}

/** Every byte of every file below `path`, and the names of the files. */
export function everyByte(path: string): Buffer {
  const files = globSync('**/*', { cwd: path }).filter((name) => statSync(join(path, name)).isFile())
  return Buffer.concat(files.flatMap((name) => [Buffer.from(name), readFileSync(join(path, name))]))
}

/** Fills LevelDB's first log, so that it goes on in a new file: one that is `/dev/full`, which has no room, ever. */
export async function fillTheDisk(database: Database, path: string): Promise<readonly string[]> {
  const used = readdirSync(path).map((name) => Number.parseInt(name, 10))
  const next = Math.max(...used.filter((number) => !Number.isNaN(number))) + 1
  const links = Array.from({ length: 4 }, (_, i) => join(path, `${String(next + i).padStart(6, '0')}.log`))
  for (const link of links) symlinkSync('/dev/full', link)
  const filler = Array.from({ length: 9 }, (_, i): StoreOp => ({
    type: 'put',
    key: bucketKey('parts', u32be(i)),
    value: bytes(512 * 1_024),
  }))
  await database.batch(filler, { sync: false })
  return links
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export const bytes = (length: number): Uint8Array => rng.bytes(length)

/** Not one that anything would hold: the right sizes are all that a record needs. */
export function aTombstone(): Tombstone {
  const stamp = { bits: 0, nonce: bytes(16) }
  const fields = { address: bytes(32), lane: bytes(16), expiry: 500_000, commitment: bytes(32), stamp }
  const header = { version: 1, kind: 1, sizeClass: 2, ...fields } as const
  const proof = { kind: 1, body: { key: bytes(32), signature: bytes(64) } } as const
  return { header, digest: bytes(32), preimage: bytes(16), proof }
}

export function message(contact: Uint8Array, order: number, change: Partial<Message> = {}): Message {
  return {
    id: bytes(16),
    contact,
    order,
    outgoing: false,
    contentKind: 1,
    text: `message ${order}`,
    replyTo: undefined,
    sentAt: 1_800_000_000_000 + order,
    committedAt: 1_800_000_000_500 + order,
    status: MESSAGE_STATUS.delivered,
    path: 0,
    receipts: 0,
    readAt: 0,
    timerSeconds: 0,
    expiresAt: 0,
    gone: 0,
    marked: false,
    ...change,
  }
}

export function contact(accountId: Uint8Array, change: Partial<Contact> = {}): Contact {
  return {
    accountId,
    name: 'Carol',
    state: CONTACT_STATE.accepted,
    pinned: undefined,
    pinSource: PIN_SOURCE.qr,
    pinnedAt: 1_800_000_000_000,
    checkedAt: 0,
    verified: false,
    changed: undefined,
    laneNumber: 0,
    note: '',
    favourite: false,
    direct: 1,
    addedAt: 1_800_000_000_000,
    lastSeenAt: 0,
    token: undefined,
    devices: [],
    ...change,
  }
}

export function outboxItem(sequence: number, change: Partial<OutboxItem> = {}): OutboxItem {
  return {
    version: 1,
    sequence,
    messageId: bytes(16),
    contact: bytes(32),
    deviceId: bytes(16),
    content: bytes(100),
    preimage: bytes(16),
    quiet: false,
    sealed: undefined,
    letter: undefined,
    letterId: undefined,
    proof: undefined,
    rungs: 0,
    former: [],
    ladder: { rung: 0, audits: 0, shorts: 0, shortSince: 0, restamps: 0 },
    receipts: [],
    proved: undefined,
    path: OUTBOX_PATH.none,
    attempts: 0,
    nextAt: 1_800_000_000_000,
    createdAt: 1_800_000_000_000,
    expiresAt: 1_802_592_000_000,
    trace: [],
    ...change,
  }
}
