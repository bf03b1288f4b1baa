/** The sessions of two devices: races, losses, archives, suspension. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { equal, utf8, wipe } from '../../../src/lib/bytes.ts'
import { IdentityChangedError, UsageError } from '../../../src/lib/errors.ts'
import type { SessionContext } from '../../../src/protocol/pqxdh.ts'
import {
  bookAcknowledge,
  bookAdd,
  bookClose,
  bookDecrypt,
  bookEncrypt,
  bookExpire,
  bookFind,
  bookResume,
  bookSuspend,
  isSuspended,
  needsSession,
  newBook,
  sendingSession,
} from '../../../src/protocol/session-book.ts'
import type { BookChanged, BookEncrypted } from '../../../src/protocol/session-book.ts'
import { accept, decryptSession, initiate } from '../../../src/protocol/session.ts'
import { ARCHIVED_SESSIONS_MAX, INITIALIZING_MS_MAX, KEPT_MS_MAX } from '../../../src/protocol/session-limits.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { sessionBookCodec } from '../../../src/wire/session-state.ts'
import type { SessionBook } from '../../../src/wire/session-state.ts'
import { Eavesdropper } from './session-eavesdropper.ts'
import { alice, bob, carol, contextOf, NOW, reasonOf, textOf } from './session-fixtures.ts'
import type { TestDevice } from './session-fixtures.ts'

/** A device with its book for another. */
class Owner {
  readonly #self: TestDevice
  readonly #peer: TestDevice
  book: SessionBook
  ctx: SessionContext

  constructor(self: TestDevice, peer: TestDevice, seed: number) {
    this.#self = self
    this.#peer = peer
    this.ctx = contextOf(seed)
    const { accountId, deviceId } = peer.device.prekeyCard.body.certificate.body
    this.book = newBook({ accountId, deviceId })
  }

  begin(): void {
    const { state } = initiate(this.ctx, this.#self.device, { card: this.#peer.device.prekeyCard }, () => true)
    this.#commit(bookAdd(this.book, state))
  }

  seal(text: string): BookEncrypted {
    if (needsSession(this.book)) this.begin()
    const result = bookEncrypt(this.ctx, this.book, utf8(text))
    this.#commit(result)
    return result
  }

  send(text: string): Uint8Array {
    return this.seal(text).envelope
  }

  receive(envelope: Uint8Array): string {
    const found = bookFind(this.ctx, this.book, envelope)
    if (found === undefined) return this.#accept(envelope)
    const result = bookDecrypt(this.ctx, this.book, envelope, found)
    this.#commit(result)
    return textOf(result.plaintext)
  }

  #accept(envelope: Uint8Array): string {
    const { state, plaintext } = accept(this.ctx, this.#self.device, this.#self.secrets, envelope, () => true)
    this.#commit(bookAdd(this.book, state))
    return textOf(plaintext)
  }

  /** Through its encoding, as if the device restarted after each step. */
  #commit({ book, consumed }: BookChanged): void {
    this.book = decode(sessionBookCodec, encode(sessionBookCodec, book))
    wipe(...consumed)
  }

  get sendingId(): Uint8Array {
    return sendingSession(this.book)?.id ?? new Uint8Array()
  }
}

const couple = (seed: number): [Owner, Owner] => [new Owner(alice, bob, seed), new Owner(bob, alice, seed + 1)]

test('both begin at the same moment: nothing is lost, and both end up in the session with the lower id', () => {
  for (let seed = 0; seed < 12; seed += 2) {
    const [a, b] = couple(seed)
    const [fromA, fromB] = [a.send('A first'), b.send('B first')]
    assert.deepEqual([a.receive(fromB), b.receive(fromA)], ['B first', 'A first'])
    const [nextA, nextB] = [a.send('A second'), b.send('B second')]
    assert.deepEqual([a.receive(nextB), b.receive(nextA)], ['B second', 'A second'])
    assert.deepEqual([a.book.entries.length, b.book.entries.length], [2, 2])
    assert.ok(equal(a.sendingId, b.sendingId))
    const ids = a.book.entries.map(({ state }) => Buffer.from(state.id)).sort((x, y) => Buffer.compare(x, y))
    assert.ok(ids[0] && equal(a.sendingId, ids[0]))
    assert.equal(b.receive(a.send('third')), 'third')
    assert.equal(a.receive(b.send('third')), 'third')
  }
})

