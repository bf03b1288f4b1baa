/**
 * An attacker who sees every envelope and holds what a test gives it: snapshots of states, X25519 secrets, KEM seeds. It
 * closes over the key schedule: whatever can be computed from what it has, it computes, and says what it could read.
 */
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { concat, equal } from '../../../src/lib/bytes.ts'
import type { Rng } from '../../../src/lib/rng.ts'
import { bodyKeys, chainStep, recognise, rootStep } from '../../../src/protocol/chain.ts'
import { decodeHeader, splitMessage, splitTurn } from '../../../src/wire/envelope.ts'
import type { Header, HeaderKind, SplitMessage } from '../../../src/wire/envelope.ts'
import { unpad } from '../../../src/wire/padding.ts'
import type { HeaderKeys, SessionState } from '../../../src/wire/session-state.ts'

/** The secrets of a kind that a generator hands out: 32 bytes are X25519 secrets, 64 are ML-KEM seeds. */
export function tapped(rng: Rng, tap: { curve: Uint8Array[]; kem: Uint8Array[] }): Rng {
  return {
    bytes(length) {
      const bytes = rng.bytes(length)
      if (length === 32) tap.curve.push(bytes.slice())
      if (length === 64) tap.kem.push(bytes.slice())
      return bytes
    },
  }
}

type Direction = 'fromVictim' | 'toVictim'

interface Chain {
  readonly direction: Direction
  readonly header: HeaderKeys
  chainKey: Uint8Array
  next: number
}

export class Eavesdropper {
  readonly #victim: SessionState
  readonly #curve: Uint8Array[]
  readonly #kem: Uint8Array[]
  readonly #publics: Uint8Array[] = []
  readonly #chains: Chain[] = []
  #root: Uint8Array
  readonly #nextHeader: Record<Direction, HeaderKeys>

  /** `snapshot` is the whole state of the victim; the secrets are what else the attacker was given. */
  constructor(snapshot: SessionState, curve: Uint8Array[] = [], kem: Uint8Array[] = []) {
    const { keys } = snapshot
    if (keys === undefined) throw new Error('nothing to steal')
    this.#victim = snapshot
    this.#root = keys.root
    this.#curve = curve
    this.#kem = kem
    if (keys.ratchetSecret) curve.push(keys.ratchetSecret)
    if (keys.kemSeed) kem.push(keys.kemSeed)
    if (keys.confirmSeed) kem.push(keys.confirmSeed)
    if (keys.ratchetPeer) this.#publics.push(keys.ratchetPeer)
    this.#nextHeader = { fromVictim: keys.nextSending, toVictim: keys.nextReceiving }
    if (keys.sending) this.#chains.push({ ...keys.sending, direction: 'fromVictim' })
    if (keys.receiving) this.#chains.push({ ...keys.receiving, direction: 'toVictim' })
  }

  /** The plaintext, if the attacker can have it. Envelopes are shown in the order in which they were sent. */
  read(envelope: Uint8Array, direction: Direction): Uint8Array | undefined {
    for (const chain of this.#chains) {
      if (chain.direction !== direction) continue
      const found = this.#header(envelope, chain.header)
      if (found !== undefined) return this.#readIn(chain, found.message, found.header, direction)
    }
    const found = this.#header(envelope, this.#nextHeader[direction])
    return found && this.#readTurn(found.message, found.header, found.kind, direction)
  }

  #header(
    envelope: Uint8Array,
    keys: HeaderKeys,
  ): { message: SplitMessage; header: Header; kind: HeaderKind } | undefined {
    const { nonce, tag } = splitMessage(envelope, 0, 'short')
    const kind = recognise(crypto, keys.tagKey, nonce, tag)
    if (kind === undefined) return undefined
    const message = splitMessage(envelope, 0, kind)
    const opened = crypto.open(keys.key, message.nonce, this.#victim.id, message.sealedHeader)
    return opened && { message, header: decodeHeader(kind, opened), kind }
  }

  #readIn(chain: Chain, message: SplitMessage, header: Header, direction: Direction): Uint8Array | undefined {
    let { chainKey } = chain
    if (header.n < chain.next) return undefined
    for (let n = chain.next; n < header.n; n++) chainKey = chainStep(crypto, chainKey).next
    const step = chainStep(crypto, chainKey)
    const plaintext = this.#body(step.message, message, direction)
    if (plaintext !== undefined) Object.assign(chain, { chainKey: step.next, next: header.n + 1 })
    return plaintext
  }

  #body(messageKey: Uint8Array, message: SplitMessage, direction: Direction): Uint8Array | undefined {
    const { local, peer, id } = this.#victim
    const [sender, recipient] = direction === 'fromVictim' ? [local, peer] : [peer, local]
    const { key, nonce } = bodyKeys(crypto, messageKey, message.nonce)
    const padded = crypto.open(
      key,
      nonce,
      concat(id, sender.deviceId, recipient.deviceId, message.head),
      message.sealedBody,
    )
    return padded && unpad(padded)
  }

  /** Every Diffie-Hellman and every decapsulation that what it holds allows. */
  #readTurn(message: SplitMessage, header: Header, kind: HeaderKind, direction: Direction): Uint8Array | undefined {
    if (header.turn === undefined) return undefined
    const turn = splitTurn(kind, header.turn)
    const needsKem = kind !== 'initiator'
    const shared = this.#curve.flatMap((secret) =>
      (equal(crypto.x25519PublicKey(secret), turn.ratchet) ? this.#publics : [turn.ratchet]).map((key) =>
        crypto.x25519(secret, key),
      ),
    )
    const kems = needsKem ? this.#kem.map((seed) => crypto.kemDecapsulate(768, seed, turn.kem)) : [undefined]
    const { confirmation } = turn
    const confirmations = confirmation
      ? this.#kem.map((seed) => crypto.kemDecapsulate(1024, seed, confirmation))
      : [undefined]
    this.#publics.push(turn.ratchet.slice())
    for (const dh of shared) {
      for (const kem of kems) {
        for (const confirm of confirmations) {
          if (dh === undefined) continue
          const secrets = { dh: dh.slice(), kem: kem?.slice(), confirmation: confirm?.slice() }
          const step = rootStep(crypto, this.#root, secrets, header.turn)
          const chain = { direction, header: this.#nextHeader[direction], chainKey: step.chainKey, next: 0 }
          const plaintext = this.#readIn(chain, message, header, direction)
          if (plaintext === undefined) continue
          this.#root = step.root
          this.#nextHeader[direction] = step.nextHeader
          this.#chains.push(chain)
          return plaintext
        }
      }
    }
    return undefined
  }
}
