/** The peer of the session bench: libsignal's PQXDH and triple ratchet, over stores in memory. */
import { randomUUID } from 'node:crypto'
import * as Signal from '@signalapp/libsignal-client'
import type { Keeping, Meeting, Sessions, Talker } from './session-sides.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Session records as an application keeps them. */
class Records extends Signal.SessionStore {
  readonly #keeping: Keeping
  readonly #kept = new Map<string, Signal.SessionRecord | Bytes>()
  /** As last written. */
  bytes: Bytes = new Uint8Array()

  constructor(keeping: Keeping) {
    super()
    this.#keeping = keeping
  }

  async saveSession(name: Signal.ProtocolAddress, record: Signal.SessionRecord): Promise<void> {
    if (this.#keeping !== 'memory') this.bytes = record.serialize()
    this.#kept.set(name.toString(), this.#keeping === 'reread' ? this.bytes : record)
  }

  async getSession(name: Signal.ProtocolAddress): Promise<Signal.SessionRecord | null> {
    const kept = this.#kept.get(name.toString())
    if (kept === undefined) return null
    return kept instanceof Uint8Array ? Signal.SessionRecord.deserialize(kept) : kept
  }

  async getExistingSessions(names: Signal.ProtocolAddress[]): Promise<Signal.SessionRecord[]> {
    const all = await Promise.all(names.map(async (name) => this.getSession(name)))
    return all.filter((record) => record !== null)
  }
}

class Identity extends Signal.IdentityKeyStore {
  readonly #key: Signal.PrivateKey
  readonly #peers = new Map<string, Signal.PublicKey>()

  constructor(key: Signal.PrivateKey) {
    super()
    this.#key = key
  }
  async getIdentityKey(): Promise<Signal.PrivateKey> {
    return this.#key
  }
  async getLocalRegistrationId(): Promise<number> {
    return 1
  }
  async saveIdentity(name: Signal.ProtocolAddress, key: Signal.PublicKey): Promise<Signal.IdentityChange> {
    this.#peers.set(name.toString(), key)
    return Signal.IdentityChange.NewOrUnchanged
  }
  async isTrustedIdentity(): Promise<boolean> {
    return true
  }
  async getIdentity(name: Signal.ProtocolAddress): Promise<Signal.PublicKey | null> {
    return this.#peers.get(name.toString()) ?? null
  }
}

/** One prekey of each kind that is used over and over, as the last resort is. */
class Prekeys {
  readonly bundle: Signal.PreKeyBundle
  readonly #signed: Bytes
  readonly #kem: Bytes

  constructor(identity: Signal.PrivateKey) {
    const signed = Signal.PrivateKey.generate()
    const kem = Signal.KEMKeyPair.generate()
    const signedBy = identity.sign(signed.getPublicKey().serialize())
    const kemBy = identity.sign(kem.getPublicKey().serialize())
    this.#signed = Signal.SignedPreKeyRecord.new(1, 1, signed.getPublicKey(), signed, signedBy).serialize()
    this.#kem = Signal.KyberPreKeyRecord.new(1, 1, kem, kemBy).serialize()
    const [own, no] = [identity.getPublicKey(), null]
    const [key, kemKey] = [signed.getPublicKey(), kem.getPublicKey()]
    this.bundle = Signal.PreKeyBundle.new(1, 1, no, no, 1, key, signedBy, own, 1, kemKey, kemBy)
  }

  stores(): [Signal.PreKeyStore, Signal.SignedPreKeyStore, Signal.KyberPreKeyStore] {
    const [signed, kem] = [this.#signed, this.#kem]
    const none = async (): Promise<never> => Promise.reject(new Error('there are no one-time prekeys here'))
    return [
      { savePreKey: none, getPreKey: none, removePreKey: none },
      { saveSignedPreKey: none, getSignedPreKey: async () => Signal.SignedPreKeyRecord.deserialize(signed) },
      {
        saveKyberPreKey: none,
        getKyberPreKey: async () => Signal.KyberPreKeyRecord.deserialize(kem),
        markKyberPreKeyUsed: async () => {},
      },
    ]
  }
}

class Device implements Talker {
  readonly address = Signal.ProtocolAddress.new(randomUUID(), 1)
  readonly prekeys: Prekeys
  readonly #key: Signal.PrivateKey
  readonly #identity: Identity
  readonly #records: Records
  #peer: Signal.ProtocolAddress | undefined

