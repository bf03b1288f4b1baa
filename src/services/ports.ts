/**
 * What services ask of the floors below and of one another. A leaf: only types. The rooms under `net` satisfy the network
 * ports by their shape, `node.ts` joins the two, and the simulator has its own.
 */
import type { Offence } from '../store/peer-notes.ts'
import type { PeerRecord } from '../wire/peer.ts'
import type { HolderRequest, HolderResponse } from '../wire/holder.ts'
import type { DirectFrame } from '../wire/direct.ts'
import type { Deposit } from '../wire/letter.ts'

/** One open stream to a holder: requests are pipelined, the challenge is the stream's own. */
export interface HolderLink {
  readonly peerId: string
  readonly challenge: Uint8Array
  /** False once the stream is gone; ask {@link HolderNetwork.link} for another then. */
  readonly alive: boolean
  /** Throws NetworkError or TimeoutError; a refusal is an answer, not an error. */
  request(request: HolderRequest, signal: AbortSignal): Promise<HolderResponse>
}

/** Streams to holders, one per peer, dialled when needed and kept while used. */
export interface HolderNetwork {
  link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink>
  /** Called for each letter that a holder pushes on a link, until the returned function ends it; the caller verifies it. */
  onPush(listener: (peerId: string, deposit: Deposit) => void): () => void
  /** Called when a peer becomes reachable or goes (connection up or down), until the returned function ends it. */
  onPeerChange(listener: (peerId: string, connected: boolean) => void): () => void
}

/** Who is near what. */
export interface Routing {
  /** Oneself, as others may dial it; `addresses` is empty where none is known. */
  self(): PeerRecord
  /** Up to `count` live peers nearest to `target` (32 bytes, already hashed), nearest first, oneself left out. */
  closest(target: Uint8Array, count: number, signal: AbortSignal): Promise<readonly PeerRecord[]>
  /** The same from the local table alone, without asking anybody. */
  known(target: Uint8Array, count: number): readonly PeerRecord[]
  /** Peers an answer named; they are tried before they are believed. */
  learn(from: string, peers: readonly PeerRecord[]): void
  /** A peer that did not answer: out of the table until it shows itself again. */
  evict(peerId: string): void
}

/**
 * What the user lets a peer have of us: our address too; only what runs over relays; nothing; or it is nobody's device that we know,
 * which may speak and is answered on its own stream, but not looked for.
 */
export type Meeting = 'direct' | 'relayed' | 'none' | 'stranger'

/** Who decides which peers are met, and how. */
export interface MeetingNetwork {
  /** Holds from now on; to be called again whenever something of it changes. */
  meetBy(meeting: (peerId: string) => Meeting): void
}

/** Streams between devices of contacts. */
export interface DirectNetwork {
  /** Writes a frame to the peer's stream, dialling its addresses if need be. Throws NetworkError or TimeoutError. */
  send(peer: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void>
  /** Whether a stream to the peer is open now. */
  connected(peerId: string): boolean
  /** Whether the peer said, on the stream that is open, that it knows live signals: others end the stream at one. */
  hearsLive(peerId: string): boolean
  /** Frames of any peer, contact or not, in the order in which they came; the listener is awaited before the next. */
  onFrame(listener: (peerId: string, frame: DirectFrame) => Promise<void>): void
}

/** The peer at the other end of a holder stream, as the serving side sees it. */
export interface HolderCaller {
  readonly peerId: string
  /** The IP address it came from, text form, or undefined over a relay. */
  readonly ip: string | undefined
  /** The challenge that this stream's greeting carried. */
  readonly challenge: Uint8Array
  /** Addresses (hex) that the caller proved to own on this stream. */
  readonly opened: Set<string>
  /** Sends a letter on this stream; false where it is gone or too slow. */
  push(deposit: Deposit): boolean
  /** Runs when the stream ends. */
  onClose(action: () => void): void
}

/** Serves others: handed to `net/holder-server`. Never throws for what a peer sent. */
export type HolderHandler = (caller: HolderCaller, request: HolderRequest) => Promise<HolderResponse>

/** Signs with the peer's own (libp2p, Ed25519) key: receipts. */
export interface PeerSigner {
  readonly peerId: string
  sign(message: Uint8Array): Uint8Array
}

/** A stamp that is shown: `nonce` is to give Argon2id over `challenge` so many leading zero bits. */
export interface StampWork {
  readonly challenge: Uint8Array
  readonly bits: number
  readonly nonce: Uint8Array
}

/** Solves stamps off the event loop. */
export interface StampSolver {
  /** A nonce whose stamp over `challenge` has at least `bits` leading zero bits. */
  solve(challenge: Uint8Array, bits: number, signal: AbortSignal): Promise<Uint8Array>
}

/** What follows from a peer's id alone. */
export interface PeerFacts {
  /** Its Ed25519 key, 32 bytes; none for text that is no peer id. */
  publicKey(peerId: string): Uint8Array | undefined
  /** Where it stands among the addresses, 32 bytes. */
  position(peerId: string): Uint8Array | undefined
}

/** Who was caught lying (`services/distrust`). */
export interface LiarBook {
  has(peerId: string): boolean
  note(peerId: string, kind: Offence, bytes: Uint8Array): void
}
