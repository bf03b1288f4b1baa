/** What an attacker gets out of a stolen state, a broken primitive, a recipient who lies, and a provider that cheats. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import type { CryptoProvider } from '../../../src/crypto/provider.ts'
import { equal, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { seededRng, systemRng } from '../../../src/lib/rng.ts'
import { initialPrekeyIds } from '../../../src/protocol/pqxdh.ts'
import { accept, decryptSession, encryptSession, initiate } from '../../../src/protocol/session.ts'
import type { SessionState } from '../../../src/wire/session-state.ts'
import { Eavesdropper, tapped } from './session-eavesdropper.ts'
import {
  alice,
  bob,
  contextOf,
  established,
  introduced,
  reasonOf,
  reload,
  Side,
  textOf,
  verifyBundle,
  verifyCard,
} from './session-fixtures.ts'

interface Seen {
  readonly envelope: Uint8Array
  readonly from: 'a' | 'b'
}
interface Recording {
  /** One envelope a turn, in order. */
  readonly seen: readonly Seen[]
  /** Both states after each turn. */
  readonly states: readonly { readonly a: SessionState; readonly b: SessionState }[]
  readonly curve: readonly Uint8Array[]
  readonly kem: readonly Uint8Array[]
}

/** A conversation of `turns` turns, with everything that happened in it. */
function record(turns: number): Recording {
  const tap = { curve: [] as Uint8Array[], kem: [] as Uint8Array[] }
  const { a, b } = introduced(
    1,
    contextOf(1, { rng: tapped(systemRng, tap) }),
    contextOf(2, { rng: tapped(systemRng, tap) }),
  )
  const seen: Seen[] = []
  const states: { a: SessionState; b: SessionState }[] = []
  for (let turn = 0; turn < turns; turn++) {
    const [sender, receiver] = turn % 2 === 0 ? [b, a] : [a, b]
    const envelope = sender.send(`turn ${turn}`)
    receiver.receive(envelope)
    seen.push({ envelope, from: turn % 2 === 0 ? 'b' : 'a' })
    states.push({ a: reload(a.state), b: reload(b.state) })
  }
  return { seen, states, ...tap }
}

const TURNS = 14
const recording = record(TURNS)
const victims = ['a', 'b'] as const

/** The turns after `at` that the attacker reads, counted from 1. */
function readable(at: number, victim: 'a' | 'b', curve: readonly Uint8Array[], kem: readonly Uint8Array[]): number[] {
  const state = recording.states[at]?.[victim]
  assert.ok(state)
  const attacker = new Eavesdropper(reload(state), [...curve], [...kem])
  const read: number[] = []
  for (let turn = at + 1; turn < TURNS; turn++) {
    const packet = recording.seen[turn]
    assert.ok(packet)
    const plaintext = attacker.read(packet.envelope, packet.from === victim ? 'fromVictim' : 'toVictim')
    if (plaintext === undefined) continue
    assert.equal(textOf(plaintext), `turn ${turn}`)
    read.push(turn - at)
  }
  return read
}

const CASES = [
  { name: 'E2-29 a stolen state', curve: [], kem: [] },
  { name: 'E2-29 E2-09 a stolen state and every X25519 secret', curve: recording.curve, kem: [] },
  { name: 'E2-29 a stolen state and every KEM secret', curve: [], kem: recording.kem },
]

for (const { name, curve, kem } of CASES) {
  test(`${name}: nothing is read more than three turns later`, () => {
    for (let at = 0; at < TURNS - 4; at++) {
      for (const victim of victims) {
        const read = readable(at, victim, curve, kem)
        assert.ok(
          read.every((turn) => turn <= 3),
          `stolen from ${victim} after turn ${at}: ${read.join(' ')}`,
        )
      }
    }
  })
}

test('the eavesdropper of these tests works: with both primitives broken it reads everything', () => {
  const all = readable(2, 'a', recording.curve, recording.kem)
  assert.deepEqual(
    all,
    Array.from({ length: TURNS - 3 }, (_, i) => i + 1),
  )
  const some = victims.flatMap((victim) => [0, 1, 2, 3].flatMap((at) => readable(at, victim, recording.curve, [])))
  assert.ok(some.length > 0)
})

