import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hybridPublicKeys } from '../../../src/crypto/hybrid.ts'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import {
  signAccountCard,
  signPrekeyCard,
  signSuccessor,
  verifyAccountCard,
  verifyDeviceCertificate,
  verifyPrekeyCard,
} from '../../../src/protocol/card-rules.ts'
import type { HybridSignature } from '../../../src/wire/card.ts'
import { accountCardCodec } from '../../../src/wire/card.ts'
import { encode, tryDecode } from '../../../src/wire/codec.ts'
import { prekeyCardCodec } from '../../../src/wire/prekeys.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import { cardOf, certificateOf, DAY_S, flipped, idOf, NOW_S, prekeysOf, seedsOf } from './card-fixtures.ts'

const card = await cardOf(1)
const prekeys = await prekeysOf(1, 50)
const keys = hybridPublicKeys(crypto, seedsOf(1))

const halves = ['ed25519', 'mldsa65'] as const
const broken = (signature: HybridSignature, half: (typeof halves)[number]): HybridSignature => ({
  ...signature,
  [half]: flipped(signature[half], 40),
})

for (const provider of [crypto, nobleProvider]) {
  test(`ID-11 whole cards verify (${provider.name})`, () => {
    assert.equal(verifyAccountCard(provider, card, NOW_S), true)
    assert.equal(verifyPrekeyCard(provider, prekeys, NOW_S), true)
    assert.equal(verifyDeviceCertificate(provider, prekeys.body.certificate, keys, NOW_S), true)
  })
}

for (const half of halves) {
  test(`ID-11 a record whose ${half} signature is the only wrong one is refused`, () => {
    assert.equal(verifyAccountCard(crypto, { ...card, signature: broken(card.signature, half) }, NOW_S), false)
    assert.equal(verifyPrekeyCard(crypto, { ...prekeys, signature: broken(prekeys.signature, half) }, NOW_S), false)
    const { certificate } = prekeys.body
    const wrong = { ...certificate, signature: broken(certificate.signature, half) }
    assert.equal(verifyDeviceCertificate(crypto, wrong, keys, NOW_S), false)
  })

  test(`ID-11 a record signed with the ${half} key of somebody else is refused`, async () => {
    const mixed = { ...seedsOf(1), [half]: seedsOf(2)[half] }
    assert.equal(verifyAccountCard(crypto, await signAccountCard(crypto, mixed, card.body), NOW_S), false)
    const device = { ...seedsOf(50), [half]: seedsOf(2)[half] }
    assert.equal(verifyPrekeyCard(crypto, await signPrekeyCard(crypto, device, prekeys.body), NOW_S), false)
  })

  test(`ID-12 a successor whose ${half} signature is wrong makes its card void`, async () => {
    const successor = await signSuccessor(crypto, seedsOf(2), idOf(1))
    assert.equal(verifyAccountCard(crypto, await cardOf(1, { successor }), NOW_S), true)
    const forged = { ...successor, signature: broken(successor.signature, half) }
    assert.equal(verifyAccountCard(crypto, await cardOf(1, { successor: forged }), NOW_S), false)
  })
}

test('ID-12 a successor that agreed to follow somebody else, or is the account itself, is refused', async () => {
  const other = await signSuccessor(crypto, seedsOf(2), idOf(3))
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { successor: other }), NOW_S), false)
  const self = await signSuccessor(crypto, seedsOf(1), idOf(1))
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { successor: self }), NOW_S), false)
})

test('ID-05 a card for this account signed by any other key is refused', async () => {
  assert.equal(verifyAccountCard(crypto, await signAccountCard(crypto, seedsOf(2), card.body), NOW_S), false)
})

test('ID-27 a prekey card whose certificate is of another account, or by another account, is refused', async () => {
  const foreign = { account: hybridPublicKeys(crypto, seedsOf(2)) }
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, foreign), NOW_S), false)
  const borrowed = { certificate: await certificateOf(2, 50) }
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, borrowed), NOW_S), false)
  const claimed = { certificate: await certificateOf(2, 50, { accountId: idOf(1) }) }
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, claimed), NOW_S), false)
})

test('ID-27 a prekey card signed by a device other than the certified one is refused', async () => {
  assert.equal(verifyPrekeyCard(crypto, await signPrekeyCard(crypto, seedsOf(51), prekeys.body), NOW_S), false)
})

test('ID-27 a device certificate that is expired makes both cards void', async () => {
  const expired = await certificateOf(1, 50, { issuedAt: NOW_S - 30 * DAY_S, expiresAt: NOW_S })
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { devices: [expired] }), NOW_S), false)
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, { certificate: expired }), NOW_S), false)
})

test('E2-06 a sender’s card may have run out while its letter waited, by as much as a letter waits', async () => {
  const over = prekeys.body.expiresAt
  assert.equal(verifyPrekeyCard(crypto, prekeys, over - 1), true)
  assert.equal(verifyPrekeyCard(crypto, prekeys, over), false)
  assert.equal(verifyPrekeyCard(crypto, prekeys, over + 30 * DAY_S - 1, 30 * DAY_S), true)
  assert.equal(verifyPrekeyCard(crypto, prekeys, over + 30 * DAY_S, 30 * DAY_S), false)
  assert.equal(verifyPrekeyCard(crypto, prekeys, NOW_S - 601, 30 * DAY_S), false, 'no card of the future')
  const brief = await certificateOf(1, 50, { expiresAt: NOW_S + DAY_S })
  const certified = await prekeysOf(1, 50, { certificate: brief, expiresAt: NOW_S + DAY_S })
  assert.equal(verifyPrekeyCard(crypto, certified, NOW_S + 2 * DAY_S), false)
  assert.equal(verifyPrekeyCard(crypto, certified, NOW_S + 2 * DAY_S, 30 * DAY_S), true)
})

