import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { accountSeeds } from '../../../src/crypto/mnemonic.ts'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { hybridPublicKeys } from '../../../src/crypto/hybrid.ts'
import { equal, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import {
  ConflictError,
  LockedError,
  NotFoundError,
  PassphraseError,
  RateError,
  UsageError,
} from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { type Rng, seededRng, systemRng } from '../../../src/lib/rng.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { accountId } from '../../../src/protocol/account-id.ts'
import { accountCardHash, verifyAccountCard, verifyPrekeyCard } from '../../../src/protocol/card-rules.ts'
import { accountCardKey, epochKey, epochOf, prekeyCardKey } from '../../../src/protocol/mailbox-rules.ts'
import { consequenceOf, judgeCard } from '../../../src/protocol/trust.ts'
import { withAccountKey } from '../../../src/services/account/account-key.ts'
import { OwnCards } from '../../../src/services/account/cards.ts'
import { createAccount } from '../../../src/services/account/create.ts'
import { FormerAccounts } from '../../../src/services/account/former.ts'
import { certify, devicePublic, makeAccountCard, newDevice } from '../../../src/services/account/make-cards.ts'
import type { AccountContext, CardNetwork, UnlockedAccount } from '../../../src/services/account/ports.ts'
import { rotateAccount } from '../../../src/services/account/rotate.ts'
import { loadAccount, Unlocker } from '../../../src/services/account/unlock.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import { Accounts } from '../../../src/store/accounts.ts'
import { bucketRange } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import { Devices } from '../../../src/store/devices.ts'
import { FORMAT } from '../../../src/store/migrations.ts'
import { Prekeys } from '../../../src/store/prekeys.ts'
import { Recovery } from '../../../src/store/recovery.ts'
import { Repository } from '../../../src/store/repository.ts'
import type { Vault } from '../../../src/store/vault.ts'
import { struct, u32 } from '../../../src/wire/codec.ts'
import { CARD_KIND } from '../../../src/wire/holder.ts'
import { CardMemory } from './card-network.ts'

const PROFILE = { epochMs: 7 * DAY_MS }
const PASSPHRASE = 'correct horse battery staple'
const CHEAP = { memoryKiB: 64, passes: 1, length: 32 }

const root = await mkdtemp(join(tmpdir(), 'sotto-account-'))
const databases: Database[] = []
after(async () => {
  for (const database of databases) await database.close()
  await rm(root, { recursive: true, force: true })
})

let homes = 0
async function home(options: { rng?: Rng; clock?: VirtualClock; directory?: string } = {}) {
  const directory = options.directory ?? join(root, `home-${homes++}`)
  const database = await Database.open(join(directory, 'store'))
  databases.push(database)
  const clock = options.clock ?? new VirtualClock()
  const files = { vault: join(directory, 'vault'), accountKey: join(directory, 'account.sealed') }
  const context: AccountContext = {
    crypto,
    rng: options.rng ?? systemRng,
    clock,
    log: silentLogger,
    database,
    files,
    cost: CHEAP,
  }
  return { directory, clock, context }
}
type Home = Awaited<ReturnType<typeof home>>

function journalOf({ context }: Home, facts: string[] = []): Journal {
  const store = {
    generation: 0,
    batch: (ops: Parameters<Database['batch']>[0]) => context.database.batch(ops),
    events: {
      last: () => facts.length,
      append: (events: readonly { type: string }[]) => {
        facts.push(...events.map(({ type }) => type))
        return { ops: [], last: facts.length }
      },
    },
  }
  return new Journal({ store, clock: context.clock, log: silentLogger })
}

interface Running {
  readonly cards: OwnCards
  readonly store: { accounts: Accounts; devices: Devices; prekeys: Prekeys; former: FormerAccounts }
  readonly facts: string[]
}
function stored({ context }: Home, vault: Vault): { readonly accounts: Accounts; readonly recovery: Recovery } {
  return { accounts: new Accounts(context.database, vault), recovery: new Recovery(context.database, vault) }
}

function cardsOf(
  at: Home,
  vault: Vault,
  account: UnlockedAccount,
  network: CardNetwork,
  more: { readonly held?: () => Promise<boolean> } = {},
): Running {
  const { database, clock, rng } = at.context
  const store = {
    accounts: new Accounts(database, vault),
    devices: new Devices(database, vault),
    prekeys: new Prekeys(database, vault),
    former: new FormerAccounts(database, vault),
  }
  const facts: string[] = []
  const journal = journalOf(at, facts)
  const shared = { crypto, clock, rng, log: silentLogger, profile: PROFILE, stampBits: 10 }
  return { cards: new OwnCards({ ...shared, account, store, journal, network, ...more }), store, facts }
}

/** Lets disk and promises do what they have begun. */
async function settle(until: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!(await until())) {
    assert.ok(Date.now() < deadline, 'nothing happened within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Steps of time that a test may take, and not how long the disk takes over them. */
const STEPS_MAX = 2_000

/** Lets time pass until something is so, in steps of ten minutes; the round that a step set going ends before the next. */
async function pass(
  { at, cards }: { readonly at: Home; readonly cards: OwnCards },
  until: () => boolean | Promise<boolean>,
  stepMs = 600_000,
): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step++) {
    await at.clock.advance(stepMs)
    await cards.idle()
    if (await until()) return
  }
  assert.fail(`nothing happened within ${STEPS_MAX} steps`)
}

/** Whether a round of publication is over: the prekey card goes out first, the account card after it. */
async function bothPublished(cards: OwnCards): Promise<boolean> {
  const { prekeysPublishedAt, accountPublishedAt } = await cards.status()
  return prekeysPublishedAt > 0 && accountPublishedAt > 0
}

const nowS = (clock: VirtualClock): number => clock.now() / 1_000

test('ID-21 creating an account gives a phrase, an id and a card that verifies', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  assert.equal(created.phrase.split(' ').length, 24)
  const own = await new Accounts(at.context.database, created.vault).own()
  assert.ok(own)
  assert.equal(own.card.body.number, 1)
  assert.ok(verifyAccountCard(crypto, own.card, nowS(at.clock)))
  assert.deepEqual(accountId(crypto, own.card.body.account), created.accountId)
})

