/** What a user does with messages on this side alone; and that everything is on the disk with one write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageView } from '../../src/api/application/messages.ts'
import { fromHex } from '../../src/lib/bytes.ts'
import { NotFoundError } from '../../src/lib/errors.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, textBodyCodec } from '../../src/wire/content.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const pair = async (options = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const view = async (person: Person, id: string): Promise<MessageView> => person.app.message(id)
const bytesOf = (id: string): Uint8Array => fromHex(id) ?? new Uint8Array(0)

async function delivered(world: World, alice: Person, bob: Person, text: string): Promise<string> {
  const id = await alice.send(bob, text)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  return id
}

const settled = async (world: World, ...people: Person[]): Promise<void> =>
  world.must(() => people.every((person) => person.rooms.outbox.queue.size === 0), 'everything is told', 3_600_000)

test('PR-10 PR-15 stars, pins, drafts, mute and marks are this side’s own, and stay over a restart', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const ids: string[] = []
  for (let i = 0; i < 20; i++) ids.push(await alice.send(bob, `message ${i}`))
  await settled(world, alice)
  for (const id of ids) await bob.app.flagMessage(id, { starred: true })
  for (const id of ids.slice(0, 16)) await bob.app.flagMessage(id, { pinned: true })
  await assert.rejects(bob.app.flagMessage(ids[16] ?? '', { pinned: true }), /at most 16/)
  await bob.app.flagMessage(ids[3] ?? '', { starred: false, pinned: false })
  await bob.app.updateConversation(alice.address, {
    muted: true,
    pinned: true,
    draft: 'I will wri',
    markedUnread: true,
  })
  await bob.kill()
  await bob.start()
  const starred: string[] = []
  for (let cursor: string | undefined; ;) {
    const page = await bob.app.starred(cursor === undefined ? { limit: 6 } : { limit: 6, cursor })
    starred.push(...page.items.map(({ id }) => id))
    if (page.next === null) break
    cursor = page.next
  }
  assert.deepEqual(starred, ids.filter((_id, i) => i !== 3).reverse())
  const conversation = await bob.app.conversation(alice.address)
  assert.deepEqual(
    conversation.pins,
    ids
      .slice(0, 16)
      .filter((_id, i) => i !== 3)
      .reverse(),
  )
  assert.deepEqual(
    [conversation.muted, conversation.pinned, conversation.markedUnread, conversation.draft],
    [true, true, true, 'I will wri'],
  )
  assert.deepEqual([(await view(alice, ids[0] ?? '')).starred, (await view(bob, ids[0] ?? '')).pinned], [false, true])
  await bob.app.markRead(alice.address, {})
  assert.deepEqual(
    [(await bob.app.conversation(alice.address)).markedUnread, (await bob.app.conversation(alice.address)).unread],
    [false, 0],
  )
  await alice.app.deleteMessage(ids[0] ?? '', { for: 'both' })
  await settled(world, alice)
  assert.ok(!(await bob.app.conversation(alice.address)).pins.includes(ids[0] ?? ''), 'what is gone is not pinned')
  assert.ok(!(await bob.app.starred({ limit: 50 })).items.some(({ id }) => id === ids[0]), 'nor starred')
  assert.ok(!JSON.stringify(await bob.events()).includes('I will'), 'no draft in an event')
})

test('LS-09 LS-12 removed on this side only, a message does not come back; the other side keeps it', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const [first, last] = [await delivered(world, alice, bob, 'keep'), await delivered(world, alice, bob, 'remove me')]
  await bob.app.deleteMessage(last, { for: 'me' })
  const conversation = await bob.app.conversation(alice.address)
  assert.deepEqual([conversation.lastMessage?.id, conversation.unread], [first, 1])
  await alice.say(
    bob,
    CONTENT_KIND.text,
    encode(textBodyCodec, { text: 'remove me', replyTo: undefined }),
    bytesOf(last),
  )
  await settled(world, alice)
  await assert.rejects(view(bob, last), NotFoundError)
  assert.equal((await view(alice, last)).text, 'remove me')
  await bob.app.clearConversation(alice.address)
  assert.deepEqual((await bob.app.messages(alice.address, { limit: 9 })).items, [])
  const empty = await bob.app.conversation(alice.address)
  assert.deepEqual([empty.lastMessage, empty.unread], [null, 0])
  assert.equal((await bob.app.search({ query: 'keep', limit: 5 })).items.length, 0)
  const next = await delivered(world, alice, bob, 'a new beginning')
  assert.equal((await bob.app.conversation(alice.address)).lastMessage?.id, next)
})

test('LS-08 whatever is said or done to a message is on the disk with one write before it is answered', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  await alice.send(bob, 'the first one also opens the search index')
  let writes = 0
  alice.disk.onWrite = () => {
    writes++
    return 'write'
  }
  const once = async <T>(work: () => Promise<T>): Promise<T> => {
    await world.clock.pass(60_000)
    writes = 0
    const result = await work()
    assert.equal(writes, 1)
    return result
  }
  const id = await once(async () => alice.send(bob, 'x'))
  await once(async () => alice.app.editMessage(id, { text: 'y' }))
  await once(async () => alice.app.react(id, { emoji: '👍' }))
  await once(async () => alice.app.flagMessage(id, { starred: true }))
  await once(async () => alice.app.deleteMessage(id, { for: 'both' }))
})
