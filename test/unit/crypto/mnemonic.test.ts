import { test } from 'node:test'
import assert from 'node:assert/strict'
import { hybridPublicKeys } from '../../../src/crypto/hybrid.ts'
import { accountSeeds, newPhrase, phraseIsValid } from '../../../src/crypto/mnemonic.ts'
import { nativeProvider as native } from '../../../src/crypto/native.ts'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { seededRng, systemRng } from '../../../src/lib/rng.ts'
import { agree, BACKENDS, hex, vectors } from './backends.ts'

const { tests } = vectors('bip39') as { tests: { entropy: string; phrase: string; seed: string }[] }

test('phrases and their checksums are those of the BIP-39 vectors', () => {
  assert.equal(tests.length, 8)
  for (const { entropy, phrase } of tests) {
    assert.equal(newPhrase({ bytes: () => hex(entropy) }), phrase)
    assert.equal(phraseIsValid(phrase), true)
  }
})

for (const p of BACKENDS) {
  test(`PBKDF2 gives the seeds of the BIP-39 vectors (${p.name})`, async () => {
    for (const { phrase, seed } of tests.slice(0, p.name === 'noble' ? 2 : tests.length)) {
      assert.equal(toHex(await p.pbkdf2Sha512(utf8(phrase), utf8('mnemonicTREZOR'), 2_048, 64)), seed)
    }
  })
}

test('the account seeds of a phrase are frozen: PBKDF2, then one HKDF label for each', async () => {
  const phrase = tests[0]?.phrase ?? ''
  const seeds = await agree(async (p) => accountSeeds(p, phrase))
  const bip39 = await native.pbkdf2Sha512(utf8(phrase), utf8('mnemonic'), 2_048, 64)
  const derive = (info: string) => native.hkdfSha512(bip39, utf8('sotto phrase v1'), utf8(info), 32)
  assert.deepEqual(seeds, { ed25519: derive('account ed25519'), mldsa65: derive('account ml-dsa-65') })
  assert.equal(toHex(seeds.ed25519), '8a83c1645ba7e3e74d1ce3d0ec1d88e093d1d0564a4f8810b46973e515f2f70e')
  assert.equal(toHex(seeds.mldsa65), 'dcbb246198b06763415dedcc64e518c08bad00739cefd7d90a6c098bd2d541f5')
})

test('ID-25 phrases and the keys from them differ between runs, and one phrase gives the same keys again', async () => {
  const [first, second] = [newPhrase(systemRng), newPhrase(systemRng)]
  assert.notEqual(first, second)
  const keysOf = async (phrase: string) => hybridPublicKeys(native, await accountSeeds(native, phrase))
  assert.deepEqual(await keysOf(first), await keysOf(first))
  assert.notDeepEqual(await keysOf(first), await keysOf(second))
  assert.equal(newPhrase(seededRng(5)), newPhrase(seededRng(5)))
})

test('case, white space and width do not matter', async () => {
  const phrase = tests[4]?.phrase ?? ''
  const wide = phrase.replace(/[a-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0))
  const variants = [
    `  ${phrase.toUpperCase()}\n`,
    phrase.replaceAll(' ', '\t\r\n  '),
    phrase.replaceAll(' ', '\u3000'),
    wide,
  ]
  const expected = await accountSeeds(native, phrase)
  for (const variant of variants) {
    assert.equal(phraseIsValid(variant), true)
    assert.deepEqual(await accountSeeds(native, variant), expected)
  }
})

test('a bad phrase is refused with the check that failed and never with a word of it', async () => {
  const words = (tests[5]?.phrase ?? '').split(' ')
  const bad: readonly [readonly string[], RegExp][] = [
    [[], /has 24 words, not 0/],
    [words.slice(1), /has 24 words, not 23/],
    [[...words, 'absent'], /has 24 words, not 25/],
    [words.with(6, 'sotto'), /^word 7 of the recovery phrase is not in/],
    [words.with(0, words[1] ?? ''), /checksum/],
    [words.toReversed(), /checksum/],
  ]
  for (const [attempt, message] of bad) {
    const phrase = attempt.join(' ')
    assert.equal(phraseIsValid(phrase), false)
    await assert.rejects(accountSeeds(native, phrase), (error: Error) => {
      assert.equal(error.name, 'UsageError')
      assert.match(error.message, message)
      return !error.message.includes('sotto') && !words.some((word) => error.message.includes(word))
    })
  }
})