test('ID-21 a home has one account: the second creation is a conflict and changes nothing', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const before = await readFile(at.context.files.accountKey)
  for (const passphrase of [PASSPHRASE, 'another']) {
    await assert.rejects(createAccount(at.context, { passphrase }), ConflictError)
  }
  assert.deepEqual(await readFile(at.context.files.accountKey), before)
  assert.deepEqual((await loadAccount(at.context, created.vault)).accountId, created.accountId)
})

test('ID-21 a creation that was cut short is taken up again, by the same passphrase only', async () => {
  const at = await home()
  const broken = {
    ...at.context,
    database: Object.create(at.context.database, {
      batch: { value: () => Promise.reject(new Error('power cut')) },
      keys: { value: at.context.database.keys.bind(at.context.database) },
    }) as Database,
  }
  await assert.rejects(createAccount(broken, { passphrase: PASSPHRASE }), /power cut/)
  await assert.rejects(new Unlocker(at.context).unlock(PASSPHRASE), NotFoundError)
  await assert.rejects(createAccount(at.context, { passphrase: 'another' }), ConflictError)
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const { account } = await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.deepEqual(account.accountId, created.accountId)
})

test('ID-21 a wrong phrase or an empty passphrase leaves nothing behind', async () => {
  const at = await home()
  await assert.rejects(createAccount(at.context, { passphrase: PASSPHRASE, phrase: 'not my words' }), UsageError)
  await assert.rejects(createAccount(at.context, { passphrase: '' }), UsageError)
  assert.deepEqual(await readdir(at.directory), ['store'])
})