test('E2-28 E2-54 F11 F35 a stolen state opens nothing that was read before it, broken X25519 or not', () => {
  for (let at = 0; at < TURNS; at++) {
    for (const victim of victims) {
      const state = recording.states[at]?.[victim]
      assert.ok(state)
      for (let turn = 0; turn <= at; turn++) {
        const packet = recording.seen[turn]
        assert.ok(packet)
        assert.ok(reasonOf(() => decryptSession(contextOf(1), reload(state), packet.envelope)))
        for (const curve of [[], recording.curve]) {
          const attacker = new Eavesdropper(reload(state), [...curve])
          const direction: 'fromVictim' | 'toVictim' = packet.from === victim ? 'fromVictim' : 'toVictim'
          assert.equal(attacker.read(packet.envelope, direction), undefined)
        }
      }
    }
  }
})

test('E2-28 within a chain too: the state after message n opens none of 1 to n, and all that follow in the chain', () => {
  const { a, b } = established(3)
  const packets = Array.from({ length: 10 }, (_, i) => a.send(`${i}`))
  for (const packet of packets.slice(0, 5)) b.receive(packet)
  for (const packet of packets.slice(0, 5)) {
    const [asReceiver, asSender] = [new Eavesdropper(reload(b.state)), new Eavesdropper(reload(a.state))]
    assert.equal(asReceiver.read(packet, 'toVictim'), undefined)
    assert.equal(asSender.read(packet, 'fromVictim'), undefined)
  }
  const attacker = new Eavesdropper(reload(b.state))
  assert.equal(textOf(attacker.read(packets[7] ?? new Uint8Array(), 'toVictim') ?? new Uint8Array()), '7')
})

test('E2-09 E2-35 every X25519 secret there is, long-term ones included, does not open the first message', () => {
  const { state } = initiate(contextOf(5), alice.device, { card: bob.device.prekeyCard }, verifyBundle)
  const { envelope } = encryptSession(contextOf(5), state, utf8('hello'))
  const broken: CryptoProvider = {
    ...nativeProvider,
    kemDecapsulate: (set, seed, ciphertext) =>
      nativeProvider.kemDecapsulate(set, seededRng(9).bytes(64), ciphertext) ?? seed,
  }
  const ctx = contextOf(6, { crypto: broken })
  assert.equal(initialPrekeyIds(broken, bob.device, envelope)?.signedPrekeyId, 5)
  assert.equal(
    reasonOf(() => accept(ctx, bob.device, bob.secrets, envelope, verifyCard)),
    'authentication',
  )
})

test('E2-09 and every KEM secret without the X25519 ones does not either', () => {
  const { state } = initiate(contextOf(7), alice.device, { card: bob.device.prekeyCard }, verifyBundle)
  const { envelope } = encryptSession(contextOf(7), state, utf8('hello'))
  const secrets = { ...bob.secrets, signedPrekey: seededRng(10).bytes(32) }
  assert.equal(
    reasonOf(() => accept(contextOf(8), bob.device, secrets, envelope, verifyCard)),
    'authentication',
  )
})

/** Stands for Alice's identity secret in the hands of someone who does not have it. */
const NOT_ALICE = new Uint8Array(32).fill(0xa1)

/**
 * What Bob computes with instead of Alice's long-term secrets: DH(IKa, SPKb) from his own prekey, and the confirmation,
 * which he has made himself.
 */
function forgersProvider(): CryptoProvider {
  const confirmations = new Map<string, Uint8Array>()
  return {
    ...nativeProvider,
    x25519(secret, key) {
      if (!equal(secret, NOT_ALICE)) return nativeProvider.x25519(secret, key)
      assert.deepEqual(key, bob.device.prekeyCard.body.signedPrekey.key)
      const { identityKey } = alice.device.prekeyCard.body.certificate.body
      return nativeProvider.x25519(bob.secrets.signedPrekey, identityKey)
    },
    kemEncapsulate(set, key) {
      const made = nativeProvider.kemEncapsulate(set, key)
      if (made) confirmations.set(toHex(made.ciphertext), made.secret.slice())
      return made
    },
    kemDecapsulate(set, seed, ciphertext) {
      return confirmations.get(toHex(ciphertext))?.slice() ?? nativeProvider.kemDecapsulate(set, seed, ciphertext)
    },
  }
}

