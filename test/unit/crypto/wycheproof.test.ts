import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { DsaSet, KemSet } from '../../../src/crypto/provider.ts'
import { concat, toHex } from '../../../src/lib/bytes.ts'
import { BACKENDS, bothThrow, EMPTY, hex, vectors } from './backends.ts'

interface Vector {
  readonly tcId: number
  readonly flags?: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
}
type Hex<K extends string> = Vector & Readonly<Record<K, string>>

for (const p of BACKENDS) {
  test(`X25519 agrees with Wycheproof (${p.name})`, () => {
    const { tests } = vectors('wycheproof/x25519') as { tests: Hex<'public' | 'private' | 'shared'>[] }
    for (const t of tests) {
      const shared = p.x25519(hex(t.private), hex(t.public))
      const expected = t.flags?.includes('ZeroSharedSecret') ? undefined : hex(t.shared)
      assert.deepEqual(shared, expected, `tcId ${t.tcId}`)
    }
  })

  test(`Ed25519 agrees with Wycheproof (${p.name})`, () => {
    const { groups } = vectors('wycheproof/ed25519') as { groups: { publicKey: string; tests: Hex<'msg' | 'sig'>[] }[] }
    for (const { publicKey, tests } of groups) {
      for (const t of tests) {
        const verified = p.ed25519Verify(hex(publicKey), hex(t.msg), hex(t.sig))
        assert.equal(verified, t.result === 'valid', `tcId ${t.tcId}`)
      }
    }
  })

  type Aead = Hex<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag'>
  for (const [file, seal, open] of [
    ['chacha20_poly1305', p.seal.bind(p), p.open.bind(p)],
    ['xchacha20_poly1305', p.xseal.bind(p), p.xopen.bind(p)],
  ] as const) {
    test(`${file} agrees with Wycheproof (${p.name})`, () => {
      for (const t of (vectors(`wycheproof/${file}`) as { tests: Aead[] }).tests) {
        const [key, nonce, aad, message] = [hex(t.key), hex(t.iv), hex(t.aad), hex(t.msg)]
        const sealed = concat(hex(t.ct), hex(t.tag))
        if (t.flags?.includes('InvalidNonceSize')) {
          assert.throws(() => seal(key, nonce, aad, message), { name: 'UsageError' })
          assert.throws(() => open(key, nonce, aad, sealed), { name: 'UsageError' })
        } else {
          assert.deepEqual(open(key, nonce, aad, sealed), t.result === 'valid' ? message : undefined, `tcId ${t.tcId}`)
          if (t.result === 'valid') assert.deepEqual(seal(key, nonce, aad, message), sealed, `tcId ${t.tcId}`)
        }
      }
    })
  }

  type Hkdf = Hex<'ikm' | 'salt' | 'info' | 'okm'> & { readonly size: number }
  for (const [file, derive] of [
    ['hkdf_sha256', p.hkdfSha256.bind(p)],
    ['hkdf_sha512', p.hkdfSha512.bind(p)],
  ] as const) {
    test(`${file} agrees with Wycheproof (${p.name})`, () => {
      for (const t of (vectors(`wycheproof/${file}`) as { tests: Hkdf[] }).tests) {
        const call = () => derive(hex(t.ikm), hex(t.salt), hex(t.info), t.size)
        if (t.result === 'valid') assert.equal(toHex(call()), t.okm, `tcId ${t.tcId}`)
        else assert.throws(call, { name: 'UsageError' }, `tcId ${t.tcId}`)
      }
    })
  }

  test(`HMAC-SHA-256 and PBKDF2 agree with Wycheproof (${p.name})`, async () => {
    for (const t of (vectors('wycheproof/hmac_sha256') as { tests: Hex<'key' | 'msg' | 'tag'>[] }).tests) {
      assert.equal(toHex(p.hmacSha256(hex(t.key), hex(t.msg))) === t.tag, t.result === 'valid', `tcId ${t.tcId}`)
    }
    type Pbkdf2 = Hex<'password' | 'salt' | 'dk'> & { readonly iterationCount: number; readonly dkLen: number }
    for (const t of (vectors('wycheproof/pbkdf2_hmacsha512') as { tests: Pbkdf2[] }).tests) {
      const key = await p.pbkdf2Sha512(hex(t.password), hex(t.salt), t.iterationCount, t.dkLen)
      assert.equal(toHex(key), t.dk, `tcId ${t.tcId}`)
    }
  })

  for (const set of [768, 1024] as const satisfies KemSet[]) {
    test(`ML-KEM-${set} agrees with Wycheproof (${p.name})`, () => {
      const { keygen, decaps, encaps } = vectors(`wycheproof/ml_kem_${set}`) as {
        keygen: Hex<'seed' | 'ek'>[]
        decaps: Hex<'seed' | 'c' | 'K'>[]
        encaps: Hex<'ek'>[]
      }
      for (const t of keygen) assert.equal(toHex(p.kemPublicKey(set, hex(t.seed))), t.ek, `tcId ${t.tcId}`)
      for (const t of decaps.filter(({ seed }) => seed.length === 128)) {
        const secret = p.kemDecapsulate(set, hex(t.seed), hex(t.c))
        assert.deepEqual(secret, t.result === 'valid' ? hex(t.K) : undefined, `tcId ${t.tcId}`)
      }
      for (const t of encaps) {
        assert.equal(p.kemEncapsulate(set, hex(t.ek)) !== undefined, t.result === 'valid', `tcId ${t.tcId}`)
      }
    })
  }

  for (const set of [44, 65] as const satisfies DsaSet[]) {
    test(`ML-DSA-${set} agrees with Wycheproof (${p.name})`, () => {
      type Group = { publicKey: string; tests: (Hex<'msg' | 'sig'> & { readonly ctx?: string })[] }
      const { keygen, verify } = vectors(`wycheproof/ml_dsa_${set}`) as {
        keygen: { seed: string; publicKey: string }[]
        verify: Group[]
      }
      for (const t of keygen) assert.equal(toHex(p.dsaPublicKey(set, hex(t.seed))), t.publicKey)
      for (const { publicKey, tests } of verify) {
        for (const t of tests) {
          const context = t.ctx === undefined ? EMPTY : hex(t.ctx)
          const verified = p.dsaVerify(set, hex(publicKey), hex(t.msg), hex(t.sig), context)
          assert.equal(verified, t.result === 'valid', `tcId ${t.tcId}`)
        }
      }
    })
  }
}

test('seeds of a wrong length are the caller’s bug', async () => {
  const { decaps } = vectors('wycheproof/ml_kem_768') as { decaps: Hex<'seed' | 'c'>[] }
  const wrong = decaps.filter(({ seed }) => seed.length !== 128)
  assert.ok(wrong.length > 0)
  for (const t of wrong) await bothThrow('UsageError', (p) => p.kemDecapsulate(768, hex(t.seed), hex(t.c)))
})
