/** Every call of the provider on both backends: equal values, equal refusals. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import type { CryptoProvider, DsaSet, KemSet } from '../../../src/crypto/provider.ts'
import { DSA_BYTES, KEM_BYTES } from '../../../src/crypto/sizes.ts'
import { concat, utf8 } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { agree, BACKENDS, bothThrow, EMPTY, flipped } from './backends.ts'

const rng = seededRng(19)
const [native, noble] = BACKENDS as readonly [CryptoProvider, CryptoProvider]
const PAIRS = [
  [native, noble],
  [noble, native],
] as const
const KEM_SETS = [768, 1024] as const satisfies KemSet[]
const DSA_SETS = [44, 65] as const satisfies DsaSet[]

test('the test compares two backends, each with every call', () => {
  assert.deepEqual([native.name, noble.name], ['native', 'noble'])
  assert.deepEqual(Object.keys(native).sort(), Object.keys(noble).sort())
})

test('hashes agree over one, many, empty and long parts', async () => {
  for (const lengths of [[], [0], [1], [55, 9], [64, 0, 64], [16_384], [16_384, 1], [100_000, 3]]) {
    const parts = lengths.map((length) => rng.bytes(length))
    await agree((p) => p.sha256(...parts))
    await agree((p) => p.sha512(...parts))
    assert.deepEqual(native.sha256(...parts), native.sha256(concat(...parts)))
  }
})

test('HMAC, HKDF and PBKDF2 agree, and refuse lengths that do not exist', async () => {
  for (const length of [0, 32, 65, 200]) {
    const [key, data] = [rng.bytes(length), rng.bytes(length * 3)]
    await agree((p) => p.hmacSha256(key, data))
    await agree((p) => p.hkdfSha256(key, data, utf8('info'), 96))
    await agree((p) => p.hkdfSha512(key, EMPTY, new Uint8Array(2_000), 1 + length))
    await agree((p) => p.pbkdf2Sha512(key, data, 3, 1 + length))
  }
  await agree((p) => p.hkdfSha256(EMPTY, EMPTY, EMPTY, 8_160))
  await agree((p) => p.hkdfSha512(EMPTY, EMPTY, EMPTY, 16_320))
  for (const length of [-1, 0, 1.5, 8_161])
    await bothThrow('UsageError', (p) => p.hkdfSha256(EMPTY, EMPTY, EMPTY, length))
  for (const length of [0, 16_321]) await bothThrow('UsageError', (p) => p.hkdfSha512(EMPTY, EMPTY, EMPTY, length))
  for (const [count, length] of [
    [0, 32],
    [1.5, 32],
    [1, 0],
    [1, 70_000],
  ] as const) {
    await bothThrow('UsageError', (p) => p.pbkdf2Sha512(EMPTY, EMPTY, count, length))
  }
})

// 3,071 to 3,073 and their sealed lengths lie around the point where native hands over from noble to OpenSSL.
const AEAD_LENGTHS = [0, 1, 63, 1_200, 3_055, 3_056, 3_071, 3_072, 3_073, 3_088, 20_000]

test('ChaCha20-Poly1305 agrees and opens across the backends; a changed bit opens on neither', async () => {
  const [key, nonce] = [rng.bytes(32), rng.bytes(12)]
  for (const length of AEAD_LENGTHS) {
    const [aad, plaintext] = [rng.bytes(length % 50), rng.bytes(length)]
    const sealed = await agree((p) => p.seal(key, nonce, aad, plaintext))
    assert.equal(sealed.length, length + 16)
    for (const p of BACKENDS) assert.deepEqual(p.open(key, nonce, aad, sealed), plaintext)
    for (const index of [0, sealed.length >> 1, sealed.length - 16, sealed.length - 1]) {
      const forged = flipped(sealed, index)
      for (const p of BACKENDS) assert.equal(p.open(key, nonce, aad, forged), undefined)
    }
    for (const p of BACKENDS) {
      assert.equal(p.open(key, nonce, concat(aad, EMPTY, utf8('x')), sealed), undefined)
      assert.equal(p.open(flipped(key, 3), nonce, aad, sealed), undefined)
      assert.equal(p.open(key, flipped(nonce, 3), aad, sealed), undefined)
      assert.equal(p.open(key, nonce, aad, sealed.subarray(1)), undefined)
    }
  }
})

test('XChaCha20-Poly1305 agrees; a changed bit opens on neither', async () => {
  const [key, nonce, aad] = [rng.bytes(32), rng.bytes(24), rng.bytes(20)]
  for (const length of [0, 100, 5_000]) {
    const plaintext = rng.bytes(length)
    const sealed = await agree((p) => p.xseal(key, nonce, aad, plaintext))
    for (const p of BACKENDS) {
      assert.deepEqual(p.xopen(key, nonce, aad, sealed), plaintext)
      assert.equal(p.xopen(key, nonce, aad, flipped(sealed, sealed.length - 1)), undefined)
      assert.equal(p.xopen(key, nonce, EMPTY, sealed), undefined)
      assert.equal(p.xopen(key, flipped(nonce, 23), aad, sealed), undefined)
    }
  }
})

test('AEADs refuse keys and nonces of a wrong length, and answer undefined to less than a tag', async () => {
  const long = new Uint8Array(4_000)
  for (const text of [EMPTY, new Uint8Array(40), long]) {
    await bothThrow('UsageError', (p) => p.seal(new Uint8Array(31), new Uint8Array(12), EMPTY, text))
    await bothThrow('UsageError', (p) => p.seal(new Uint8Array(32), new Uint8Array(24), EMPTY, text))
    await bothThrow('UsageError', (p) => p.open(new Uint8Array(33), new Uint8Array(12), EMPTY, text))
    await bothThrow('UsageError', (p) => p.open(new Uint8Array(32), new Uint8Array(11), EMPTY, text))
    await bothThrow('UsageError', (p) => p.xseal(new Uint8Array(16), new Uint8Array(24), EMPTY, text))
    await bothThrow('UsageError', (p) => p.xopen(new Uint8Array(32), new Uint8Array(12), EMPTY, text))
  }
  for (const length of [0, 1, 15]) {
    const short = new Uint8Array(length)
    for (const p of BACKENDS) {
      assert.equal(p.open(new Uint8Array(32), new Uint8Array(12), EMPTY, short), undefined)
      assert.equal(p.xopen(new Uint8Array(32), new Uint8Array(24), EMPTY, short), undefined)
    }
  }
})

test('X25519 agrees; low order, non-canonical and wrong lengths are answers', async () => {
  const [a, b] = [rng.bytes(32), rng.bytes(32)]
  const publicB = await agree((p) => p.x25519PublicKey(b))
  const publicA = await agree((p) => p.x25519PublicKey(a))
  const shared = await agree((p) => p.x25519(a, publicB))
  assert.equal(shared?.length, 32)
  assert.deepEqual(await agree((p) => p.x25519(b, publicA)), shared)
  assert.deepEqual(
    await agree((p) => p.x25519(a, flipped(publicB, 31, 0x80))),
    shared,
    'RFC 7748: the top bit is ignored',
  )
  const lowOrder = [
    new Uint8Array(32),
    new Uint8Array(32).with(0, 1),
    new Uint8Array(32).fill(255).with(0, 0xec).with(31, 0x7f),
  ]
  for (const key of lowOrder) assert.equal(await agree((p) => p.x25519(a, key)), undefined)
  const beyondP = new Uint8Array(32).fill(255).with(0, 0xf6).with(31, 0x7f) // p + 9, the base point again
  assert.deepEqual(await agree((p) => p.x25519(a, beyondP)), publicA)
  for (const length of [0, 31, 33]) {
    assert.equal(await agree((p) => p.x25519(a, new Uint8Array(length).fill(9))), undefined)
    await bothThrow('UsageError', (p) => p.x25519(new Uint8Array(length), publicB))
    await bothThrow('UsageError', (p) => p.x25519PublicKey(new Uint8Array(length)))
  }
})

test('Ed25519 keys and signatures are equal to the byte; wrong lengths are answers', async () => {
  for (const length of [0, 1, 200, 5_000]) {
    const [seed, message] = [rng.bytes(32), rng.bytes(length)]
    const publicKey = await agree((p) => p.ed25519PublicKey(seed))
    const signature = await agree((p) => p.ed25519Sign(seed, message))
    assert.equal(await agree((p) => p.ed25519Verify(publicKey, message, signature)), true)
    for (const index of [0, 31, 32, 63]) {
      assert.equal(await agree((p) => p.ed25519Verify(publicKey, message, flipped(signature, index))), false)
    }
    assert.equal(await agree((p) => p.ed25519Verify(publicKey, concat(message, utf8('x')), signature)), false)
    assert.equal(await agree((p) => p.ed25519Verify(flipped(publicKey, 0), message, signature)), false)
    for (const bad of [EMPTY, signature.subarray(1), concat(signature, EMPTY, utf8('x'))]) {
      assert.equal(await agree((p) => p.ed25519Verify(publicKey, message, bad)), false)
      assert.equal(await agree((p) => p.ed25519Verify(bad, message, signature)), false)
    }
  }
  await bothThrow('UsageError', (p) => p.ed25519PublicKey(new Uint8Array(64)))
  await bothThrow('UsageError', (p) => p.ed25519Sign(EMPTY, EMPTY))
})

for (const set of KEM_SETS) {
  test(`ML-KEM-${set} agrees from seeds in both directions, implicit rejection included`, async () => {
    const seed = rng.bytes(64)
    const publicKey = await agree((p) => p.kemPublicKey(set, seed))
    assert.equal(publicKey.length, KEM_BYTES[set].publicKey)
    for (const [sender, receiver] of PAIRS) {
      const sent = sender.kemEncapsulate(set, publicKey)
      assert.ok(sent !== undefined)
      assert.equal(sent.ciphertext.length, KEM_BYTES[set].ciphertext)
      assert.deepEqual(receiver.kemDecapsulate(set, seed, sent.ciphertext), sent.secret)
      for (const index of [0, sent.ciphertext.length - 1]) {
        const forged = flipped(sent.ciphertext, index)
        const rejected = await agree((p) => p.kemDecapsulate(set, seed, forged))
        assert.equal(rejected?.length, 32)
        assert.notDeepEqual(rejected, sent.secret)
      }
      assert.notDeepEqual(sender.kemEncapsulate(set, publicKey)?.secret, sent.secret, 'fresh coins each time')
    }
  })

  test(`ML-KEM-${set} refuses public keys that are not reduced and wrong lengths, on both`, async () => {
    const { publicKey: keyBytes, ciphertext: ciphertextBytes } = KEM_BYTES[set]
    const notReduced = new Uint8Array(keyBytes).fill(255)
    const offByOne = new Uint8Array(keyBytes).with(0, 0x01).with(1, 0x0d) // the first coefficient is q = 3,329 = 0xd01
    for (const key of [EMPTY, notReduced, offByOne, new Uint8Array(keyBytes - 1), new Uint8Array(keyBytes + 1)]) {
      assert.equal(await agree((p) => p.kemEncapsulate(set, key)), undefined)
    }
    for (const length of [0, ciphertextBytes - 1, ciphertextBytes + 1]) {
      assert.equal(await agree((p) => p.kemDecapsulate(set, new Uint8Array(64), new Uint8Array(length))), undefined)
    }
    for (const length of [0, 32, 63, 65]) {
      await bothThrow('UsageError', (p) => p.kemPublicKey(set, new Uint8Array(length)))
      await bothThrow('UsageError', (p) =>
        p.kemDecapsulate(set, new Uint8Array(length), new Uint8Array(ciphertextBytes)),
      )
    }
  })
}

for (const set of DSA_SETS) {
  test(`ML-DSA-${set} agrees from seeds and verifies across the backends under its context only`, async () => {
    const [seed, message] = [rng.bytes(32), rng.bytes(300)]
    const publicKey = await agree((p) => p.dsaPublicKey(set, seed))
    assert.equal(publicKey.length, DSA_BYTES[set].publicKey)
    for (const context of [EMPTY, utf8('sotto'), rng.bytes(255)]) {
      for (const signer of BACKENDS) {
        const signature = await signer.dsaSign(set, seed, message, context)
        assert.equal(signature.length, DSA_BYTES[set].signature)
        const verify = async (m: Uint8Array, s: Uint8Array, c: Uint8Array, k = publicKey) =>
          agree((p) => p.dsaVerify(set, k, m, s, c))
        assert.equal(await verify(message, signature, context), true)
        assert.equal(await verify(message, signature, utf8('other')), false)
        assert.equal(await verify(flipped(message, 0), signature, context), false)
        assert.equal(await verify(message, flipped(signature, 40), context), false)
        assert.equal(await verify(message, signature, context, flipped(publicKey, 40)), false)
      }
    }
  })

  test(`ML-DSA-${set} signatures are hedged, and wrong lengths are answers or the caller’s bug`, async () => {
    const seed = rng.bytes(32)
    const publicKey = native.dsaPublicKey(set, seed)
    for (const p of BACKENDS) {
      assert.notDeepEqual(await p.dsaSign(set, seed, EMPTY, EMPTY), await p.dsaSign(set, seed, EMPTY, EMPTY))
    }
    const signature = await native.dsaSign(set, seed, EMPTY, EMPTY)
    for (const bad of [EMPTY, signature.subarray(1), concat(signature, utf8('x'))]) {
      assert.equal(await agree((p) => p.dsaVerify(set, publicKey, EMPTY, bad, EMPTY)), false)
      assert.equal(await agree((p) => p.dsaVerify(set, bad, EMPTY, signature, EMPTY)), false)
    }
    assert.equal(await agree((p) => p.dsaVerify(set, publicKey, EMPTY, signature, new Uint8Array(256))), false)
    await bothThrow('UsageError', (p) => p.dsaSign(set, seed, EMPTY, new Uint8Array(256)))
    await bothThrow('UsageError', (p) => p.dsaSign(set, seed.subarray(1), EMPTY, EMPTY))
    await bothThrow('UsageError', (p) => p.dsaPublicKey(set, new Uint8Array(33)))
  })
}

test('a seed may be wiped and a message changed once dsaSign has returned its promise', async () => {
  for (const p of BACKENDS) {
    const [seed, message] = [rng.bytes(32), rng.bytes(50)]
    const publicKey = p.dsaPublicKey(65, seed)
    const original = message.slice()
    const pending = p.dsaSign(65, seed, message, EMPTY)
    seed.fill(0)
    message.fill(0)
    assert.equal(p.dsaVerify(65, publicKey, original, await pending, EMPTY), true, p.name)
  }
})

test('Argon2id agrees, is bounded, and refuses what RFC 9106 does', async () => {
  const [password, salt] = [rng.bytes(20), rng.bytes(16)]
  for (const cost of [
    { memoryKiB: 8, passes: 1, length: 4 },
    { memoryKiB: 67, passes: 3, length: 32 },
    { memoryKiB: 256, passes: 1, length: 100 },
  ]) {
    assert.equal((await agree((p) => p.argon2id(password, salt, cost))).length, cost.length)
  }
  await agree((p) => p.argon2id(EMPTY, salt, { memoryKiB: 8, passes: 1, length: 32 }))
  const good = { memoryKiB: 8, passes: 1, length: 32 }
  for (const bad of [{ memoryKiB: 7 }, { memoryKiB: 8.5 }, { passes: 0 }, { length: 3 }, { memoryKiB: Number.NaN }]) {
    await bothThrow('UsageError', (p) => p.argon2id(password, salt, { ...good, ...bad }))
  }
  await bothThrow('UsageError', (p) => p.argon2id(password, salt.subarray(9), good))
  await bothThrow('LimitError', (p) => p.argon2id(password, salt, { ...good, memoryKiB: 1_048_577 }))
})

test('results are plain arrays, never Buffers', async () => {
  const seed = rng.bytes(32)
  const long = new Uint8Array(4_000)
  const [key, nonce] = [seed, new Uint8Array(12)]
  const results = [
    native.sha256(seed),
    native.sha512(seed, seed),
    native.seal(key, nonce, EMPTY, long),
    native.open(key, nonce, EMPTY, native.seal(key, nonce, EMPTY, long)),
    native.x25519PublicKey(seed),
    native.x25519(seed, native.x25519PublicKey(seed)),
    native.ed25519Sign(seed, EMPTY),
    native.kemEncapsulate(768, native.kemPublicKey(768, rng.bytes(64)))?.secret,
    await native.dsaSign(44, seed, EMPTY, EMPTY),
    await native.argon2id(seed, seed, { memoryKiB: 8, passes: 1, length: 32 }),
    await native.pbkdf2Sha512(seed, seed, 1, 32),
  ]
  for (const result of results) assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
  assert.notEqual(Object.getPrototypeOf(crypto.hash('sha256', seed, 'buffer')), Uint8Array.prototype)
})
