/** Sotto's side of the session bench: the book of sessions as the daemon uses it. */
import { hybridPublicKeys } from '../../src/crypto/hybrid.ts'
import { nativeProvider as crypto } from '../../src/crypto/native.ts'
import { wipe } from '../../src/lib/bytes.ts'
import { systemRng as rng } from '../../src/lib/rng.ts'
import { accountId } from '../../src/protocol/account-id.ts'
import { signDeviceCertificate, signPrekeyCard, verifyPrekeyCard } from '../../src/protocol/card-rules.ts'
import type { LocalDevice, PrekeySecrets, SessionContext } from '../../src/protocol/pqxdh.ts'
import { accept, initiate } from '../../src/protocol/session.ts'
import { bookAcknowledge, bookAdd, bookDecrypt, bookEncrypt, newBook } from '../../src/protocol/session-book.ts'
import type { BookRef } from '../../src/protocol/session-book.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import type { PrekeyCard } from '../../src/wire/prekeys.ts'
import { sessionBookCodec } from '../../src/wire/session-state.ts'
import type { Party, SessionBook } from '../../src/wire/session-state.ts'
import type { Keeping, Meeting, Sessions, Talker } from './session-sides.ts'

const DAY_S = 86_400
const ctx = (): SessionContext => ({ crypto, rng, now: Date.now() })
const nowS = (): number => Math.floor(Date.now() / 1_000)
const verify = (card: PrekeyCard): boolean => verifyPrekeyCard(crypto, card, nowS())

interface Keys {
  readonly device: LocalDevice
  readonly party: Party
  readonly secrets: PrekeySecrets
}

async function newKeys(): Promise<Keys> {
  const hybrid = () => ({ ed25519: rng.bytes(32), mldsa65: rng.bytes(32) })
  const [account, signing] = [hybrid(), hybrid()]
  const [identitySecret, signedPrekey, kemPrekeySeed] = [rng.bytes(32), rng.bytes(32), rng.bytes(64)]
  const accountKey = hybridPublicKeys(crypto, account)
  const party = { accountId: accountId(crypto, accountKey), deviceId: rng.bytes(16) }
  const common = { version: 1, suite: 1, issuedAt: nowS() - 60, expiresAt: nowS() + 7 * DAY_S } as const
  const signingKey = hybridPublicKeys(crypto, signing)
  const identityKey = crypto.x25519PublicKey(identitySecret)
  const certificate = await signDeviceCertificate(crypto, account, { ...common, ...party, signingKey, identityKey })
  const prekeyCard = await signPrekeyCard(crypto, signing, {
    ...common,
    account: accountKey,
    certificate,
    number: 1,
    signedPrekey: { id: 1, key: crypto.x25519PublicKey(signedPrekey) },
    kemPrekey: { id: 1, key: crypto.kemPublicKey(1024, kemPrekeySeed) },
    pool: { root: new Uint8Array(32), count: 0 },
    intro: [{ epoch: 1, address: rng.bytes(32) }],
    stampBits: 10,
  })
  const device = { prekeyCard, identitySecret, kemPrekeySeed }
  // Copies, as they come from the disk: the provider remembers imported keys by the array that they are in.
  return { device, party, secrets: { signedPrekey: signedPrekey.slice(), kemPrekeySeed: kemPrekeySeed.slice() } }
}

class Device implements Talker {
  readonly keys: Keys
  stateBytes = 0
  readonly #keeping: Keeping
  #kept: SessionBook | Uint8Array | undefined
  #sent: BookRef | undefined

  constructor(keys: Keys, keeping: Keeping) {
    this.keys = keys
    this.#keeping = keeping
  }

  begin(peer: Keys): void {
    const { state } = initiate(ctx(), this.keys.device, { card: peer.device.prekeyCard }, ({ card }) => verify(card))
    this.#keep(bookAdd(newBook(peer.party), state).book)
  }

  accept(peer: Party, first: Uint8Array): void {
    const accepted = accept(ctx(), this.keys.device, this.keys.secrets, first, verify)
    this.#keep(bookAdd(newBook(peer), accepted.state).book)
    wipe(...accepted.consumed)
  }

  async seal(plaintext: Uint8Array): Promise<Uint8Array> {
    const { book, envelope, ref, consumed } = bookEncrypt(ctx(), this.#load(), plaintext)
    this.#keep(book)
    wipe(...consumed)
    this.#sent = ref
    return envelope
  }

  async open(sealed: Uint8Array): Promise<Uint8Array> {
    const { book, plaintext, consumed } = bookDecrypt(ctx(), this.#load(), sealed)
    this.#keep(book)
    wipe(...consumed)
    return plaintext
  }

  /** The peer's acknowledgement of our last message has come. */
  acknowledged(): void {
    if (this.#sent !== undefined) this.#keep(bookAcknowledge(this.#load(), this.#sent))
  }

  #load(): SessionBook {
    if (this.#kept === undefined) throw new Error('there is no session yet')
    return this.#kept instanceof Uint8Array ? decode(sessionBookCodec, this.#kept) : this.#kept
  }

  #keep(book: SessionBook): void {
    const bytes = this.#keeping === 'memory' ? undefined : encode(sessionBookCodec, book)
    this.stateBytes = bytes?.length ?? 0
    this.#kept = this.#keeping === 'reread' ? bytes : book
  }
}

async function meeting(keeping: Keeping): Promise<Meeting & { readonly a: Device; readonly b: Device }> {
  const [a, b] = await Promise.all([newKeys(), newKeys()])
  const [left, right] = [new Device(a, keeping), new Device(b, keeping)]
  return {
    a: left,
    b: right,
    begin: async (plaintext) => {
      left.begin(b)
      return left.seal(plaintext)
    },
    accept: async (first) => {
      right.accept(a.party, first)
    },
  }
}

export const sotto = { meeting } satisfies Sessions