test('ID-12 dates: future, past, too long, backwards', async () => {
  const windows = [
    { issuedAt: NOW_S + 601, expiresAt: NOW_S + DAY_S },
    { issuedAt: NOW_S - DAY_S, expiresAt: NOW_S },
    { issuedAt: NOW_S, expiresAt: NOW_S + 90 * DAY_S + 1 },
    { issuedAt: NOW_S + 500, expiresAt: NOW_S + 400 },
  ]
  for (const window of windows) assert.equal(verifyAccountCard(crypto, await cardOf(1, window), NOW_S), false)
  for (const window of windows) assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, window), NOW_S), false)
  const skewed = { issuedAt: NOW_S + 600, expiresAt: NOW_S + DAY_S }
  assert.equal(verifyAccountCard(crypto, await cardOf(1, skewed), NOW_S), true)
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, { expiresAt: NOW_S + 45 * DAY_S }), NOW_S), true)
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, { expiresAt: NOW_S + 45 * DAY_S + 1 }), NOW_S), false)
})

test('ID-12 numbers: zero is refused, and only the first of a chain has no predecessor', async () => {
  const before = new Uint8Array(32).fill(1)
  const zero = new Uint8Array(32)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { number: 0 }), NOW_S), false)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { number: 1, previous: before }), NOW_S), false)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { number: 2, previous: zero }), NOW_S), false)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { number: 2, previous: before }), NOW_S), true)
  assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, { number: 0 }), NOW_S), false)
})

test('ID-15 a device list names no device twice, and only certified ones', async () => {
  const one = await certificateOf(1, 50)
  const two = await certificateOf(1, 51)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { devices: [one, two] }), NOW_S), true)
  const twice = await certificateOf(1, 51, { deviceId: one.body.deviceId })
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { devices: [one, twice] }), NOW_S), false)
  const foreign = await certificateOf(2, 51)
  assert.equal(verifyAccountCard(crypto, await cardOf(1, { devices: [one, foreign] }), NOW_S), false)
})

test('PK-10 a prekey card that contradicts itself is refused though its device signed it', async () => {
  const address = new Uint8Array(32)
  const root = new Uint8Array(32).fill(1)
  const lies = [
    { stampBits: 21 },
    { pool: { root, count: 0 } },
    {
      intro: [
        { epoch: 5, address },
        { epoch: 5, address },
      ],
    },
    {
      intro: [
        { epoch: 6, address },
        { epoch: 5, address },
      ],
    },
  ]
  for (const lie of lies) assert.equal(verifyPrekeyCard(crypto, await prekeysOf(1, 50, lie), NOW_S), false)
})

/** Every place in a value where a byte string, a number or a list stands, with a way to change it there. */
function* mutations(value: unknown, path: string): Generator<readonly [string, unknown]> {
  if (value instanceof Uint8Array) {
    yield [path, flipped(value)]
    yield [`${path} (last byte)`, flipped(value, value.length - 1)]
  } else if (typeof value === 'number') {
    yield [path, value + 1]
  } else if (Array.isArray(value)) {
    yield [`${path} (shorter)`, value.slice(1)]
    for (const [i, item] of value.entries()) {
      for (const [where, changed] of mutations(item, `${path}[${i}]`)) yield [where, value.with(i, changed)]
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, field] of Object.entries(value)) {
      for (const [where, changed] of mutations(field, `${path}.${name}`)) yield [where, { ...value, [name]: changed }]
    }
  }
}

test('PK-10 whatever field of a prekey card is changed, the card is refused', () => {
  let fields = 0
  for (const [where, changed] of mutations(prekeys, 'card')) {
    if (/\.(version|suite)$/.test(where)) continue // have one value on the wire: the next test
    assert.equal(verifyPrekeyCard(crypto, changed as PrekeyCard, NOW_S), false, where)
    fields++
  }
  assert.ok(fields >= 40, `only ${fields} fields were changed`)
})

test('PK-10 another version or suite, truncated, trailing and oversized bytes are no card', () => {
  for (const [codec, value] of [
    [prekeyCardCodec, prekeys],
    [accountCardCodec, card],
  ] as const) {
    const bytes = encode<never>(codec as never, value as never)
    const refused = (candidate: Uint8Array): boolean => tryDecode(codec as never, candidate) === undefined
    assert.equal(refused(bytes), false)
    assert.ok(refused(flipped(bytes, 0)) && refused(flipped(bytes, 1)), 'version and suite')
    assert.ok(refused(bytes.slice(0, -1)) && refused(bytes.slice(0, 100)) && refused(new Uint8Array(0)), 'truncated')
    assert.ok(refused(Uint8Array.of(...bytes, 0)), 'trailing')
    assert.ok(refused(new Uint8Array(100_000).fill(255)), 'noise')
  }
})
