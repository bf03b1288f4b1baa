/**
 * A second implementation of the session's key schedule, written from src/protocol/README.md in one straight line and
 * with noble alone: it imports nothing of the product's. It computes the known answers of test/vectors/session.json
 * (first message of A, first answer of B, second chain of A).
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { ml_kem1024 as kem1024, ml_kem768 as kem768 } from '@noble/post-quantum/ml-kem.js'

type Bytes = Uint8Array
const ascii = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'ascii'))
const join = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts))
const be32 = (value: number): Bytes => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
const hex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex')
const F = new Uint8Array(32).fill(0xff)

/** `length` bytes that follow from a name: the inputs of the vectors. */
export function derived(name: string, length: number): Bytes {
  const blocks: Bytes[] = []
  for (let i = 0; i * 32 < length; i++) blocks.push(sha256(join(ascii(`sotto vector ${name}`), be32(i))))
  return join(...blocks).slice(0, length)
}

/** The secrets and random draws of a run, by name; both implementations take them from here. */
export const inputs = {
  identity: { a: derived('identity a', 32), b: derived('identity b', 32) },
  signedPrekey: { a: derived('spk a', 32), b: derived('spk b', 32) },
  kemPrekey: { a: derived('kem a', 64), b: derived('kem b', 64) },
  oneTime: { secret: derived('opk', 32), kem: derived('opk kem', 64) },
  ephemeral: derived('ephemeral', 32),
  coins: { initial: derived('coins 1', 32), answer: derived('coins 2', 32), confirmation: derived('coins 3', 32) },
  ratchet: [derived('ratchet 0', 32), derived('ratchet 1', 32), derived('ratchet 2', 32)],
  kemSeed: [derived('ek 0', 64), derived('ek 2', 64)],
  nonce: [derived('nonce 0', 12), derived('nonce 1', 12), derived('nonce 2', 12)],
  text: [ascii('first'), ascii('answer'), ascii('second chain')],
} as const

/** Everything of a card that is not a session's business, of the right length. */
export function cardParts(
  who: 'a' | 'b',
): Record<'accountEd' | 'accountMl' | 'accountId' | 'deviceId' | 'deviceEd' | 'deviceMl', Bytes> {
  return {
    accountEd: derived(`account ed ${who}`, 32),
    accountMl: derived(`account ml ${who}`, 1_952),
    accountId: derived(`account id ${who}`, 32),
    deviceId: derived(`device id ${who}`, 16),
    deviceEd: derived(`device ed ${who}`, 32),
    deviceMl: derived(`device ml ${who}`, 1_952),
  }
}

function card(who: 'a' | 'b'): Bytes {
  const part = cardParts(who)
  const sig = (name: string): Bytes => join(derived(`${name} ed ${who}`, 64), derived(`${name} ml ${who}`, 3_309))
  const dates = join(be32(100), be32(200))
  const certificate = join(
    Uint8Array.of(1, 1), part.accountId, part.deviceId, part.deviceEd, part.deviceMl,
    x25519.getPublicKey(inputs.identity[who]), dates, sig('certificate'),
  ) // prettier-ignore
  const body = join(
    Uint8Array.of(1, 1), part.accountEd, part.accountMl, certificate, be32(1), dates,
    be32(11), x25519.getPublicKey(inputs.signedPrekey[who]),
    be32(12), kem1024.keygen(inputs.kemPrekey[who]).publicKey,
    new Uint8Array(32), Uint8Array.of(0, 0), Uint8Array.of(0), Uint8Array.of(9),
  ) // prettier-ignore
  return join(body, sig('card'))
}

const padTo = (bytes: Bytes, size: number): Bytes => {
  const out = new Uint8Array(size)
  out.set(bytes)
  out[bytes.length] = 0x80
  return out
}
const seal = (key: Bytes, nonce: Bytes, aad: Bytes, text: Bytes): Bytes =>
  chacha20poly1305(key, nonce, aad).encrypt(text)