test('ID-25 a new account has every key pair, and they differ between runs', async () => {
  const seen = new Set<string>()
  for (let run = 0; run < 2; run++) {
    const at = await home()
    const { vault } = await createAccount(at.context, { passphrase: PASSPHRASE })
    const account = await loadAccount(at.context, vault)
    const prekeys = new Prekeys(at.context.database, vault)
    const [signed] = await prekeys.signed.list()
    const [kem] = await prekeys.kem.list()
    assert.ok(signed && kem)
    const { ed25519, mldsa65 } = account.signingSeeds
    const secrets = [
      ed25519,
      mldsa65,
      account.identitySecret,
      account.mailboxSeed,
      account.introSeed,
      signed.secret,
      kem.seed,
    ]
    for (const secret of [...secrets, account.deviceId, account.account.ed25519]) seen.add(toHex(secret))
    const { signingKey, identityKey } = account.certificate.body
    assert.deepEqual(signingKey, hybridPublicKeys(crypto, account.signingSeeds))
    assert.deepEqual(identityKey, crypto.x25519PublicKey(account.identitySecret))
  }
  assert.equal(seen.size, 18)
})

test('ID-25 the phrase reproduces the account, on a device of its own', async () => {
  const one = await home()
  const created = await createAccount(one.context, { passphrase: PASSPHRASE })
  const two = await home()
  const newest = (await new Accounts(one.context.database, created.vault).own())!.card
  const again = await createAccount(two.context, {
    passphrase: 'another',
    phrase: created.phrase.toUpperCase(),
    newest,
  })
  assert.deepEqual(again.accountId, created.accountId)
  const card = (await new Accounts(two.context.database, again.vault).own())!.card
  assert.equal(consequenceOf(judgeCard(crypto, newest, card)), 'notice')
  assert.notDeepEqual(card.body.devices[0]!.body.deviceId, newest.body.devices[0]!.body.deviceId)
  const three = await home()
  await assert.rejects(createAccount(three.context, { passphrase: PASSPHRASE, newest }), UsageError)
})

test('ID-25 the same randomness gives the same account', async () => {
  const ids = []
  for (let run = 0; run < 2; run++) {
    const at = await home({ rng: seededRng(25) })
    ids.push((await createAccount(at.context, { passphrase: PASSPHRASE })).accountId)
  }
  assert.deepEqual(ids[0], ids[1])
})

test('ID-28 device ids are 128 random bits', async () => {
  const at = await home()
  const { vault } = await createAccount(at.context, { passphrase: PASSPHRASE })
  const { deviceId } = await loadAccount(at.context, vault)
  assert.equal(deviceId.length, 16)
  assert.ok(new Set(deviceId).size > 4)
})

test('ID-16 SE-13 no private byte lies in the home as it is, and its files are for the owner alone', async () => {
  const at = await home()
  const { phrase, vault } = await createAccount(at.context, { passphrase: PASSPHRASE })
  const account = await loadAccount(at.context, vault)
  const seeds = await accountSeeds(crypto, phrase)
  const prekeys = new Prekeys(at.context.database, vault)
  const secrets = [
    seeds.ed25519,
    seeds.mldsa65,
    account.signingSeeds.ed25519,
    account.signingSeeds.mldsa65,
    account.identitySecret,
    account.mailboxSeed,
    account.introSeed,
    account.deviceId,
    account.accountId,
    utf8(PASSPHRASE),
    utf8(phrase.slice(0, 24)),
    ...(await prekeys.signed.list()).map(({ secret }) => secret),
    ...(await prekeys.kem.list()).map(({ seed }) => seed),
  ]
  assert.equal(secrets.length, 13)
  let bytes = 0
  for (const entry of await readdir(at.directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) continue
    const content = await readFile(path)
    bytes += content.length
    for (const secret of secrets) {
      for (let at = 0; at + 16 <= secret.length; at += 16)
        assert.equal(content.indexOf(secret.subarray(at, at + 16)), -1, path)
    }
  }
  assert.ok(bytes > 10_000)
  for (const file of Object.values(at.context.files)) assert.equal((await stat(file)).mode & 0o777, 0o600)
})

