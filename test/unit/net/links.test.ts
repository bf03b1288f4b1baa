import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { otherTls, rawPeer } from './raw-peer.ts'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import type { Encrypter } from '../../../src/net/libp2p-node.ts'
import { NOISE_PROTOCOL, noiseLink } from '../../../src/net/link/noise-link.ts'
import { TLS_PROTOCOL, tlsLink } from '../../../src/net/link/tls-link.ts'
import type { TlsObserver } from '../../../src/net/link/tls-link.ts'

interface Seen {
  readonly side: string
  readonly name: unknown
  readonly protocol: string
}

function observed(): { seen: Seen[]; link: Encrypter } {
  const seen: Seen[] = []
  const observe: TlsObserver = (side, key, protocol) => {
    seen.push({ side, name: key !== null && 'name' in key ? key.name : undefined, protocol })
  }
  return { seen, link: tlsLink(observe) }
}

async function linkOf(t: TestContext, from: Encrypter[], to: Encrypter[]): Promise<string | undefined> {
  const [a, b] = [await rawPeer(t, from), await rawPeer(t, to)]
  const connection = await a.dial(b.getMultiaddrs(), { signal: AbortSignal.timeout(3_000) })
  await a.services.ping.ping(b.peerId)
  return connection.encryption
}

test('DT-13 a TLS link is TLS 1.3 with X25519MLKEM768, says the socket', async (t) => {
  const { seen, link } = observed()
  assert.equal(await linkOf(t, [link], [tlsLink()]), TLS_PROTOCOL)
  assert.deepEqual(seen, [{ side: 'client', name: 'X25519MLKEM768', protocol: 'TLSv1.3' }])
})

test('DT-13 a peer that has only classical groups is refused, whoever dials', async (t) => {
  await assert.rejects(linkOf(t, [tlsLink()], [otherTls('X25519')]))
  await assert.rejects(linkOf(t, [otherTls('X25519:P-256')], [tlsLink()]))
})

test('DT-13 the published TLS encrypter of a current Node is a peer like any other', async (t) => {
  const { seen, link } = observed()
  assert.equal(await linkOf(t, [link], [otherTls(undefined)]), TLS_PROTOCOL)
  assert.equal(seen[0]?.name, 'X25519MLKEM768')
})

test('DT-13 the hybrid Noise link works between both crypto backends, and a ping goes through', async (t) => {
  const native = noiseLink(nativeProvider, systemRng)
  assert.equal(await linkOf(t, [native], [noiseLink(nobleProvider, systemRng)]), NOISE_PROTOCOL)
})

test('DT-13 stock Noise is refused, whoever dials', async (t) => {
  const links = (): Encrypter[] => [tlsLink(), noiseLink(nativeProvider, systemRng)]
  await assert.rejects(linkOf(t, [noise()], links()))
  await assert.rejects(linkOf(t, links(), [noise()]))
})

test('DT-13 TLS comes first where both are offered', async (t) => {
  const links = (): Encrypter[] => [tlsLink(), noiseLink(nativeProvider, systemRng)]
  assert.equal(await linkOf(t, links(), links()), TLS_PROTOCOL)
})

test('a changed ML-KEM message breaks the hybrid handshake', async (t) => {
  const other = { ...nativeProvider, kemDecapsulate: () => systemRng.bytes(32) }
  await assert.rejects(linkOf(t, [noiseLink(other, systemRng)], [noiseLink(nativeProvider, systemRng)]))
  const deaf = { ...nativeProvider, kemEncapsulate: () => undefined }
  await assert.rejects(linkOf(t, [noiseLink(nativeProvider, systemRng)], [noiseLink(deaf, systemRng)]))
})

test('a link proves the peer id that was dialled, with either encrypter', async (t) => {
  for (const link of [tlsLink(), noiseLink(nativeProvider, systemRng)]) {
    const [a, b] = [await rawPeer(t, [link]), await rawPeer(t, [link])]
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
    const address = String(b.getMultiaddrs()[0]).replace(b.peerId.toString(), other)
    await assert.rejects(a.dial(multiaddr(address)))
  }
})
