/** Known answers of the key schedule, from a second implementation (session-reference.ts) and not from the product. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ml_kem1024 as kem1024, ml_kem768 as kem768 } from '@noble/post-quantum/ml-kem.js'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import type { CryptoProvider } from '../../../src/crypto/provider.ts'
import { concat, toHex } from '../../../src/lib/bytes.ts'
import { accept, decryptSession, encryptSession, initiate } from '../../../src/protocol/session.ts'
import type { LocalDevice, SessionContext } from '../../../src/protocol/pqxdh.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import type { SessionState } from '../../../src/wire/session-state.ts'
import { cardParts, derived, inputs, referenceRun } from './session-reference.ts'

const path = join(import.meta.dirname, '../../vectors/session.json')
const vectors = JSON.parse(readFileSync(path, 'utf8')) as {
  lastResort: Record<string, string>
  oneTime: Record<string, string>
}

/** The card that the reference writes by hand, as the product's structure. */
function cardOf(crypto: CryptoProvider, who: 'a' | 'b'): PrekeyCard {
  const part = cardParts(who)
  const signature = (name: string): PrekeyCard['signature'] => ({
    ed25519: derived(`${name} ed ${who}`, 64),
    mldsa65: derived(`${name} ml ${who}`, 3_309),
  })
  const dates = { issuedAt: 100, expiresAt: 200 }
  const identityKey = crypto.x25519PublicKey(inputs.identity[who])
  return {
    body: {
      version: 1,
      suite: 1,
      account: { ed25519: part.accountEd, mldsa65: part.accountMl },
      certificate: {
        body: {
          version: 1,
          suite: 1,
          accountId: part.accountId,
          deviceId: part.deviceId,
          signingKey: { ed25519: part.deviceEd, mldsa65: part.deviceMl },
          identityKey,
          ...dates,
        },
        signature: signature('certificate'),
      },
      number: 1,
      ...dates,
      signedPrekey: { id: 11, key: crypto.x25519PublicKey(inputs.signedPrekey[who]) },
      kemPrekey: { id: 12, key: crypto.kemPublicKey(1024, inputs.kemPrekey[who]) },
      pool: { root: new Uint8Array(32), count: 0 },
      intro: [],
      stampBits: 9,
    },
    signature: signature('card'),
  }
}

const deviceOf = (crypto: CryptoProvider, who: 'a' | 'b'): LocalDevice => ({
  prekeyCard: cardOf(crypto, who),
  identitySecret: inputs.identity[who],
  kemPrekeySeed: inputs.kemPrekey[who],
})

/** The generator hands out these draws in this order; KEM coins come in the order of the encapsulations. */
function scripted(base: CryptoProvider, draws: readonly Uint8Array[], coins: readonly Uint8Array[]): SessionContext {
  const [left, leftCoins] = [[...draws], [...coins]]
  const crypto: CryptoProvider = {
    ...base,
    kemEncapsulate(set, key) {
      const made = (set === 768 ? kem768 : kem1024).encapsulate(key, leftCoins.shift())
      return { ciphertext: made.cipherText, secret: made.sharedSecret }
    },
  }
  const bytes = (length: number): Uint8Array => {
    const draw = left.shift()
    assert.equal(draw?.length, length)
    return draw.slice()
  }
  return { crypto, rng: { bytes }, now: 1 }
}