test('simultaneous initiation where one first message is lost goes on in the other session', () => {
  const [a, b] = couple(20)
  a.send('lost')
  assert.equal(a.receive(b.send('B first')), 'B first')
  assert.equal(b.receive(a.send('answer')), 'answer')
  assert.ok(equal(a.sendingId, b.sendingId))
  assert.equal(a.send('no prefix any more').length, 4_096)
})

test('E2-41 a device that lost its state begins anew, and both use the new session', () => {
  const [a, b] = couple(22)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  b.receive(a.send('3'))
  const old = a.send('sealed for the lost state')
  const reborn = new Owner(bob, alice, 24)
  assert.equal(
    reasonOf(() => reborn.receive(old)),
    'no-session',
  )
  assert.equal(a.receive(reborn.send('I am back')), 'I am back')
  assert.equal(reborn.receive(a.send('welcome')), 'welcome')
  assert.ok(equal(a.sendingId, reborn.sendingId))
  assert.equal(
    reasonOf(() => bookDecrypt(reborn.ctx, reborn.book, old)),
    'no-session',
  )
})

test('E2-42 what was said before stays sealed to the session that follows a lost one', () => {
  const [a, b] = couple(42)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  const unread = [a.send('read by nobody'), b.send('read by nobody either')]
  b.receive(a.send('3'))
  const anew = new Owner(bob, alice, 44)
  a.receive(anew.send('4'))
  anew.receive(a.send('5'))
  a.receive(anew.send('6'))
  const states = [a.book.entries[0]?.state, anew.book.entries[0]?.state]
  for (const state of states) {
    assert.ok(state)
    for (const packet of unread) {
      assert.equal(
        reasonOf(() => decryptSession(a.ctx, state, packet)),
        'no-session',
      )
      for (const direction of ['fromVictim', 'toVictim'] as const) {
        assert.equal(new Eavesdropper(state).read(packet, direction), undefined)
      }
    }
  }
  assert.equal(
    reasonOf(() => anew.receive(unread[0] ?? new Uint8Array())),
    'no-session',
  )
  assert.equal(a.receive(unread[1] ?? new Uint8Array()), 'read by nobody either', 'who kept the old state reads on')
})

test('a repeated initial message finds its session and makes no second one', () => {
  const [a, b] = couple(26)
  const packets = [a.send('1'), a.send('2'), a.send('3')]
  assert.deepEqual(
    [2, 0, 1].map((i) => b.receive(packets[i] ?? new Uint8Array())),
    ['3', '1', '2'],
  )
  assert.equal(b.book.entries.length, 1)
  assert.equal(
    reasonOf(() => b.receive(packets[1] ?? new Uint8Array())),
    'duplicate',
  )
})

test('archived sessions still receive; the oldest goes when there are more than four, with all its secrets', () => {
  const [a, b] = couple(28)
  const late: Uint8Array[] = []
  for (let i = 0; i <= ARCHIVED_SESSIONS_MAX; i++) {
    b.begin()
    const first = bookEncrypt(b.ctx, b.book, utf8(`late ${i}`))
    b.book = first.book
    const second = b.send(`session ${i}`)
    assert.equal(a.receive(second), `session ${i}`)
    late.push(first.envelope)
    b.book = { ...b.book, entries: [] }
  }
  assert.equal(a.book.entries.length, 1 + ARCHIVED_SESSIONS_MAX)
  assert.equal(a.receive(late[0] ?? new Uint8Array()), 'late 0')
  const oldest = a.book.entries.at(-1)?.state
  assert.ok(oldest?.keys)
  const { state } = initiate(a.ctx, alice.device, { card: bob.device.prekeyCard }, () => true)
  const added = bookAdd(a.book, state)
  assert.equal(added.book.entries.length, 1 + ARCHIVED_SESSIONS_MAX)
  assert.ok(!added.book.entries.some((entry) => equal(entry.state.id, oldest.id)))
  assert.ok(added.consumed.includes(oldest.keys.root))
})

