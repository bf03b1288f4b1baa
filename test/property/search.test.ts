/** The index beside a naive search through every text: whatever is written, changed, deleted, tended, refused by the disk or reopened. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { selectProvider } from '../../src/crypto/select.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { Database } from '../../src/store/database.ts'
import type { StoreOp } from '../../src/store/database.ts'
import { levelEngine } from '../../src/store/engine.ts'
import { SearchIndex } from '../../src/store/search-index.ts'
import type { Indexed } from '../../src/store/search-index.ts'
import { matches, queryWords, wordsOf } from '../../src/store/search-words.ts'
import { Vault } from '../../src/store/vault.ts'

const SEED = 20_260_601
console.log(`seed ${SEED}`)
const rng = seededRng(SEED)
const tools = { crypto: selectProvider(undefined), rng }
const CONTACTS = [rng.bytes(32), rng.bytes(32), rng.bytes(32)] as const
const WORDS = ['red', 'reed', 'read', 'apple', 'Äpfel', 'app', 'a', '東京', '京都', '👍', 'über', 'ub']
/** So few messages make a segment that a run has many. */
const SEGMENT_DOCS = 4

type Step =
  | { readonly kind: 'write'; readonly texts: readonly string[]; readonly contact: number; readonly at: number }
  | { readonly kind: 'edit'; readonly which: number; readonly text: string }
  | { readonly kind: 'delete'; readonly which: number }
  | { readonly kind: 'tend' | 'reopen' | 'fail' | 'rebuild' }

const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 4 }).map((words) => words.join(' '))
const which = fc.nat({ max: 40 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      texts: fc.array(text, { minLength: 1, maxLength: 4 }),
      contact: fc.nat({ max: 2 }),
      at: fc.nat({ max: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), which, text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('tend' as const, 'reopen' as const, 'fail' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebuild' as const) }) },
)

class World {
  readonly database: Database
  readonly #vault: Vault
  readonly disk: { failing: boolean }
  readonly messages = new Map<string, Indexed>()
  index: SearchIndex
  #order = 0

  private constructor(database: Database, disk: { failing: boolean }, vault: Vault, index: SearchIndex) {
    this.database = database
    this.disk = disk
    this.#vault = vault
    this.index = index
  }

  static async open(database: Database, disk: { failing: boolean }): Promise<World> {
    const vault = new Vault(rng.bytes(32), tools)
    return new World(database, disk, vault, await SearchIndex.open(database, vault, SEGMENT_DOCS))
  }

  async run(each: Step): Promise<void> {
    if (each.kind === 'write') await this.#write(each.texts, CONTACTS[each.contact] ?? CONTACTS[0], each.at)
    if (each.kind === 'edit') await this.#change(each.which, (message) => ({ ...message, text: each.text }))
    if (each.kind === 'delete') await this.#change(each.which, () => undefined)
    if (each.kind === 'tend') await this.index.tend().catch(() => {})
    if (each.kind === 'reopen') await this.#reopen()
    if (each.kind === 'fail') this.disk.failing = true
    if (each.kind === 'rebuild') await this.#rebuild()
  }

  async close(): Promise<void> {
    await this.index.idle()
  }

  async check(query: string, contact: Uint8Array | undefined): Promise<void> {
    const found: string[] = []
    let before: string | undefined
    do {
      const asked = { ...(contact && { contact }), ...(before === undefined ? {} : { before }), limit: 3 }
      const page = await this.index.find(query, asked)
      found.push(...page.ids.map(toHex))
      before = page.next ?? undefined
    } while (before !== undefined)
    assert.deepEqual(found, this.#naive(query, contact), query)
  }

  #naive(query: string, contact: Uint8Array | undefined): readonly string[] {
    const asked = queryWords(query)
    const hits = [...this.messages.values()].filter(
      (message) =>
        asked.length > 0 &&
        (contact === undefined || toHex(message.contact) === toHex(contact)) &&
        asked.every((word) => wordsOf(message.text).some((own) => matches(own, word))),
    )
    hits.sort((a, b) => b.committedAt - a.committedAt || b.order - a.order)
    return hits.map(({ id }) => toHex(id))
  }

  async #reopen(): Promise<void> {
    await this.index.idle()
    this.index = await SearchIndex.open(this.database, this.#vault, SEGMENT_DOCS)
  }

  async #write(texts: readonly string[], contact: Uint8Array, at: number): Promise<void> {
    const added = texts.map((one) => {
      return { id: rng.bytes(16), contact, text: one, committedAt: 1_800_000_000_000 + at, order: ++this.#order }
    })
    const ops = await Promise.all(added.map(async (message) => this.index.indexOps(undefined, message)))
    await this.#commit(ops.flat(), () => {
      for (const message of added) this.messages.set(toHex(message.id), message)
    })
  }

  async #change(place: number, how: (message: Indexed) => Indexed | undefined): Promise<void> {
    const all = [...this.messages.values()]
    const before = all[place % Math.max(1, all.length)]
    if (before === undefined) return
    const after = how(before)
    await this.#commit(await this.index.indexOps(before, after), () => {
      if (after === undefined) this.messages.delete(toHex(before.id))
      else this.messages.set(toHex(after.id), after)
    })
  }

  /** As the one writer does it: what was prepared before a write failed is refused. */
  async #commit(ops: readonly StoreOp[], then: () => void): Promise<void> {
    const { generation } = this.database
    try {
      await this.database.batch(ops, { generation })
      then()
    } catch {
      this.disk.failing = false
    }
  }

  /** Half of it before the next thing happens, the rest when it is looked for. */
  async #rebuild(): Promise<void> {
    this.disk.failing = false
    await this.index.idle()
    await this.index.reset()
    assert.equal(await this.index.task(), 'build')
    for (const contact of CONTACTS) {
      while ((await this.index.frontier(contact)) !== 0) {
        const from = (await this.index.frontier(contact)) ?? Number.POSITIVE_INFINITY
        const older = [...this.messages.values()]
          .filter((message) => toHex(message.contact) === toHex(contact) && message.order < from)
          .sort((a, b) => b.order - a.order)
          .slice(0, 2)
        const next = older.length < 2 ? 0 : (older.at(-1)?.order ?? 0)
        await this.database.batch(await this.index.buildOps(contact, older, next))
        await this.#write(['red apple'], contact, 5)
      }
    }
    await this.database.batch(await this.index.builtOps())
    assert.equal(await this.index.task(), 'none')
  }
}

test('LS-02 the index finds what a naive search finds, in its order, whatever happens', async () => {
  const query = fc.array(fc.constantFrom(...WORDS, 're', 'ap', '京', 'ü'), { minLength: 1, maxLength: 2 })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.array(query, { maxLength: 6 }), async (steps, queries) => {
      const path = mkdtempSync(join(tmpdir(), 'sotto-search-'))
      const disk = { failing: false }
      const engine = levelEngine(join(path, 'db'))
      const database = await Database.over({
        ...engine,
        batch: async (ops, options) => {
          if (disk.failing) throw new Error('the disk failed')
          return engine.batch(ops, options)
        },
      })
      const world = await World.open(database, disk)
      try {
        for (const each of steps) await world.run(each)
        disk.failing = false
        for (const words of queries) {
          await world.check(words.join(' '), undefined)
          await world.check(words.join(' '), CONTACTS[0])
        }
        await world.close()
      } finally {
        await database.close()
        rmSync(path, { recursive: true, force: true })
      }
    }),
    { seed: SEED, numRuns: 60 },
  )
})
