/** Edits, reactions, deletions and replies between whole messengers: however they travel, both sides end up alike. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageView } from '../../src/api/application/messages.ts'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { ConflictError, NotFoundError, UsageError } from '../../src/lib/errors.ts'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import { encode } from '../../src/wire/codec.ts'
import {
  CONTENT_KIND,
  deleteBodyCodec,
  editBodyCodec,
  reactionBodyCodec,
  textBodyCodec,
  timerBodyCodec,
} from '../../src/wire/content.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const pair = async (options = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const view = async (person: Person, id: string): Promise<MessageView> => person.app.message(id)
const bytesOf = (id: string): Uint8Array => fromHex(id) ?? new Uint8Array(0)

/** What a side shows of a message, without what is its own: order of sides, status, times. */
async function seen(person: Person, id: string) {
  const { text, gone, reactions, editedAt, timerSeconds } = await view(person, id)
  const given = Object.fromEntries(reactions.map(({ own, emoji }) => [own === (person.name === 'alice'), emoji]))
  return { text, gone, given, editedAt, timerSeconds }
}

async function delivered(world: World, alice: Person, bob: Person, text: string): Promise<string> {
  const id = await alice.send(bob, text)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  return id
}

const settled = async (world: World, ...people: Person[]): Promise<void> =>
  world.must(() => people.every((person) => person.rooms.outbox.queue.size === 0), 'everything is told', 3_600_000)

test('PR-13 PR-18 PR-11 edit, reactions, reply and delete over the direct path: both sides show the same', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await delivered(world, alice, bob, 'helo')
  const edited = await alice.app.editMessage(id, { text: 'hello' })
  assert.deepEqual([edited.text, edited.editedAt === null], ['hello', false])
  await bob.app.react(id, { emoji: '👍' })
  await alice.app.react(id, { emoji: '🎉' })
  await settled(world, alice, bob)
  for (const person of [alice, bob]) {
    const { text, reactions, status } = await view(person, id)
    assert.deepEqual([text, reactions.length], ['hello', 2])
    assert.deepEqual(
      new Set(reactions.map(({ own, emoji }) => `${own === (person === alice)} ${emoji}`)),
      new Set(['true 🎉', 'false 👍']),
    )
    assert.equal(status, 'delivered')
  }
  await bob.app.react(id, { emoji: '❤️' })
  await alice.app.react(id, { emoji: null })
  const { id: reply } = await bob.app.send(alice.address, { text: 'hi', replyTo: id })
  await settled(world, alice, bob)
  assert.deepEqual(
    (await view(alice, id)).reactions.map(({ own, emoji }) => [own, emoji]),
    [[false, '❤️']],
  )
  assert.equal((await view(alice, reply)).replyTo, id)
  await alice.app.deleteMessage(id, { for: 'both' })
  await settled(world, alice, bob)
  for (const person of [alice, bob]) {
    const gone = await view(person, id)
    assert.deepEqual([gone.text, gone.gone, gone.reactions, gone.editedAt], ['', 'deleted', [], null])
  }
  assert.equal((await alice.app.messages(bob.address, { limit: 9 })).items.length, 2, 'its place is left')
  const types = (await bob.events()).map(({ type }) => type)
  for (const type of ['message:edited', 'message:reacted', 'message:deleted']) assert.ok(types.includes(type), type)
  const data = JSON.stringify(await bob.events()) + JSON.stringify(await alice.events())
  assert.ok(!/hello|helo|👍|❤/.test(data), 'facts carry no text and no emoji')
})