test('ID-16 the account key is sealed apart: the open store does not have it, the passphrase gives it', async () => {
  const at = await home()
  const { phrase, accountId: id, vault } = await createAccount(at.context, { passphrase: PASSPHRASE })
  const seeds = await accountSeeds(crypto, phrase)
  const account = await loadAccount(at.context, vault)
  assert.ok(!Object.values(account).some((value) => value instanceof Uint8Array && equal(value, seeds.ed25519)))
  let taken: Uint8Array | undefined
  await withAccountKey(at.context, PASSPHRASE, id, async (key) => {
    assert.deepEqual(key, seeds)
    taken = key.mldsa65
  })
  assert.deepEqual(taken, new Uint8Array(32), 'wiped after use')
  await assert.rejects(
    withAccountKey(at.context, 'wrong', id, async () => {}),
    PassphraseError,
  )
})

test('ID-22 the passphrase unlocks what was created', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const before = await loadAccount(at.context, created.vault)
  created.vault.lock()
  const { account } = await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.deepEqual(account, before)
})

test('ID-22 a wrong passphrase is answered after a constant second; five lock for 30 s', async () => {
  const at = await home()
  await createAccount(at.context, { passphrase: PASSPHRASE })
  const unlocker = new Unlocker(at.context)
  const startedAt = at.clock.now()
  for (let attempt = 1; attempt <= 5; attempt++) {
    let answeredAt = 0
    const attemptAt = at.clock.now()
    const refused = assert.rejects(unlocker.unlock(`wrong ${attempt}`), PassphraseError).finally(() => {
      answeredAt = at.clock.now()
    })
    await settle(async () => {
      await at.clock.advance(100)
      return answeredAt !== 0
    })
    await refused
    assert.ok(answeredAt - attemptAt >= 1_000, 'never sooner than a second')
  }
  assert.ok(at.clock.now() - startedAt >= 5_000)
  await assert.rejects(unlocker.unlock(PASSPHRASE), (error: unknown) => {
    return error instanceof RateError && error.retryAfterMs > 0 && error.retryAfterMs <= 30_000
  })
  await at.clock.advance(30_000)
  assert.ok((await unlocker.unlock(PASSPHRASE)).account)
})

test('ID-22 four wrong ones and a right one begin the count anew', async () => {
  const at = await home()
  await createAccount(at.context, { passphrase: PASSPHRASE })
  const unlocker = new Unlocker(at.context)
  const wrong = async (): Promise<void> => {
    let done = false
    const refused = assert.rejects(unlocker.unlock('wrong'), PassphraseError).then(() => (done = true))
    await settle(async () => {
      await at.clock.advance(250)
      return done
    })
    await refused
  }
  for (let i = 0; i < 4; i++) await wrong()
  await unlocker.unlock(PASSPHRASE)
  await wrong()
  await unlocker.unlock(PASSPHRASE)
})

test('ID-22 a home without an account says so', async () => {
  const at = await home()
  await assert.rejects(new Unlocker(at.context).unlock(PASSPHRASE), NotFoundError)
})

test('ID-01 unlocking renews a card that nears its end: next number, chained, same devices', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const first = (await new Accounts(at.context.database, created.vault).own())!.card
  await at.clock.advance(20 * DAY_MS)
  await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.equal((await new Accounts(at.context.database, created.vault).own())!.number, 1)
  await at.clock.advance(15 * DAY_MS)
  const { account, vault } = await new Unlocker(at.context).unlock(PASSPHRASE)
  const own = (await new Accounts(at.context.database, vault).own())!
  assert.equal(own.number, 2)
  assert.ok(verifyAccountCard(crypto, own.card, nowS(at.clock)))
  assert.deepEqual(own.card.body.previous, accountCardHash(crypto, first))
  assert.equal(consequenceOf(judgeCard(crypto, first, own.card)), 'follow')
  assert.deepEqual(account.deviceId, first.body.devices[0]!.body.deviceId)
})

async function running(options: { clock?: VirtualClock } = {}) {
  const at = await home(options)
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const account = await loadAccount(at.context, created.vault)
  const network = new CardMemory(at.clock)
  return { at, created, account, network, ...cardsOf(at, created.vault, account, network) }
}

