/** Devices with real keys and signed cards, and two sides that talk: for the tests of the session. */
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { hybridPublicKeys } from '../../../src/crypto/hybrid.ts'
import type { HybridSeeds } from '../../../src/crypto/hybrid.ts'
import { fromUtf8, utf8, wipe } from '../../../src/lib/bytes.ts'
import { DecryptError } from '../../../src/lib/errors.ts'
import type { DecryptReason } from '../../../src/lib/errors.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { accountId } from '../../../src/protocol/account-id.ts'
import { signDeviceCertificate, signPrekeyCard, verifyPrekeyCard } from '../../../src/protocol/card-rules.ts'
import { newOneTimePrekey } from '../../../src/protocol/prekey-rules.ts'
import type { LocalDevice, PrekeySecrets, SessionContext } from '../../../src/protocol/pqxdh.ts'
import { accept, decryptSession, encryptSession, initiate } from '../../../src/protocol/session.ts'
import type { Decrypted, Encrypted } from '../../../src/protocol/session.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import type { OneTimePrekey, PrekeyCard } from '../../../src/wire/prekeys.ts'
import { sessionStateCodec } from '../../../src/wire/session-state.ts'
import type { SessionState } from '../../../src/wire/session-state.ts'

export const NOW = 1_800_000_000_000
const NOW_S = NOW / 1_000

/** The context of a test: native primitives, randomness from `seed`, a time that stands still. */
export function contextOf(seed: number, changes: Partial<SessionContext> = {}): SessionContext {
  return { crypto, rng: seededRng(seed), now: NOW, ...changes }
}

export interface TestDevice {
  readonly device: LocalDevice
  /** Behind the card's own prekeys. */
  readonly secrets: PrekeySecrets
  /** Behind the card's own prekeys and one one-time pair. */
  readonly secretsWithOneTime: PrekeySecrets
  readonly oneTime: OneTimePrekey
  readonly signing: HybridSeeds
  readonly account: HybridSeeds
}

export async function makeDevice(seed: number): Promise<TestDevice> {
  const rng = seededRng(seed)
  const hybrid = (): HybridSeeds => ({ ed25519: rng.bytes(32), mldsa65: rng.bytes(32) })
  const [account, signing] = [hybrid(), hybrid()]
  const [identitySecret, signedPrekey, kemPrekeySeed] = [rng.bytes(32), rng.bytes(32), rng.bytes(64)]
  const pair = newOneTimePrekey(crypto, rng, 77)
  if (pair === undefined) throw new Error('no pair')
  const accountKey = hybridPublicKeys(crypto, account)
  const dates = { issuedAt: NOW_S - 60, expiresAt: NOW_S + 7 * 86_400 }
  const certificate = await signDeviceCertificate(crypto, account, {
    version: 1,
    suite: 1,
    accountId: accountId(crypto, accountKey),
    deviceId: rng.bytes(16),
    signingKey: hybridPublicKeys(crypto, signing),
    identityKey: crypto.x25519PublicKey(identitySecret),
    ...dates,
  })
  const prekeyCard = await signPrekeyCard(crypto, signing, {
    version: 1,
    suite: 1,
    account: accountKey,
    certificate,
    number: 3,
    ...dates,
    signedPrekey: { id: 5, key: crypto.x25519PublicKey(signedPrekey) },
    kemPrekey: { id: 6, key: crypto.kemPublicKey(1024, kemPrekeySeed) },
    pool: { root: new Uint8Array(32).fill(1), count: 1 },
    intro: [{ epoch: 1, address: rng.bytes(32) }],
    stampBits: 10,
  })
  const secrets = { signedPrekey, kemPrekeySeed }
  return {
    device: { prekeyCard, identitySecret, kemPrekeySeed },
    secrets,
    secretsWithOneTime: { ...secrets, oneTime: { secret: pair.secret, kemSeed: pair.kemSeed } },
    oneTime: { id: pair.id, key: pair.key, kem: pair.kem },
    signing,
    account,
  }
}

export const verifyCard = (card: PrekeyCard): boolean => verifyPrekeyCard(crypto, card, NOW_S)
export const verifyBundle = ({ card }: { card: PrekeyCard }): boolean => verifyCard(card)

export const [alice, bob, carol] = await Promise.all([makeDevice(1), makeDevice(2), makeDevice(3)])

export const reload = (state: SessionState): SessionState => decode(sessionStateCodec, encode(sessionStateCodec, state))
export const bytesOf = (state: SessionState): Uint8Array => encode(sessionStateCodec, state)

/** One end of a session, with the calls in the order that the callers are told to keep. */
export class Side {
  state: SessionState
  ctx: SessionContext

  constructor(state: SessionState, ctx: SessionContext) {
    this.state = state
    this.ctx = ctx
  }

  seal(text: string): Encrypted {
    const result = encryptSession(this.ctx, this.state, utf8(text))
    this.#commit(result)
    return result
  }

  send(text: string): Uint8Array {
    return this.seal(text).envelope
  }

  open(envelope: Uint8Array): Decrypted {
    const result = decryptSession(this.ctx, this.state, envelope)
    this.#commit(result)
    return result
  }

  receive(envelope: Uint8Array): string {
    return textOf(this.open(envelope).plaintext)
  }

  /** The old state is wiped as far as the result allows: what breaks by that was shared and should not have been. */
  #commit({ state, consumed }: { state: SessionState; consumed: readonly Uint8Array[] }): void {
    wipe(...consumed)
    this.state = state
  }
}

export function textOf(bytes: Uint8Array): string {
  return fromUtf8(bytes) ?? ''
}

export interface Pair {
  readonly a: Side
  readonly b: Side
}

/** Alice has begun and Bob has read "hello"; nothing has come back. */
export function introduced(
  seed = 1,
  a: SessionContext = contextOf(seed),
  b: SessionContext = contextOf(seed + 1),
): Pair {
  const { state } = initiate(a, alice.device, { card: bob.device.prekeyCard }, () => true)
  const left = new Side(state, a)
  const accepted = accept(b, bob.device, bob.secrets, left.send('hello'), () => true)
  wipe(...accepted.consumed)
  return { a: left, b: new Side(accepted.state, b) }
}

/** Both have read something of the other, and have proved themselves. */
export function established(seed = 1, a?: SessionContext, b?: SessionContext): Pair {
  const pair = introduced(seed, a, b)
  pair.a.receive(pair.b.send('welcome'))
  pair.b.receive(pair.a.send('thanks'))
  return pair
}

/** Why a decryption failed; `undefined` where it did not. */
export function reasonOf(attempt: () => unknown): DecryptReason | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    if (error instanceof DecryptError) return error.reason
    throw error
  }
}

/** The same bytes with bits of one of them flipped. */
export function flipped(bytes: Uint8Array, at: number, mask = 0x01): Uint8Array {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ mask
  return copy
}

/** A deterministic shuffle. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const rng = seededRng(seed)
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = (new DataView(rng.bytes(4).buffer).getUint32(0) % (i + 1)) | 0
    const [x, y] = [out[i], out[j]]
    if (x !== undefined && y !== undefined) [out[i], out[j]] = [y, x]
  }
  return out
}

/** Whether `needle` occurs anywhere in `haystack`. */
export function contains(haystack: Uint8Array, needle: Uint8Array): boolean {
  return Buffer.from(haystack.buffer, haystack.byteOffset, haystack.byteLength).includes(Buffer.from(needle))
}
