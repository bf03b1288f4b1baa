import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Rng } from '../../lib/rng.ts'
import type { Encrypter } from '../libp2p-node.ts'
import { noiseLink } from '../link/noise-link.ts'
import { tlsLink } from '../link/tls-link.ts'

/** The links that a host can offer, both post-quantum. */
export type LinkName = 'tls' | 'noise'

/** What makes them, in the order in which they are offered. */
export function encrypters(names: readonly LinkName[], crypto: CryptoProvider, rng: Rng): readonly Encrypter[] {
  const made: Record<LinkName, Encrypter> = { tls: tlsLink(), noise: noiseLink(crypto, rng) }
  return names.map((name) => made[name])
}