test('PR-13 PR-18 the same over the mailbox, read after a restart', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const [first, second] = [await delivered(world, alice, bob, 'one'), await delivered(world, bob, alice, 'two')]
  await bob.stop()
  await alice.app.editMessage(first, { text: 'one, corrected' })
  await alice.app.react(second, { emoji: '👀' })
  const third = await alice.send(bob, 'three')
  await alice.app.editMessage(third, { text: 'three, corrected' })
  await world.clock.pass(20_000)
  await alice.stop()
  await bob.start()
  bob.online()
  await world.must(async () => (await bob.app.messages(alice.address, { limit: 9 })).items.length === 3, 'bob reads')
  await world.must(async () => (await view(bob, third)).text === 'three, corrected', 'with the edit')
  await world.must(async () => (await view(bob, second)).reactions.length === 1, 'and the reaction')
  await bob.kill()
  await bob.start()
  assert.equal((await view(bob, first)).text, 'one, corrected')
  assert.deepEqual(
    (await view(bob, second)).reactions.map(({ own, emoji }) => [own, emoji]),
    [[false, '👀']],
  )
  await alice.start()
  for (const person of [alice, bob]) person.online()
  await settled(world, alice, bob)
  for (const id of [first, second, third]) assert.deepEqual(await seen(alice, id), await seen(bob, id))
})

test('PR-13 PR-18 lost, doubled and late frames: after everything has come, both sides show the same', async () => {
  const { world, alice, bob } = await pair({ seed: 7 })
  await using _ = world
  Object.assign(world.weather, { loss: 0.2, duplicate: 0.3, delay: 0.5 })
  const rng = seededRng(11)
  const ids: string[] = []
  const does = async (person: Person, other: Person): Promise<void> => {
    const id = ids[randomBelow(rng, ids.length)] ?? ''
    const target = await view(person, id).catch(() => undefined)
    const what = randomBelow(rng, 8)
    if (target === undefined || what < 2) ids.push(await person.send(other, `text ${ids.length}`))
    else if (target.gone !== 'no') await assert.rejects(person.app.react(id, { emoji: '👍' }), UsageError)
    else if (what < 5) await person.app.react(id, { emoji: ['👍', '🎉', null][randomBelow(rng, 3)] ?? null })
    else if (target.outgoing && what < 7) await person.app.editMessage(id, { text: `edit ${randomBelow(rng, 99)}` })
    else if (target.outgoing && randomBelow(rng, 3) === 0) await person.app.deleteMessage(id, { for: 'both' })
  }
  for (let i = 0; i < 120; i++) {
    await (randomBelow(rng, 2) === 0 ? does(alice, bob) : does(bob, alice))
    if (randomBelow(rng, 4) === 0) await world.clock.pass(randomBelow(rng, 400))
  }
  Object.assign(world.weather, { loss: 0, duplicate: 0, delay: 0 })
  await settled(world, alice, bob)
  const both: string[] = []
  for (const id of ids) {
    const [hers, his] = await Promise.all([alice, bob].map(async (each) => seen(each, id).catch(() => undefined)))
    if (hers !== undefined && his !== undefined) both.push(id)
    if (hers !== undefined && his !== undefined) assert.deepEqual(hers, his, id)
    else assert.equal((hers ?? his)?.gone, 'deleted', 'deleted before it ever came')
  }
  assert.ok(both.length > 20)
  const order = async (person: Person, other: Person): Promise<readonly string[]> =>
    (await person.app.messages(other.address, { limit: 200 })).items
      .map(({ id }) => id)
      .filter((id) => both.includes(id))
  assert.deepEqual(await order(alice, bob), await order(bob, alice), 'in the same order')
})

test('PR-11 a reply that overtakes what it answers stands after it all the same', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const [question, answer] = [world.rng.bytes(16), world.rng.bytes(16)]
  const written = world.clock.now()
  const say = (id: Uint8Array, text: string, lamport: number) =>
    alice.say(bob, CONTENT_KIND.text, encode(textBodyCodec, { text, replyTo: undefined }), id, {
      lamport,
      sentAt: written + lamport,
    })
  await say(answer, 'the answer', 12)
  await world.must(async () => (await bob.read(alice)).length === 1, 'the answer comes first')
  const page = await bob.app.messages(alice.address, { limit: 1 })
  await say(question, 'the question', 11)
  await world.must(async () => (await bob.read(alice)).length === 2, 'then the question')
  assert.deepEqual(await bob.read(alice), ['the question', 'the answer'])
  const conversation = await bob.app.conversation(alice.address)
  assert.equal(conversation.lastMessage?.text, 'the answer')
  assert.equal(conversation.unread, 2)
  const older = await bob.app.messages(alice.address, { limit: 5, cursor: page.items[0]?.cursor ?? '' })
  assert.deepEqual(
    older.items.map(({ text }) => text),
    ['the question'],
  )
  const { id } = await bob.app.send(alice.address, { text: 'mine' })
  assert.equal((await bob.app.messages(alice.address, { limit: 1 })).items[0]?.id, id, 'what is written now is last')
})