test('E2-21 E2-31 Bob alone makes a transcript, both sides of it, that verifies as well as a true one', () => {
  const crypto = forgersProvider()
  const ctx = contextOf(11, { crypto })
  const { identitySecret: _never, ...publicAlice } = alice.device
  const puppet = { ...publicAlice, identitySecret: NOT_ALICE, kemPrekeySeed: new Uint8Array(64) }
  const { state } = initiate(ctx, puppet, { card: bob.device.prekeyCard }, verifyBundle)
  const fake = new Side(state, ctx)
  const first = fake.send('I, Alice, owe Bob a thousand')
  const accepted = accept(contextOf(12), bob.device, bob.secrets, first, verifyCard)
  assert.equal(textOf(accepted.plaintext), 'I, Alice, owe Bob a thousand')
  assert.deepEqual(accepted.peer, alice.device.prekeyCard)
  const real = new Side(accepted.state, { ...contextOf(12), crypto })
  for (const line of ['really?', 'by Friday?']) {
    assert.equal(fake.receive(real.send(line)), line)
    assert.equal(real.receive(fake.send('yes')), 'yes')
  }
  assert.deepEqual([real.state.confirmed, fake.state.confirmed], [true, true])
})

test('I9 E2-47 a state that is rolled back, in a sender or a receiver, repeats no key and nonce', () => {
  const used = new Set<string>()
  let sealed = 0
  const crypto: CryptoProvider = {
    ...nativeProvider,
    seal(key, nonce, aad, plaintext) {
      const name = toHex(key) + toHex(nonce)
      assert.ok(!used.has(name))
      used.add(name)
      sealed++
      return nativeProvider.seal(key, nonce, aad, plaintext)
    },
  }
  const { a, b } = introduced(13, contextOf(13, { crypto }), contextOf(14, { crypto }))
  const [oldA, oldB] = [reload(a.state), reload(b.state)]
  for (let i = 0; i < 3; i++) {
    a.receive(b.send('x'))
    b.receive(a.send('y'))
    a.send('lost')
    new Side(reload(oldA), a.ctx).send('again from the beginning')
    new Side(reload(oldB), b.ctx).send('again from the beginning')
    new Side(reload(a.state), a.ctx).send('twice the same number')
    a.send('twice the same number')
  }
  assert.ok(sealed >= 36)
})

test('a commitment binds an envelope to one key: under another key with a valid tag it is refused', () => {
  const { a, b } = established(15)
  const packet = a.send('x')
  const lenient: CryptoProvider = {
    ...nativeProvider,
    hkdfSha256: (ikm, salt, info, length) => {
      const out = nativeProvider.hkdfSha256(ikm, salt, info, length)
      if (length === 60) out[59] = (out[59] ?? 0) ^ 1
      return out
    },
  }
  const wrong = new Side(b.state, { ...b.ctx, crypto: lenient })
  assert.equal(
    reasonOf(() => wrong.receive(packet)),
    'authentication',
  )
  assert.equal(b.receive(packet), 'x')
})

test('E2-22 a thousand mutated packets: none is shown, and the honest ones still are', () => {
  const { a, b } = established(16)
  const rng = seededRng(17)
  let refused = 0
  for (let i = 0; i < 50; i++) {
    const packet = a.send(`honest ${i}`)
    for (let j = 0; j < 20; j++) {
      const mutated = packet.slice()
      const [high = 0, low = 0, mask = 0] = rng.bytes(3)
      const at = (high * 256 + low) % packet.length
      mutated[at] = (mutated[at] ?? 0) ^ (mask === 0 ? 1 : mask)
      if (reasonOf(() => b.receive(mutated)) !== undefined) refused++
    }
    assert.equal(b.receive(packet), `honest ${i}`)
  }
  assert.equal(refused, 1_000)
})
