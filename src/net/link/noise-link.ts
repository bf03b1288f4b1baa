/**
 * `/sotto/noise-mlkem768/1`: the published Noise XX (libp2p/specs noise) with an ML-KEM-768 secret in every key.
 *
 * 1. The dialler draws an ML-KEM-768 key pair for this connection and sends the public key (u16 length, 1,184 bytes).
 * 2. The listener encapsulates to it and sends the ciphertext (u16 length, 1,088 bytes). Both have the secret `ss`.
 * 3. Noise XX runs with prologue = SHA-256(protocol id ‖ public key ‖ ciphertext), and HKDF(ck, ikm ‖ ss) in place of
 *    HKDF(ck, ikm): every MixKey and the final Split depend on X25519 and on ML-KEM both.
 *
 * Can: keep what is recorded today from a quantum computer of tomorrow, so long as one of the two exchanges holds; show
 * a change of either message by anyone in between (the prologue is authenticated). Cannot: withstand an active quantum
 * attacker at the time of the handshake (identities are Ed25519), nor hide who speaks with whom.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import { serviceCapabilities } from '@libp2p/interface'
import type { NoiseComponents } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, MessageStream, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { KEM_BYTES, KEM_SEED_BYTES } from '../../crypto/sizes.ts'
import { concat, utf8, wipe } from '../../lib/bytes.ts'
import { VerificationError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'

export const NOISE_PROTOCOL = '/sotto/noise-mlkem768/1'
const KEM = 768
const SIZES = KEM_BYTES[KEM]

export type KemCrypto = Pick<CryptoProvider, 'kemPublicKey' | 'kemEncapsulate' | 'kemDecapsulate' | 'sha256'>

class NoiseLink implements ConnectionEncrypter {
  readonly protocol = NOISE_PROTOCOL
  readonly [Symbol.toStringTag] = 'sotto-noise-mlkem768'
  readonly [serviceCapabilities] = ['@libp2p/connection-encryption']
  readonly #components: NoiseComponents
  readonly #crypto: KemCrypto
  readonly #rng: Rng

  constructor(components: NoiseComponents, crypto: KemCrypto, rng: Rng) {
    this.#components = components
    this.#crypto = crypto
    this.#rng = rng
  }

  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const seed = this.#rng.bytes(KEM_SEED_BYTES)
    const publicKey = this.#crypto.kemPublicKey(KEM, seed)
    const lp = exchange(connection)
    await lp.write(publicKey, options)
    const ciphertext = (await lp.read(options)).slice()
    const secret = this.#crypto.kemDecapsulate(KEM, seed, ciphertext)
    wipe(seed)
    if (secret === undefined) throw new VerificationError('the ML-KEM ciphertext has the wrong length')
    return this.#inner(secret, publicKey, ciphertext).secureOutbound(lp.unwrap(), options)
  }

  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const lp = exchange(connection)
    const publicKey = (await lp.read(options)).slice()
    const sealed = this.#crypto.kemEncapsulate(KEM, publicKey)
    if (sealed === undefined) throw new VerificationError('the ML-KEM public key was refused')
    await lp.write(sealed.ciphertext, options)
    return this.#inner(sealed.secret, publicKey, sealed.ciphertext).secureInbound(lp.unwrap(), options)
  }

  #inner(secret: Uint8Array, publicKey: Uint8Array, ciphertext: Uint8Array): ConnectionEncrypter {
    const getHKDF: typeof defaultCrypto.getHKDF = (chain, input) => defaultCrypto.getHKDF(chain, concat(input, secret))
    const prologueBytes = this.#crypto.sha256(utf8(NOISE_PROTOCOL), publicKey, ciphertext)
    return noise({ crypto: { ...defaultCrypto, getHKDF }, prologueBytes })(this.#components)
  }
}

/** The two messages in front of Noise, in its own framing. */
function exchange(connection: MessageStream) {
  return lpStream(connection, {
    maxDataLength: SIZES.publicKey,
    lengthEncoder: (length) => Uint8Array.of(length >> 8, length & 0xff),
    lengthDecoder: (data) => {
      if (data.byteLength < 2) throw new RangeError('more to come')
      return data.get(0) * 256 + data.get(1)
    },
    maxLengthLength: 2,
  })
}

/** The second link that a host offers. */
export function noiseLink(crypto: KemCrypto, rng: Rng): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => new NoiseLink(components, crypto, rng)
}