test('PR-17 PR-18 operations that come before their message count once it is there; others’ never do', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const [edited, deleted] = [world.rng.bytes(16), world.rng.bytes(16)]
  await alice.say(bob, CONTENT_KIND.edit, encode(editBodyCodec, { target: edited, text: 'later' }), undefined, {
    lamport: 9,
  })
  await alice.say(bob, CONTENT_KIND.edit, encode(editBodyCodec, { target: edited, text: 'earlier' }), undefined, {
    lamport: 8,
  })
  await alice.say(bob, CONTENT_KIND.reaction, encode(reactionBodyCodec, { target: edited, emoji: '👍' }))
  await alice.say(bob, CONTENT_KIND.delete, encode(deleteBodyCodec, { targets: [deleted, edited.with(0, 1)] }))
  await settled(world, alice)
  assert.deepEqual(await bob.read(alice), [], 'nothing is shown of what has not come')
  for (const id of [edited, deleted]) {
    await alice.say(bob, CONTENT_KIND.text, encode(textBodyCodec, { text: 'as written', replyTo: undefined }), id, {
      lamport: 7,
    })
  }
  await settled(world, alice)
  const shown = await view(bob, toHex(edited))
  assert.deepEqual([shown.text, shown.reactions.length, shown.gone], ['later', 1, 'no'])
  const gone = await view(bob, toHex(deleted))
  assert.deepEqual([gone.text, gone.gone], ['', 'deleted'])
  assert.equal((await bob.app.conversation(alice.address)).unread, 1)
  assert.deepEqual(
    (await bob.app.search({ query: 'later', limit: 5 })).items.map(({ id }) => id),
    [toHex(edited)],
  )
  assert.equal((await bob.app.search({ query: 'written', limit: 5 })).items.length, 0)
})

test('PR-17 a spoofed delete-all, edits of others’ messages and a third party’s word change nothing', async () => {
  const world = await World.of(['alice', 'bob', 'carol'])
  await using _ = world
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => world.named(name)) as [Person, Person, Person]
  const [hers, his] = [await delivered(world, alice, bob, 'from alice'), await delivered(world, bob, alice, 'from bob')]
  const targets = [hers, his].map(bytesOf)
  const lie = async (by: Person): Promise<void> => {
    await by.say(bob, CONTENT_KIND.delete, encode(deleteBodyCodec, { targets }))
    for (const target of targets) {
      await by.say(bob, CONTENT_KIND.edit, encode(editBodyCodec, { target, text: 'forged' }), undefined, {
        lamport: 99,
      })
      await by.say(bob, CONTENT_KIND.reaction, encode(reactionBodyCodec, { target, emoji: '💩' }), undefined, {
        lamport: 99,
      })
    }
  }
  await lie(carol)
  await settled(world, carol)
  for (const id of [hers, his]) {
    const { text, gone, reactions } = await view(bob, id)
    assert.deepEqual([text.startsWith('from'), gone, reactions], [true, 'no', []], 'Carol is no party to it')
  }
  await lie(alice)
  await settled(world, alice)
  assert.equal((await view(bob, hers)).gone, 'deleted', 'her own is hers to delete')
  const kept = await view(bob, his)
  assert.deepEqual(
    [kept.text, kept.gone, kept.reactions.length],
    ['from bob', 'no', 1],
    'his is not; a reaction is hers to give',
  )
  assert.ok(
    (await bob.app.conversations()).every(({ contact }) => contact !== carol.address),
    'no conversation came of it',
  )
})

