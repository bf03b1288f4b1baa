/** Peers that do not follow Sotto's rules: bare libp2p nodes with links and protocols of the test's choice. */
import { TLSSocket, connect } from 'node:tls'
import type { TLSSocketOptions } from 'node:tls'
import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter, MessageStream, PrivateKey, SecuredConnection } from '@libp2p/interface'
import { generateCertificate, toMessageStream, toNodeDuplex, verifyPeerCertificate } from '@libp2p/tls/utils'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import { createNode } from '../../../src/net/libp2p-node.ts'
import type { Encrypter, Node } from '../../../src/net/libp2p-node.ts'
import { protocolsOf } from '../../../src/net/protocols.ts'
import { tlsLink } from '../../../src/net/link/tls-link.ts'
import { ROLES } from '../../../src/lib/roles.ts'

/** A started node with these links, stopped after the test. */
export async function rawPeer(t: TestContext, encrypters: readonly Encrypter[] = [tlsLink()]): Promise<Node> {
  const node = await createNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    role: ROLES.peer,
    profile: LOCAL,
    kadId: protocolsOf('local').kadId,
    encrypters,
    trustedAddresses: new Set(),
  })
  await node.start()
  t.after(async () => node.stop())
  return node
}

/** libp2p's TLS as published, with these groups (`undefined`: OpenSSL's own list). */
export function otherTls(groups: string | undefined): Encrypter {
  return (components: { privateKey: PrivateKey }): ConnectionEncrypter => {
    const secure = async (stream: MessageStream, isServer: boolean): Promise<SecuredConnection> => {
      const options: TLSSocketOptions = {
        ...(await generateCertificate(components.privateKey)),
        isServer,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        ALPNProtocols: ['libp2p'],
        ...(groups === undefined ? {} : { ecdhCurve: groups }),
      }
      const duplex = toNodeDuplex(stream)
      const socket = isServer ? new TLSSocket(duplex, options) : connect({ socket: duplex, ...options })
      duplex.on('error', (error) => socket.destroy(error))
      await new Promise<void>((resolve, reject) => {
        socket.once('secure', resolve)
        socket.on('error', reject)
        socket.once('close', () => {
          reject(new Error('closed'))
        })
      })
      const remotePeer = await verifyPeerCertificate(socket.getPeerCertificate().raw)
      return { remotePeer, connection: toMessageStream(stream, socket) }
    }
    return {
      protocol: '/tls/1.0.0',
      secureInbound: async (stream: MessageStream) => secure(stream, true),
      secureOutbound: async (stream: MessageStream) => secure(stream, false),
    }
  }
}