  constructor(keeping: Keeping) {
    this.#key = Signal.PrivateKey.generate()
    this.prekeys = new Prekeys(this.#key)
    this.#identity = new Identity(this.#key)
    this.#records = new Records(keeping)
  }

  get stateBytes(): number {
    return this.#records.bytes.length
  }

  /** All that another process needs to go on with the session. */
  handOver(): HandedOver {
    const [own, peer] = [this.address.name(), this.#other().name()]
    return { own, peer, key: hex(this.#key.serialize()), session: hex(this.#records.bytes) }
  }

  async begin(peer: Device): Promise<void> {
    this.meet(peer)
    const [records, identity] = [this.#records, this.#identity]
    await Signal.processPreKeyBundle(peer.prekeys.bundle, peer.address, this.address, records, identity)
  }

  meet(peer: Device): void {
    this.#peer = peer.address
  }

  async seal(plaintext: Bytes): Promise<Uint8Array> {
    const sealed = await Signal.signalEncrypt(plaintext, this.#other(), this.address, this.#records, this.#identity)
    return sealed.serialize()
  }

  async accept(first: Uint8Array): Promise<void> {
    const message = Signal.PreKeySignalMessage.deserialize(first as Bytes)
    const [records, identity] = [this.#records, this.#identity]
    const stores = this.prekeys.stores()
    await Signal.signalDecryptPreKey(message, this.#other(), this.address, records, identity, ...stores)
  }

  async open(sealed: Uint8Array): Promise<Uint8Array> {
    const message = Signal.SignalMessage.deserialize(sealed as Bytes)
    return Signal.signalDecrypt(message, this.#other(), this.address, this.#records, this.#identity)
  }

  #other(): Signal.ProtocolAddress {
    if (this.#peer === undefined) throw new Error('there is no peer yet')
    return this.#peer
  }
}

/** A device's end of a session, as text. Throw-away keys: this is a bench. */
export interface HandedOver {
  readonly own: string
  readonly peer: string
  readonly key: string
  readonly session: string
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'hex'))

/** The end of a session that {@link Device.handOver} gave away: the session in memory, its bytes after each message. */
export class Line {
  readonly #own: Signal.ProtocolAddress
  readonly #peer: Signal.ProtocolAddress
  readonly #records = new Records('written')
  readonly #identity: Identity

  constructor({ own, peer, key, session }: HandedOver) {
    this.#own = Signal.ProtocolAddress.new(own, 1)
    this.#peer = Signal.ProtocolAddress.new(peer, 1)
    this.#identity = new Identity(Signal.PrivateKey.deserialize(unhex(key)))
    void this.#records.saveSession(this.#peer, Signal.SessionRecord.deserialize(unhex(session)))
  }

  get session(): Uint8Array {
    return this.#records.bytes
  }

  async seal(plaintext: Uint8Array): Promise<Uint8Array> {
    const [records, identity] = [this.#records, this.#identity]
    return (await Signal.signalEncrypt(plaintext as Bytes, this.#peer, this.#own, records, identity)).serialize()
  }

  async open(sealed: Uint8Array): Promise<Uint8Array> {
    const message = Signal.SignalMessage.deserialize(sealed as Bytes)
    return Signal.signalDecrypt(message, this.#peer, this.#own, this.#records, this.#identity)
  }
}

async function meeting(keeping: Keeping): Promise<Meeting & { readonly a: Device; readonly b: Device }> {
  const [a, b] = [new Device(keeping), new Device(keeping)]
  b.meet(a)
  return {
    a,
    b,
    begin: async (plaintext) => {
      await a.begin(b)
      return a.seal(plaintext as Bytes)
    },
    accept: async (first) => b.accept(first),
  }
}

export const libsignal = { meeting } satisfies Sessions