/** The product's run of the same three messages. */
function productRun(base: CryptoProvider, oneTime: boolean): Record<string, string> {
  const [rA0, rB0, rA1] = inputs.ratchet
  const [n0, n1, n2] = inputs.nonce
  const { coins, kemSeed, text } = inputs
  const ctxA = scripted(base, [inputs.ephemeral, rA0, kemSeed[0], n0, rA1, kemSeed[1], n2], [coins.initial])
  const ctxB = scripted(base, [rB0, n1], [coins.answer, coins.confirmation])
  const [a, b] = [deviceOf(base, 'a'), deviceOf(base, 'b')]
  const key = base.x25519PublicKey(inputs.oneTime.secret)
  const pair = oneTime ? { id: 21, key, kem: base.kemPublicKey(1024, inputs.oneTime.kem) } : undefined
  const secrets = {
    signedPrekey: inputs.signedPrekey.b,
    kemPrekeySeed: inputs.kemPrekey.b,
    oneTime: oneTime ? { secret: inputs.oneTime.secret, kemSeed: inputs.oneTime.kem } : undefined,
  }
  const begun = initiate(ctxA, a, { card: b.prekeyCard, oneTime: pair }, () => true).state
  const first = encryptSession(ctxA, begun, text[0])
  const accepted = accept(ctxB, b, secrets, first.envelope, () => true)
  const answer = encryptSession(ctxB, accepted.state, text[1])
  const answered = decryptSession(ctxA, first.state, answer.envelope)
  const second = encryptSession(ctxA, answered.state, text[2])
  const read = decryptSession(ctxB, answer.state, second.envelope)
  assert.deepEqual([accepted.plaintext, answered.plaintext, read.plaintext], text)
  const hash = (bytes: Uint8Array): string => toHex(base.sha256(bytes))
  const root = (state: SessionState): string => toHex(state.keys?.root ?? new Uint8Array())
  const chain = (state: SessionState): string => toHex(state.keys?.sending?.chainKey ?? new Uint8Array())
  const header = (keys: { key: Uint8Array; tagKey: Uint8Array } | undefined): string =>
    keys === undefined ? '' : toHex(concat(keys.key, keys.tagKey))
  return {
    sessionId: toHex(begun.id),
    prefixHash: toHex(begun.initial.hash),
    replayId: toHex(accepted.replayId),
    root1: root(first.state),
    root2: root(answer.state),
    root3: root(read.state),
    headerA1: header(second.state.keys?.sending?.header),
    headerB1: header(answer.state.keys?.nextSending),
    chainA0: chain(first.state),
    chainB0: chain(answer.state),
    chainA1: chain(second.state),
    envelope0: hash(first.envelope),
    envelope1: hash(answer.envelope),
    envelope2: hash(second.envelope),
  }
}

test('E2-01 E2-02 the reference implementation gives the recorded answers', () => {
  assert.deepEqual(referenceRun(false), vectors.lastResort)
  assert.deepEqual(referenceRun(true), vectors.oneTime)
})

for (const provider of [nativeProvider, nobleProvider]) {
  test(`E2-01 E2-02 E2-07 E2-11 E2-12 E2-13 F2 the product gives them too (${provider.name})`, () => {
    assert.deepEqual(productRun(provider, false), vectors.lastResort)
    assert.deepEqual(productRun(provider, true), vectors.oneTime)
  })
}

/** Providers that compute something else: each has to miss the vectors. */
const MUTATIONS: Readonly<Record<string, Partial<CryptoProvider>>> = {
  'E2-11 F5 a plain hash for HMAC': { hmacSha256: (key, data) => nativeProvider.sha256(key, data) },
  'E2-02 another info': {
    hkdfSha512: (ikm, salt, info, length) =>
      nativeProvider.hkdfSha512(
        ikm,
        salt,
        info.map((byte) => byte ^ 1),
        length,
      ),
  },
  'E2-02 no F prefix': {
    hkdfSha512: (ikm, salt, info, length) => nativeProvider.hkdfSha512(ikm.subarray(32), salt, info, length),
  },
  'E2-01 no transcript': {
    hkdfSha512: (ikm, _salt, info, length) => nativeProvider.hkdfSha512(ikm, new Uint8Array(64), info, length),
  },
  'E2-12 no root in the ratchet': {
    hkdfSha256: (ikm, salt, info, length) =>
      nativeProvider.hkdfSha256(ikm, salt.length === 32 ? new Uint8Array(32) : salt, info, length),
  },
  'E2-13 no nonce in the message key': {
    hkdfSha256: (ikm, salt, info, length) =>
      nativeProvider.hkdfSha256(ikm, salt.length === 12 ? new Uint8Array(12) : salt, info, length),
  },
}

for (const [name, mutation] of Object.entries(MUTATIONS)) {
  test(`${name} misses the vectors`, () => {
    const answers = productRun({ ...nativeProvider, ...mutation }, true)
    assert.notDeepEqual(answers, vectors.oneTime)
    assert.notEqual(answers['envelope0'], vectors.oneTime['envelope0'])
  })
}