test('an acknowledged chain has short headers, in the session that the message was of', () => {
  const [a, b] = couple(30)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  const sealed = a.seal('3')
  b.receive(sealed.envelope)
  assert.notEqual(sendingSession(a.book)?.keys?.sending?.opening, undefined)
  const elsewhere = bookAcknowledge(a.book, { ...sealed.ref, sessionId: new Uint8Array(32) })
  assert.equal(elsewhere, a.book)
  a.book = bookAcknowledge(a.book, sealed.ref)
  assert.equal(sendingSession(a.book)?.keys?.sending?.opening, undefined)
  assert.equal(b.receive(a.send('short')), 'short')
})

test('E2-37 F31 a suspended book refuses to send and to read until it is resumed; closing leaves no secret', () => {
  const [a, b] = couple(32)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  const waiting = b.send('waiting')
  a.book = bookSuspend(bookSuspend(a.book))
  assert.ok(isSuspended(a.book))
  assert.throws(() => a.send('x'), IdentityChangedError)
  assert.equal(
    reasonOf(() => a.receive(waiting)),
    'state',
  )
  a.book = bookResume(a.book)
  assert.equal(a.receive(waiting), 'waiting')
  const closed = bookClose(a.book)
  assert.deepEqual([closed.book.entries, needsSession(closed.book)], [[], true])
  assert.ok(closed.consumed.length > 0)
  assert.throws(() => bookEncrypt(a.ctx, closed.book, utf8('x')), UsageError)
})

test('E2-51 what nobody answers expires, archived sessions outlive their letters, the one in use stays', () => {
  const [a, b] = couple(34)
  a.begin()
  assert.equal(bookExpire(a.book, NOW + INITIALIZING_MS_MAX).book.entries.length, 1)
  const expired = bookExpire(a.book, NOW + INITIALIZING_MS_MAX + 1)
  assert.equal(expired.book.entries.length, 0)
  assert.ok(expired.consumed.length > 0)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  a.receive(new Owner(bob, alice, 36).send('anew'))
  assert.equal(a.book.entries.length, 2)
  assert.equal(bookExpire(a.book, NOW + KEPT_MS_MAX).book.entries.length, 2)
  assert.equal(bookExpire(a.book, NOW + KEPT_MS_MAX + 1).book.entries.length, 1)
})

test('E2-24 E2-51 stored keys go after 30 days also where nothing arrives any more', () => {
  const [a, b] = couple(40)
  b.receive(a.send('1'))
  a.receive(b.send('2'))
  const lost = a.send('lost')
  b.receive(a.send('3'))
  const stored = (book: SessionBook): readonly Uint8Array[] =>
    book.entries.flatMap(({ state }) => state.keys?.receiving?.skipped.map(({ key }) => key) ?? [])
  const [key] = stored(b.book)
  assert.ok(key)
  assert.equal(stored(bookExpire(b.book, NOW + KEPT_MS_MAX).book).length, 1)
  const expired = bookExpire(b.book, NOW + KEPT_MS_MAX + 1)
  assert.equal(stored(expired.book).length, 0)
  assert.ok(expired.consumed.some((secret) => equal(secret, key)))
  b.book = expired.book
  assert.equal(
    reasonOf(() => b.receive(lost)),
    'duplicate',
  )
  assert.equal(b.receive(a.send('4')), '4')
})

test('a book takes no session of another device, and none twice', () => {
  const [a] = couple(38)
  const { state } = initiate(a.ctx, alice.device, { card: carol.device.prekeyCard }, () => true)
  assert.throws(() => bookAdd(a.book, state), UsageError)
  a.begin()
  const [entry] = a.book.entries
  assert.ok(entry)
  assert.throws(() => bookAdd(a.book, entry.state), UsageError)
})
