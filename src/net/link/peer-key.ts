/** The peer's own key: one file, made once, never replaced behind the user's back. */
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPairFromSeed, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { toHex } from '../../lib/bytes.ts'
import { StorageError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'
import type { PeerSigner } from '../ports.ts'

const SEED_BYTES = 32

/** The key in `file` (libp2p's protobuf, mode 0600), made where there is none. Throws {@link StorageError} on damage. */
export async function loadPeerKey(file: string, rng: Rng): Promise<Ed25519PrivateKey> {
  return (await readKey(file)) ?? createKey(file, rng)
}

async function readKey(file: string): Promise<Ed25519PrivateKey | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StorageError('the peer key cannot be read', { cause: error })
  }
  const key = parseKey(bytes)
  if (key === undefined) {
    throw new StorageError('the peer key is damaged: restore it, or move it away to become another peer')
  }
  return key
}

function parseKey(bytes: Uint8Array): Ed25519PrivateKey | undefined {
  try {
    const key = privateKeyFromProtobuf(bytes)
    return key.type === 'Ed25519' ? key : undefined
  } catch {
    return undefined
  }
}

/** Written whole under another name first: a crash must not leave half a key, which would look like damage. */
async function createKey(file: string, rng: Rng): Promise<Ed25519PrivateKey> {
  const key = await generateKeyPairFromSeed('Ed25519', rng.bytes(SEED_BYTES))
  const draft = `${file}.${toHex(rng.bytes(6))}`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(privateKeyToProtobuf(key))
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await link(draft, file) // unlike rename, refuses to replace
  } catch (error) {
    throw new StorageError('the peer key cannot be written', { cause: error })
  } finally {
    await unlink(draft)
  }
  return key
}

/** Signs with the key, synchronously, by the provider's Ed25519. */
export function peerSigner(key: Ed25519PrivateKey, crypto: CryptoProvider): PeerSigner {
  const seed = Uint8Array.from(key.raw.subarray(0, SEED_BYTES))
  return {
    peerId: peerIdFromPrivateKey(key).toString(),
    publicKey: key.publicKey.raw,
    sign: (message) => crypto.ed25519Sign(seed, message),
  }
}
