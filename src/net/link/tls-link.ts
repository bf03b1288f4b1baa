/**
 * TLS 1.3 as libp2p specifies it (libp2p/specs tls), put together from the published package's parts, with one group:
 * X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem). A peer without it gets a handshake failure, never a weaker link.
 *
 * The published encrypter takes no TLS options, makes a new certificate for every connection and would accept whatever
 * group OpenSSL's list begins with; this one makes the certificate once a process, which halves the cost of a dial.
 */
import { TLSSocket, connect } from 'node:tls'
import type { EphemeralKeyInfo, TLSSocketOptions } from 'node:tls'
import { serviceCapabilities } from '@libp2p/interface'
import type {
  ConnectionEncrypter,
  MessageStream,
  PrivateKey,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
  Upgrader,
} from '@libp2p/interface'
import { generateCertificate, toMessageStream, toNodeDuplex, verifyPeerCertificate } from '@libp2p/tls/utils'
import { NetworkError, TimeoutError, VerificationError } from '../../lib/errors.ts'

export const TLS_PROTOCOL = '/tls/1.0.0'
/** The one key exchange that a link may have. */
export const TLS_GROUP = 'X25519MLKEM768'
/** Chosen in ALPN by a peer that wants to negotiate the muxer later. */
const ALPN_LIBP2P = 'libp2p'

export interface LinkComponents {
  readonly privateKey: PrivateKey
  readonly upgrader: Upgrader
}

/** Told of each handshake: what the socket says was negotiated. For tests and counters. */
export type TlsObserver = (side: 'client' | 'server', key: EphemeralKeyInfo | object | null, protocol: string) => void

class TlsLink implements ConnectionEncrypter {
  readonly protocol = TLS_PROTOCOL
  readonly [Symbol.toStringTag] = 'sotto-tls'
  readonly [serviceCapabilities] = ['@libp2p/connection-encryption']
  readonly #components: LinkComponents
  readonly #observe: TlsObserver | undefined
  #certificate: Promise<{ cert: string; key: string }> | undefined

  constructor(components: LinkComponents, observe: TlsObserver | undefined) {
    this.#components = components
    this.#observe = observe
  }

  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return this.#secure(connection, true, options)
  }

  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return this.#secure(connection, false, options)
  }

  async #secure(connection: MessageStream, isServer: boolean, options?: SecureConnectionOptions) {
    const socket = await this.#openSocket(connection, isServer, options)
    try {
      await handshake(socket, options?.signal)
      this.#checkGroup(socket, isServer)
      const remotePeer = await verifyPeerCertificate(socket.getPeerCertificate().raw, options?.remotePeer)
      const streamMuxer = this.#muxerOf(socket, options)
      return {
        remotePeer,
        connection: toMessageStream(connection, socket),
        ...(streamMuxer === undefined ? {} : { streamMuxer }),
      }
    } catch (error) {
      socket.destroy()
      connection.abort(error as Error)
      throw error
    }
  }

  async #openSocket(connection: MessageStream, isServer: boolean, options?: SecureConnectionOptions) {
    this.#certificate ??= generateCertificate(this.#components.privateKey)
    const tlsOptions: TLSSocketOptions & { ecdhCurve: string } = {
      ...(await this.#certificate),
      isServer,
      requestCert: true,
      rejectUnauthorized: false, // self-signed by design; verifyPeerCertificate follows
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ecdhCurve: TLS_GROUP,
      ALPNProtocols: [...this.#muxers(options).keys(), ALPN_LIBP2P],
    }
    const duplex = toNodeDuplex(connection)
    const socket = isServer ? new TLSSocket(duplex, tlsOptions) : connect({ socket: duplex, ...tlsOptions })
    duplex.on('error', (error) => socket.destroy(error))
    socket.on('error', (error) => {
      connection.abort(error)
    })
    return socket
  }

  /** The list of one leaves nothing else to agree on; the client's socket can also be asked. */
  #checkGroup(socket: TLSSocket, isServer: boolean): void {
    const key = socket.getEphemeralKeyInfo()
    this.#observe?.(isServer ? 'server' : 'client', key, socket.getProtocol() ?? '')
    const group = key !== null && 'name' in key ? key.name : undefined
    if (!isServer && group !== TLS_GROUP) {
      throw new VerificationError('the link is not post-quantum')
    }
  }

  #muxers(options?: SecureConnectionOptions): Map<string, StreamMuxerFactory> {
    return options?.skipStreamMuxerNegotiation === true ? new Map() : this.#components.upgrader.getStreamMuxers()
  }

  #muxerOf(socket: TLSSocket, options?: SecureConnectionOptions): StreamMuxerFactory | undefined {
    const chosen = socket.alpnProtocol
    return typeof chosen === 'string' ? this.#muxers(options).get(chosen) : undefined
  }
}

async function handshake(socket: TLSSocket, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const onAbort = (): void => {
    socket.destroy(new TimeoutError('the handshake took too long'))
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secure', resolve)
      socket.once('error', reject)
      socket.once('close', () => {
        reject(new NetworkError('the connection closed during the handshake'))
      })
    })
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The first link that a host offers. */
export function tlsLink(observe?: TlsObserver): (components: LinkComponents) => ConnectionEncrypter {
  return (components) => new TlsLink(components, observe)
}