test('ID-01 both cards are published and verify; the prekey card names intro boxes for six weeks', async () => {
  const { at, account, network, cards, facts } = await running()
  assert.throws(() => cards.current(), LockedError)
  await cards.start()
  await settle(() => bothPublished(cards))
  const card = network.at(accountCardKey(crypto, account.accountId))
  const prekeys = network.at(prekeyCardKey(crypto, account.accountId, account.deviceId))
  assert.ok(card?.kind === CARD_KIND.account && prekeys?.kind === CARD_KIND.prekeys)
  assert.ok(verifyAccountCard(crypto, card.body, nowS(at.clock)))
  assert.ok(verifyPrekeyCard(crypto, prekeys.body, nowS(at.clock)))
  assert.deepEqual(prekeys.body, cards.current().card)
  const epoch = epochOf(at.clock.now(), PROFILE)
  const intro = [0, 1, 2, 3, 4, 5].map((i) => ({
    epoch: epoch + i,
    address: epochKey(crypto, account.introSeed, epoch + i).address,
  }))
  assert.deepEqual(prekeys.body.body.intro, intro)
  assert.deepEqual(crypto.kemPublicKey(1024, cards.current().kemPrekeySeed), prekeys.body.body.kemPrekey.key)
  await cards.stop()
  assert.deepEqual(facts, ['account:published'])
})

test('ID-01 a number is on disk before its card is published, and never given twice', async () => {
  const { at, created, account, network, cards, store } = await running()
  const numbers: number[] = []
  const publish = network.publish.bind(network)
  network.publish = async (record) => {
    if (record.kind === CARD_KIND.prekeys) {
      const { number } = record.body.body
      assert.ok((await store.devices.own())!.prekeyCardNumber >= number)
      numbers.push(number)
    }
    return publish(record)
  }
  await cards.start()
  await settle(() => numbers.length === 1)
  await cards.stop()
  const again = cardsOf(at, created.vault, account, network)
  await again.cards.start()
  await settle(() => numbers.length === 2)
  await again.cards.stop()
  assert.deepEqual(numbers, [1, 2])
})

test('ID-01 cards are put again daily, and a network that fails is tried again', async () => {
  const { at, network, cards } = await running()
  network.holders = 2
  await cards.start()
  await settle(() => network.published.length >= 2)
  assert.equal((await cards.status()).prekeysPublishedAt, 0, 'two receipts are not enough')
  network.holders = 5
  await settle(async () => {
    await at.clock.advance(1_500)
    return bothPublished(cards)
  })
  const publishedAt = at.clock.now()
  const before = network.published.length
  await pass({ at, cards }, () => at.clock.now() >= publishedAt + 23 * 3_600_000)
  assert.equal(network.published.length, before)
  await pass({ at, cards }, () => network.published.length === before + 2)
  assert.ok(at.clock.now() < publishedAt + 26 * 3_600_000)
  await cards.stop()
})

test('PK-09 prekeys change weekly; the old private halves stay for 60 days and are gone at 61', async () => {
  const { at, cards, store } = await running()
  await cards.start()
  const first = cards.current().card.body
  const step = 6 * 3_600_000
  await pass({ at, cards }, () => cards.current().card.body.signedPrekey.id !== first.signedPrekey.id, step)
  assert.ok(cards.current().card.body.number > first.number)
  assert.notEqual(cards.current().card.body.kemPrekey.id, first.kemPrekey.id)
  const old = await store.prekeys.signed.get(first.signedPrekey.id)
  assert.ok(old && old.retiredAt > 0 && old.retiredAt - old.createdAt <= 8 * DAY_MS)
  await pass({ at, cards }, () => at.clock.now() >= old.retiredAt + 59 * DAY_MS, step)
  assert.deepEqual((await store.prekeys.signed.get(old.id))?.secret, old.secret, '29 days of mail after the last card')
  await pass({ at, cards }, async () => (await store.prekeys.signed.get(old.id)) === undefined, step)
  assert.ok(at.clock.now() <= old.retiredAt + 62 * DAY_MS)
  assert.equal(await store.prekeys.kem.get(first.kemPrekey.id), undefined)
  assert.ok((await store.prekeys.signed.list()).length <= 11)
  await cards.stop()
})

