/**
 * What the floor above gets and gives, by shape the same as in `services/ports.ts` (imports go down only, so it is
 * written twice; the integration tests assign the one to the other).
 */
import type { DirectFrame } from '../wire/direct.ts'
import type { HolderRequest, HolderResponse } from '../wire/holder.ts'
import type { Deposit } from '../wire/letter.ts'
import type { PeerRecord } from '../wire/peer.ts'

/** One open stream to a holder. */
export interface HolderLink {
  readonly peerId: string
  /** 32 bytes that the holder drew for this stream. */
  readonly challenge: Uint8Array
  readonly alive: boolean
  request(request: HolderRequest, signal: AbortSignal): Promise<HolderResponse>
}

/** The peer at the other end of a holder stream, as the serving side sees it. */
export interface HolderCaller {
  readonly peerId: string
  readonly ip: string | undefined
  readonly challenge: Uint8Array
  readonly opened: Set<string>
  push(deposit: Deposit): boolean
  onClose(action: () => void): void
}

/** Serves others. Never throws for what a peer sent. */
export type HolderHandler = (caller: HolderCaller, request: HolderRequest) => Promise<HolderResponse>

export type PushListener = (peerId: string, deposit: Deposit) => void
export type PeerListener = (peerId: string, connected: boolean) => void
export type DirectListener = (peerId: string, frame: DirectFrame) => Promise<void>

/**
 * What the user lets a peer have of us: our address too; only what runs over relays; nothing; or it is nobody's device that we know,
 * which may speak and is answered on its own stream, but not looked for.
 */
export type Meeting = 'direct' | 'relayed' | 'none' | 'stranger'

export interface HolderNetwork {
  link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink>
  /** The returned function ends it, here and below. */
  onPush(listener: PushListener): () => void
  onPeerChange(listener: PeerListener): () => void
}

export interface Routing {
  self(): PeerRecord
  closest(target: Uint8Array, count: number, signal: AbortSignal): Promise<readonly PeerRecord[]>
  known(target: Uint8Array, count: number): readonly PeerRecord[]
  learn(from: string, peers: readonly PeerRecord[]): void
  evict(peerId: string): void
}

export interface DirectNetwork {
  /** Who may meet us how from now on; to be called again whenever that changes. Everybody may until it is called first. */
  meetBy(meeting: (peerId: string) => Meeting): void
  send(peer: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void>
  connected(peerId: string): boolean
  /** Whether the peer said, on the stream that is open, that it knows live signals: others end the stream at one. */
  hearsLive(peerId: string): boolean
  onFrame(listener: DirectListener): void
  /** Told whenever a stream to a peer opens, of whoever opened it, and when none is open any more. */
  onStream(listener: (peerId: string, open: boolean) => void): void
}

/** Joining by what people give one another, and coming back. */
export interface Joining {
  /**
   * Joins by the multiaddrs of an invite, side by side; returns when there is a holder to ask. They stay among the ways in for
   * an hour; who answers goes into the cache. Throws NetworkError where none answers, and the signal's reason.
   */
  joinBy(addresses: readonly string[], signal: AbortSignal): Promise<void>
  /** What goes into an invite: multiaddrs of ours and of some neighbours. */
  waysIn(): readonly string[]
  /**
   * Called when the network is there again after a sleep, a move or an outage: what hangs on connections is to be made anew.
   * The returned function ends it.
   */
  onReturn(listener: () => void): () => void
}

/** Signs with the peer's own key. */
export interface PeerSigner {
  readonly peerId: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

/** A connected peer, for people to look at. */
export interface ConnectedPeer {
  readonly id: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  /** What secures the link. */
  readonly link: string
  readonly roundTripMs: number | undefined
  /** Open on this connection, in both directions. */
  readonly streams: number
  readonly holder: boolean
}