/** One run, with a one-time pair or without: hex of every arrow of the key schedule. */
export function referenceRun(oneTime: boolean): Record<string, string> {
  const [a, b] = [cardParts('a'), cardParts('b')]
  const [cardA, cardB] = [card('a'), card('b')]
  const pub = x25519.getPublicKey
  const [ika, ikb, spkb] = [pub(inputs.identity.a), pub(inputs.identity.b), pub(inputs.signedPrekey.b)]
  const eka = pub(inputs.ephemeral)
  const opk = oneTime ? pub(inputs.oneTime.secret) : new Uint8Array(32)
  const kemKey = kem1024.keygen(oneTime ? inputs.oneTime.kem : inputs.kemPrekey.b).publicKey
  const { cipherText: ct, sharedSecret: ss } = kem1024.encapsulate(kemKey, inputs.coins.initial)
  const dh1 = x25519.getSharedSecret(inputs.identity.a, spkb)
  const dh2 = x25519.getSharedSecret(inputs.ephemeral, ikb)
  const dh3 = x25519.getSharedSecret(inputs.ephemeral, spkb)
  const dh4 = oneTime ? x25519.getSharedSecret(inputs.ephemeral, opk) : new Uint8Array()
  const ids = join(
    Uint8Array.of(1),
    be32(11),
    be32(12),
    Uint8Array.of(oneTime ? 1 : 0),
    be32(oneTime ? 21 : 0),
    sha256(cardB),
  )
  const idsKey = hkdf(sha256, dh2, join(eka, ikb), ascii('sotto session v1 prekeys'), 44)
  const sealedIds = seal(idsKey.slice(0, 32), idsKey.slice(32), eka, ids)
  const head = join(eka, sealedIds, ct)
  const senderSalt = sha512(join(spkb, opk, kemKey, head))
  const senderKey = hkdf(sha512, join(F, dh3, dh4, ss), senderSalt, ascii('sotto session v1 sender'), 44)
  const prefix = join(head, seal(senderKey.slice(0, 32), senderKey.slice(32), head, padTo(cardA, 12_752)))
  const device = (part: typeof a, ik: Bytes): Bytes =>
    sha256(
      join(
        ascii('sotto session v1 device'),
        Uint8Array.of(1),
        part.accountId,
        part.deviceId,
        part.deviceEd,
        part.deviceMl,
        ik,
      ),
    )
  const transcript = join(
    Uint8Array.of(1), a.accountId, b.accountId, device(a, ika), device(b, ikb), sha256(cardA), ids, spkb, opk, kemKey, ct, eka,
  ) // prettier-ignore
  const secretSalt = sha512(join(ascii('sotto session v1 transcript'), transcript))
  const secret = hkdf(sha512, join(F, dh1, dh2, dh3, dh4, ss), secretSalt, ascii('sotto session v1 secret'), 160)
  const [root0, sessionId, headerA0, headerB0] = [
    secret.slice(0, 32),
    secret.slice(32, 64),
    secret.slice(64, 112),
    secret.slice(112),
  ]

  const turn = (root: Bytes, secrets: Bytes, opening: Bytes): Bytes[] => {
    const ikm = join(secrets, sha256(join(ascii('sotto session v1 turn'), opening)))
    const out = hkdf(sha256, ikm, root, ascii('sotto session v1 ratchet'), 112)
    return [out.slice(0, 32), out.slice(32, 64), out.slice(64)]
  }
  const envelope = (
    i: number,
    from: 'a' | 'b',
    pre: Bytes,
    header: Bytes,
    tagAt: number,
    chain: Bytes,
    open: Bytes,
  ): Bytes => {
    const [nonce, text] = [inputs.nonce[i] ?? F, inputs.text[i] ?? F]
    const tag = hmac(sha256, header.slice(32), nonce).slice(tagAt, tagAt + 8)
    const top = join(
      nonce,
      tag,
      seal(header.slice(0, 32), nonce, sessionId, join(be32(0), be32(i === 2 ? 1 : 0), open)),
    )
    const messageKey = hmac(sha256, chain, Uint8Array.of(1))
    const body = hkdf(sha256, messageKey, nonce, ascii('sotto session v1 message'), 60)
    const [sender, recipient] = from === 'a' ? [a.deviceId, b.deviceId] : [b.deviceId, a.deviceId]
    const aad = join(sessionId, sender, recipient, pre.length > 0 ? sha256(pre) : pre, top)
    const size = [2_048, 4_096, 16_384].find((n) => n > pre.length + top.length + 32 + text.length) ?? 0
    const padded = padTo(text, size - pre.length - top.length - 32)
    return join(pre, top, body.slice(44), seal(body.slice(0, 32), body.slice(32, 44), aad, padded))
  }

  const [rA0, rB0, rA1] = inputs.ratchet
  const ek0 = kem768.keygen(inputs.kemSeed[0]).publicKey
  const open0 = join(pub(rA0), ek0)
  const [root1, chainA0, headerA1] = turn(root0, x25519.getSharedSecret(rA0, spkb), open0) as [Bytes, Bytes, Bytes]
  const envelope0 = envelope(0, 'a', prefix, headerA0, 8, chainA0, open0)

  const answer = kem768.encapsulate(ek0, inputs.coins.answer)
  const confirm = kem1024.encapsulate(kem1024.keygen(inputs.kemPrekey.a).publicKey, inputs.coins.confirmation)
  const open1 = join(pub(rB0), answer.cipherText, confirm.cipherText)
  const secrets1 = join(x25519.getSharedSecret(rB0, pub(rA0)), answer.sharedSecret, confirm.sharedSecret)
  const [root2, chainB0, headerB1] = turn(root1, secrets1, open1) as [Bytes, Bytes, Bytes]
  const envelope1 = envelope(1, 'b', new Uint8Array(), headerB0, 24, chainB0, open1)

  const open2 = join(pub(rA1), kem768.keygen(inputs.kemSeed[1]).publicKey)
  const [root3, chainA1] = turn(root2, x25519.getSharedSecret(rA1, pub(rB0)), open2) as [Bytes, Bytes, Bytes]
  const envelope2 = envelope(2, 'a', new Uint8Array(), headerA1, 8, chainA1, open2)

  const next = (chain: Bytes): Bytes => hmac(sha256, chain, Uint8Array.of(2))
  return {
    sessionId: hex(sessionId),
    prefixHash: hex(sha256(prefix)),
    replayId: hex(sha256(join(ascii('sotto session v1 initial'), eka, ct))),
    root1: hex(root1),
    root2: hex(root2),
    root3: hex(root3),
    headerA1: hex(headerA1),
    headerB1: hex(headerB1),
    chainA0: hex(next(chainA0)),
    chainB0: hex(next(chainB0)),
    chainA1: hex(next(chainA1)),
    envelope0: hex(sha256(envelope0)),
    envelope1: hex(sha256(envelope1)),
    envelope2: hex(sha256(envelope2)),
  }
}