test('PK-09 a device that slept for long keeps no private half that no card or letter can want', async () => {
  const { at, created, network, account, cards, store } = await running()
  await cards.start()
  const { signedPrekey, kemPrekey } = cards.current().card.body
  await cards.stop()
  await at.clock.advance(68 * DAY_MS)
  const awake = cardsOf(at, created.vault, account, network)
  await awake.cards.start()
  await settle(async () => (await store.prekeys.signed.get(signedPrekey.id)) === undefined)
  assert.equal(await store.prekeys.kem.get(kemPrekey.id), undefined)
  await awake.cards.stop()
})

test('ID-01 a clock that was ahead once keeps no card from being put', async () => {
  const { at, network, account, cards, store } = await running()
  const own = (await store.accounts.own())!
  await at.context.database.batch(store.accounts.put({ ...own, publishedAt: at.clock.now() + 365 * DAY_MS }))
  await cards.start()
  await settle(() => network.at(accountCardKey(crypto, account.accountId)) !== undefined)
  await cards.stop()
})

test('SE-05 stopped cards give no prekey away and hold none', async () => {
  const { cards } = await running()
  await cards.start()
  const { kemPrekeySeed } = cards.current()
  assert.ok(kemPrekeySeed.some((byte) => byte !== 0))
  await cards.stop()
  assert.throws(() => cards.current(), LockedError)
  assert.ok(kemPrekeySeed.every((byte) => byte === 0))
})

test('ID-12 a home brought back from a copy goes on above what the network remembers', async () => {
  const { at, network, account, cards } = await running()
  const copy = join(root, 'copy')
  await cp(at.directory, copy, { recursive: true })
  for (let run = 0; run < 3; run++) {
    await cards.start()
    await settle(() => bothPublished(cards))
    await cards.stop()
  }
  const back = await home({ directory: copy, clock: at.clock })
  const { vault } = await new Unlocker(back.context).unlock(PASSPHRASE)
  const restored = cardsOf(back, vault, account, network)
  await restored.cards.start()
  await settle(async () => {
    await at.clock.advance(2_000)
    return bothPublished(restored.cards)
  })
  const { number } = restored.cards.current().card.body
  assert.ok(number > 3, `number ${number}`)
  const held = network.at(prekeyCardKey(crypto, account.accountId, account.deviceId))
  assert.ok(held?.kind === CARD_KIND.prekeys && held.body.body.number === number)
  await restored.cards.stop()
})

test('ID-12 a newer account card that lists this device is taken over', async () => {
  const { at, created, network, account, cards, store, facts } = await running()
  const own = (await store.accounts.own())!
  const seconds = Math.floor(nowS(at.clock))
  const plan = { before: own.card, number: 2, devices: own.card.body.devices, nowS: seconds }
  const seeds = await accountSeeds(crypto, created.phrase)
  const newer = await makeAccountCard(crypto, seeds, plan)
  await network.publish({ kind: CARD_KIND.account, body: newer })
  await cards.start()
  await settle(async () => (await store.accounts.own())!.number === 2)
  await cards.stop()
  assert.deepEqual((await store.accounts.own())!.card, newer)
  assert.ok(facts.includes('account:overtaken'))
  assert.deepEqual(network.at(accountCardKey(crypto, account.accountId))?.body, newer)
})

test('ID-12 a home that its account went on without signs no card any more', async () => {
  const { at, created, network, cards, store } = await running()
  const own = (await store.accounts.own())!
  const seconds = Math.floor(nowS(at.clock))
  const seeds = await accountSeeds(crypto, created.phrase)
  const other = await certify(crypto, seeds, devicePublic(crypto, newDevice(systemRng)), seconds)
  const newer = await makeAccountCard(crypto, seeds, { before: own.card, number: 2, devices: [other], nowS: seconds })
  await network.publish({ kind: CARD_KIND.account, body: newer })
  await cards.start()
  await settle(async () => (await store.accounts.own())!.number === 2)
  await cards.stop()
  await at.clock.advance(35 * DAY_MS)
  const { vault } = await new Unlocker(at.context).unlock(PASSPHRASE)
  const after = (await new Accounts(at.context.database, vault).own())!
  assert.deepEqual([after.number, after.card.body.number], [2, 1], 'a card of its own would suspend it everywhere')
  const here = { vault, journal: journalOf(at) }
  await assert.rejects(rotateAccount(at.context, here, { passphrase: PASSPHRASE }), ConflictError)
})