test('PR-17 who was not accepted, or is blocked, does nothing to messages', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await delivered(world, alice, bob, 'before')
  await bob.app.blockContact(alice.address)
  await alice.app.editMessage(id, { text: 'after' })
  await alice.say(bob, CONTENT_KIND.timer, encode(timerBodyCodec, { seconds: 60 }))
  await world.clock.pass(20_000)
  assert.equal((await view(bob, id)).text, 'before')
  assert.equal((await bob.app.conversation(alice.address)).timerSeconds, null)
  await assert.rejects(bob.app.react(id, { emoji: '👍' }), UsageError)
})

test('PR-18 an operation that the caller names happens once, and answers the same again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await delivered(world, alice, bob, 'one')
  const [a, b] = ['aa'.repeat(16), 'bb'.repeat(16)]
  await alice.app.editMessage(id, { text: 'two', operation: a })
  await alice.app.editMessage(id, { text: 'three', operation: b })
  const events = (await alice.events()).length
  const sent = alice.rooms.outbox.queue.size
  const again = await alice.app.editMessage(id, { text: 'two', operation: a })
  assert.equal(again.text, 'three', 'the first one was done, and is not done again')
  assert.deepEqual([(await alice.events()).length, alice.rooms.outbox.queue.size], [events, sent])
  await alice.app.deleteMessage(id, { for: 'both', operation: 'cc'.repeat(16) })
  await alice.app.deleteMessage(id, { for: 'both', operation: 'cc'.repeat(16) })
  await alice.app.deleteMessage(id, { for: 'both' })
  await settled(world, alice)
  assert.equal((await view(bob, id)).gone, 'deleted')
  await assert.rejects(alice.app.editMessage(id, { text: 'four' }), UsageError)
  await assert.rejects(bob.app.editMessage(id, { text: 'mine' }), UsageError)
  await assert.rejects(alice.app.editMessage('00'.repeat(16), { text: 'x' }), NotFoundError)
  await assert.rejects(bob.app.deleteMessage(await delivered(world, alice, bob, 'hers'), { for: 'both' }), UsageError)
  await assert.rejects(alice.app.react(await delivered(world, alice, bob, 'z'), { emoji: 'not one' }), UsageError)
})

test('PR-18 MB-47 deleted for both before it was delivered, it never is; edits that were overtaken are not sent', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const id = await alice.send(bob, 'never mind')
  await alice.app.editMessage(id, { text: 'never mind this' })
  await alice.app.editMessage(id, { text: 'never mind that' })
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  await world.clock.pass(5_000)
  await alice.app.deleteMessage(id, { for: 'both' })
  await world.clock.pass(30_000)
  assert.equal(await alice.status(id), 'taken-back')
  assert.equal(alice.rooms.outbox.queue.size, 1, 'the deletion alone is on its way')
  await bob.start()
  bob.online()
  await settled(world, alice)
  assert.deepEqual(await bob.read(alice), [])
  await assert.rejects(view(bob, id), NotFoundError)
  await assert.rejects(alice.app.takeBack(await delivered(world, alice, bob, 'too late')), ConflictError)
})

test('LS-20 PR-11 who lost its count (restored from words or an old copy) still writes at the end, and sets the timer', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const say = async (text: string, lamport: number): Promise<void> => {
    await world.clock.pass(1_000)
    await alice.say(bob, CONTENT_KIND.text, encode(textBodyCodec, { text, replyTo: undefined }), undefined, { lamport })
    await settled(world, alice)
  }
  await say('long ago', 900)
  await bob.send(alice, 'answer')
  await settled(world, bob)
  for (const [i, text] of ['here I am again', 'with nothing', 'but words'].entries()) await say(text, i + 1)
  await alice.say(bob, CONTENT_KIND.timer, encode(timerBodyCodec, { seconds: 60 }), undefined, { lamport: 4 })
  await settled(world, alice)
  assert.deepEqual(await bob.read(alice), ['long ago', 'here I am again', 'with nothing', 'but words'])
  const { items } = await bob.app.messages(alice.address, { limit: 9 })
  assert.deepEqual(
    items.map(({ outgoing }) => outgoing),
    [false, false, false, true, false],
  )
  assert.equal((await bob.app.conversation(alice.address)).timerSeconds, 60)
})