test('ID-12 rotation: the old account names the new one, both signed, and both cards are published', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const before = await loadAccount(at.context, created.vault)
  const first = (await new Accounts(at.context.database, created.vault).own())!.card
  const journal = journalOf(at)
  const rotated = await rotateAccount(at.context, { vault: created.vault, journal }, { passphrase: PASSPHRASE })
  assert.notDeepEqual(rotated.accountId, created.accountId)
  created.vault.lock()
  const { vault, account } = await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.deepEqual(account.accountId, rotated.accountId)
  assert.deepEqual(account.deviceId, before.deviceId)
  assert.deepEqual(account.mailboxSeed, before.mailboxSeed)
  const network = new CardMemory(at.clock)
  const { cards } = cardsOf(at, vault, account, network)
  await cards.start()
  await settle(() => network.at(accountCardKey(crypto, created.accountId)) !== undefined)
  await settle(() => network.at(accountCardKey(crypto, rotated.accountId)) !== undefined)
  const last = network.at(accountCardKey(crypto, created.accountId))
  assert.ok(last?.kind === CARD_KIND.account)
  const verdict = judgeCard(crypto, first, last.body)
  assert.ok(verdict.kind === 'successor')
  assert.deepEqual(verdict.accountId, rotated.accountId)
  assert.ok(verifyPrekeyCard(crypto, cards.current().card, nowS(at.clock)))
  assert.deepEqual(cards.current().card.body.certificate.body.accountId, rotated.accountId)
  await cards.stop()
  await withAccountKey(at.context, PASSPHRASE, rotated.accountId, async (key) => {
    assert.deepEqual(key, await accountSeeds(crypto, rotated.phrase))
  })
})

test('ID-12 a rotation cut short at any step leaves one account whole', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const broken = { commit: () => Promise.reject(new Error('power cut')) }
  const home1 = { vault: created.vault, journal: broken }
  await assert.rejects(rotateAccount(at.context, home1, { passphrase: PASSPHRASE }), /power cut/)
  await withAccountKey(at.context, PASSPHRASE, created.accountId, async () => {})
  const readOnly = { ...at.context, files: { ...at.context.files, accountKey: join(at.directory, 'gone') } }
  const home2 = { vault: created.vault, journal: journalOf(at) }
  await assert.rejects(rotateAccount(readOnly, home2, { passphrase: PASSPHRASE }), NotFoundError)
  const rotated = await rotateAccount(at.context, home2, { passphrase: PASSPHRASE })
  await withAccountKey(at.context, PASSPHRASE, rotated.accountId, async () => {})
})

test('ID-12 rotation asks for the passphrase and for other words than the old ones', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const here = { vault: created.vault, journal: journalOf(at) }
  await assert.rejects(rotateAccount(at.context, here, { passphrase: 'wrong' }), PassphraseError)
  await assert.rejects(rotateAccount(at.context, here, { passphrase: PASSPHRASE, phrase: created.phrase }), UsageError)
})

test('ID-12 an account that comes back by its words begins above every number that it can have had', async () => {
  const one = await home({ clock: new VirtualClock() })
  const created = await createAccount(one.context, { passphrase: PASSPHRASE })
  const newest = (await stored(one, created.vault).accounts.own())!.card
  const seconds = Math.floor(one.clock.now() / 1_000)
  const cases = [
    [{ newest }, seconds],
    // A gap to a predecessor that nobody showed: no chain is asked for.
    [{}, seconds + 2],
    [{ newest, above: seconds + 5 }, seconds + 7],
  ] as const
  for (const [known, number] of cases) {
    const two = await home({ clock: one.clock })
    const again = await createAccount(two.context, { passphrase: 'another', phrase: created.phrase, ...known })
    const { accounts, recovery } = stored(two, again.vault)
    const account = (await accounts.own())!
    assert.equal(account.number, number)
    assert.ok(verifyAccountCard(crypto, account.card, nowS(two.clock)))
    assert.equal(consequenceOf(judgeCard(crypto, newest, account.card)), 'notice')
    assert.equal((await recovery.own())!.asked, false, 'its card waits for the network')
    assert.deepEqual((await recovery.own())!.secret, (await stored(one, created.vault).recovery.own())!.secret)
  }
})