test('ID-12 PR-18 who rotated its account still edits, deletes and reacts to what was said under the old one', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const [kept, deleted] = [
    await delivered(world, bob, alice, 'old words'),
    await delivered(world, bob, alice, 'regret'),
  ]
  const hers = await delivered(world, alice, bob, 'yours')
  await bob.rotate()
  await world.clock.pass(10_000)
  await bob.app.editMessage(kept, { text: 'new words' })
  await bob.app.deleteMessage(deleted, { for: 'both' })
  await bob.app.react(hers, { emoji: '👍' })
  await settled(world, bob)
  assert.equal((await view(alice, kept)).text, 'new words')
  assert.equal((await view(alice, deleted)).gone, 'deleted')
  assert.equal((await view(alice, hers)).reactions.length, 1)
})

test('AP-04 AP-26 no answer grows beyond a MiB of text: pages end early and miss nothing, a list shows beginnings', async () => {
  const { world, alice } = await pair()
  await using _ = world
  const { accountId } = await alice.app.contacts().then(([contact]) => contact ?? assert.fail())
  const texts = [1_048_576, 10, 400_000, 400_000, 400_000, 20, 30].map((size, at) =>
    `tea ${at} `.padEnd(size, 'é').slice(0, at === 0 ? 524_000 : size / 2),
  )
  for (const text of texts) {
    const { id } = await alice.app.send(accountId, { text })
    await alice.app.flagMessage(id, { starred: true })
  }
  const bytes = (items: readonly MessageView[]): number =>
    items.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  const walks = {
    messages: async (cursor?: string) => alice.app.messages(accountId, given(cursor)),
    search: async (cursor?: string) => alice.app.search({ query: 'tea', ...given(cursor) }),
    starred: async (cursor?: string) => alice.app.starred(given(cursor)),
  }
  for (const [name, walk] of Object.entries(walks)) {
    const seen: string[] = []
    let pages = 0
    for (let cursor: string | undefined; ; pages++) {
      const { items, next } = await walk(cursor)
      assert.ok(items.length > 0 && (items.length === 1 || bytes(items) <= 1_048_576), `${name}: ${bytes(items)}`)
      seen.push(...items.map(({ text }) => text))
      if (next === null) break
      cursor = next
    }
    assert.deepEqual(
      seen.map((text) => text.slice(0, 5)),
      texts.toReversed().map((text) => text.slice(0, 5)),
      name,
    )
    assert.ok(pages >= 1, `${name}: more than one page`)
  }
  const { id } = await alice.app.send(accountId, { text: `a${'é'.repeat(100_000)}` })
  const lastMessage = (await alice.app.conversations())[0]?.lastMessage ?? assert.fail()
  assert.deepEqual([lastMessage.id, lastMessage.text], [id, `a${'é'.repeat(511)}`], 'whole characters')
  assert.equal((await view(alice, id)).text.length, 100_001)
})
const given = (cursor: string | undefined) => ({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })

test('PR-13 TE-08 a contact’s reaction that is no emoji counts for nothing, and the one before it stays', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await delivered(world, alice, bob, 'look')
  const target = bytesOf(id)
  const emojiAtBob = async () => (await view(bob, id)).reactions.map(({ emoji }) => emoji)
  await alice.app.react(id, { emoji: '👍' })
  await settled(world, alice, bob)
  assert.deepEqual(await emojiAtBob(), ['👍'])
  for (const emoji of ['Pay me at evil.example', '\u202eevil', '👍👍', 'x']) {
    await alice.say(bob, CONTENT_KIND.reaction, encode(reactionBodyCodec, { target, emoji }), undefined, {
      lamport: 99,
    })
  }
  await settled(world, alice, bob)
  assert.deepEqual(await emojiAtBob(), ['👍'])
  await alice.say(bob, CONTENT_KIND.reaction, encode(reactionBodyCodec, { target, emoji: '' }), undefined, {
    lamport: 100,
  })
  await settled(world, alice, bob)
  assert.deepEqual(await emojiAtBob(), [], 'taking it back is one')
})