test('ID-16 an unlock gives an older home its recovery secret, which is none of the account key', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const { recovery } = stored(at, created.vault)
  const secret = (await recovery.own())!.secret
  await at.context.database.clear(bucketRange('recovery'))
  assert.equal(await recovery.own(), undefined)
  await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.deepEqual((await recovery.own())!.secret, secret)
  assert.equal((await recovery.own())!.state, 0, 'there is nothing to look for')
  await withAccountKey(at.context, PASSPHRASE, created.accountId, async (seeds) => {
    assert.ok(!equal(secret, seeds.ed25519) && !equal(secret, seeds.mldsa65))
  })
  // A home whose account key is kept elsewhere works as before.
  await at.context.database.clear(bucketRange('recovery'))
  await rm(at.context.files.accountKey)
  await new Unlocker(at.context).unlock(PASSPHRASE)
  assert.equal(await recovery.own(), undefined)
})

test('ID-12 a rotation gives the recovery records another secret', async () => {
  const at = await home()
  const created = await createAccount(at.context, { passphrase: PASSPHRASE })
  const { recovery } = stored(at, created.vault)
  const before = (await recovery.own())!
  const here = { vault: created.vault, journal: journalOf(at) }
  const rotated = await rotateAccount(at.context, here, { passphrase: PASSPHRASE })
  const after = (await recovery.own())!
  assert.deepEqual(after.accountId, rotated.accountId)
  assert.notDeepEqual(after.secret, before.secret)
})

test('PK-09 prekeys are replaced when asked for; those of before open what is under way', async () => {
  const { at, cards, store, facts } = await running()
  await cards.start()
  const { body } = cards.current().card
  await cards.rotate()
  const after = cards.current().card.body
  assert.ok(after.number > body.number)
  assert.notEqual(after.signedPrekey.id, body.signedPrekey.id)
  assert.notEqual(after.kemPrekey.id, body.kemPrekey.id)
  const old = await store.prekeys.signed.get(body.signedPrekey.id)
  assert.equal(old?.retiredAt, at.clock.now())
  assert.ok(facts.includes('prekeys:rotated'))
  await cards.idle()
  await cards.stop()
})

test('ID-01 a card that is held stays here; one that nears its end is spoken of daily', async () => {
  const { at, created, account, network } = await running()
  let held = true
  const more = { held: async () => Promise.resolve(held) }
  const { cards, facts } = cardsOf(at, created.vault, account, network, more)
  await cards.start()
  await pass({ at, cards }, async () => (await cards.status()).prekeysPublishedAt > 0)
  assert.equal(network.at(accountCardKey(crypto, account.accountId)), undefined)
  held = false
  cards.hurry()
  await pass({ at, cards }, () => network.at(accountCardKey(crypto, account.accountId)) !== undefined)
  assert.deepEqual(
    facts.filter((type) => type === 'account:expiring'),
    [],
  )
  await pass({ at, cards }, () => at.clock.now() >= account.createdAt + 71 * DAY_MS, 6 * 3_600_000)
  const told = facts.filter((type) => type === 'account:expiring').length
  assert.ok(told >= 2 && told <= 3, `${told} times in two days`)
  await cards.stop()
})

test('LS-21 an unlock writes nothing into a home of a newer program', async () => {
  const at = await home()
  const { vault } = await createAccount(at.context, { passphrase: PASSPHRASE })
  const { recovery } = stored(at, vault)
  await at.context.database.clear(bucketRange('recovery'))
  const formats = new Repository(at.context.database, vault, 'format', struct({ format: u32 }))
  await at.context.database.batch(formats.put({ id: utf8('format') }, { format: FORMAT + 1 }))
  await assert.rejects(new Unlocker(at.context).unlock(PASSPHRASE), /newer version/)
  assert.equal(await recovery.own(), undefined)
})
