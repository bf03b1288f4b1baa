/**
 * R1h, the double ratchet with header encryption: turns, chains, skipped keys (README, "Ratchet"). Nothing is mutated:
 * what a step makes is a draft until the body's tag has verified, and the caller decides when it counts.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat, equal, wipe } from '../lib/bytes.ts'
import { CodecError, DecryptError, LimitError, UsageError } from '../lib/errors.ts'
import {
  decodeHeader,
  encodeHeader,
  INITIAL_PREFIX_BYTES,
  isEnvelopeSize,
  NONCE_BYTES,
  overheadBytes,
  PLAINTEXT_BYTES_MAX,
  splitMessage,
  TAG_BYTES,
  TURN_BYTES,
} from '../wire/envelope.ts'
import type { Header, HeaderKind, SplitMessage } from '../wire/envelope.ts'
import { pad, SIZE_CLASSES_BYTES, sizeClassFor, unpad } from '../wire/padding.ts'
import type {
  OldChain,
  ReceivingChain,
  SendingChain,
  SessionKeys,
  SessionRole,
  SessionState,
} from '../wire/session-state.ts'
import { bodyKeys, chainStep, headerTag, recognise } from './chain.ts'
import type { SessionContext } from './pqxdh.ts'
import { CHAIN_MESSAGES_MAX, DEFAULT_SESSION_LIMITS } from './session-limits.ts'
import { advance, closeChain, tidy } from './skipped-keys.ts'
import { receiveTurn, takeTurn } from './turn.ts'
import type { Stepped } from './turn.ts'

/** Which message of which chain: `chain` counts the turns of its sender from 0. */
export interface MessageRef {
  readonly chain: number
  readonly n: number
}

const NOTHING = new Uint8Array()

/**
 * The associated data of a body, for both sides: session id, sender's device, recipient's device, the hash of the
 * initial prefix where there is one, and everything before the body.
 */
export function associatedData(
  state: SessionState,
  direction: 'sent' | 'received',
  initialHash: Uint8Array,
  head: Uint8Array,
): Uint8Array {
  const [sender, recipient] = direction === 'sent' ? [state.local, state.peer] : [state.peer, state.local]
  return concat(state.id, sender.deviceId, recipient.deviceId, initialHash, head)
}

function openingKind(opening: Uint8Array | undefined, role: SessionRole): HeaderKind {
  if (opening === undefined) return 'short'
  if (role === 'initiator') return 'initiator'
  return opening.length === TURN_BYTES.confirming ? 'confirming' : 'responder'
}

export interface Sealed extends Stepped {
  readonly envelope: Uint8Array
  readonly ref: MessageRef
}

/** Seals one message under the next key of our chain, opening one where the peer has answered the last. */
export function sealMessage(
  ctx: SessionContext,
  state: SessionState,
  keys: SessionKeys,
  plaintext: Uint8Array,
): Sealed {
  const turned = keys.sending === undefined ? takeTurn(ctx, state.role, keys) : { keys, consumed: [] }
  const chain = turned.keys.sending
  if (chain === undefined) throw new UsageError('there is no chain to send in')
  if (chain.next >= CHAIN_MESSAGES_MAX) throw new LimitError('too many messages without an answer')
  const { message, next } = chainStep(ctx.crypto, chain.chainKey)
  const envelope = layOut(ctx, state, chain, message, plaintext)
  wipe(message)
  return {
    envelope,
    ref: { chain: chain.turn, n: chain.next },
    keys: { ...turned.keys, sending: { ...chain, chainKey: next, next: chain.next + 1 } },
    consumed: [...turned.consumed, chain.chainKey],
  }
}

function layOut(
  ctx: SessionContext,
  state: SessionState,
  chain: SendingChain,
  messageKey: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const { crypto } = ctx
  const kind = openingKind(chain.opening, state.role)
  const prefix = state.initial.prefix ?? NOTHING
  const overhead = prefix.length + overheadBytes(kind)
  const size = SIZE_CLASSES_BYTES[sizeClassFor(overhead + plaintext.length + 1) ?? -1]
  if (size === undefined || plaintext.length > PLAINTEXT_BYTES_MAX) throw new LimitError('content exceeds an envelope')
  const nonce = ctx.rng.bytes(NONCE_BYTES)
  const tag = headerTag(crypto, chain.header.tagKey, nonce, kind)
  const header = encodeHeader(chain.next, chain.previous, chain.opening)
  const head = concat(nonce, tag, crypto.seal(chain.header.key, nonce, state.id, header))
  const body = bodyKeys(crypto, messageKey, nonce)
  const aad = associatedData(state, 'sent', prefix.length > 0 ? state.initial.hash : NOTHING, head)
  const padded = pad(plaintext, size - overhead)
  const sealed = crypto.seal(body.key, body.nonce, aad, padded)
  const envelope = concat(prefix, head, body.commitment, sealed)
  wipe(body.key, body.nonce, padded)
  return envelope
}

/** Where an envelope belongs in a session. */
export interface Place {
  readonly kind: HeaderKind
  readonly chain: 'current' | 'next' | OldChain
  /** Where the message begins: after the prefix, where there is one. */
  readonly start: number
}

/**
 * The chain that an envelope is of, told by its tag: each chain has a tag key of its own, so that a late message of an
 * old chain can only meet that chain's stored keys and never turns the ratchet. The likely chains first; at most one
 * HMAC for each. Nothing here is proof.
 */
export function findPlace(crypto: CryptoProvider, state: SessionState, envelope: Uint8Array): Place | undefined {
  const { keys } = state
  if (keys === undefined || !isEnvelopeSize(envelope.length)) return undefined
  const start = startOf(state, envelope)
  const nonce = envelope.subarray(start, start + NONCE_BYTES)
  const tag = envelope.subarray(start + NONCE_BYTES, start + NONCE_BYTES + TAG_BYTES)
  const known = (tagKey: Uint8Array): HeaderKind | undefined => {
    const kind = recognise(crypto, tagKey, nonce, tag)
    return kind !== undefined && fits(envelope, start, kind) ? kind : undefined
  }
  const current = keys.receiving && known(keys.receiving.header.tagKey)
  if (current !== undefined) return { kind: current, chain: 'current', start }
  const next = known(keys.nextReceiving.tagKey)
  if (next !== undefined) return { kind: next, chain: 'next', start }
  for (const chain of keys.old) {
    const kind = known(chain.tagKey)
    if (kind !== undefined) return { kind, chain, start }
  }
  return undefined
}

function fits(envelope: Uint8Array, start: number, kind: HeaderKind): boolean {
  return start + overheadBytes(kind) < envelope.length
}

/** An initial message that was repeated shows our ephemeral key again: its ratchet message stands after the prefix. */
function startOf(state: SessionState, envelope: Uint8Array): number {
  if (state.role !== 'responder' || envelope.length <= INITIAL_PREFIX_BYTES) return 0
  return equal(envelope.subarray(0, 32), state.initial.ephemeral) ? INITIAL_PREFIX_BYTES : 0
}

export interface Opened extends Stepped {
  readonly plaintext: Uint8Array
  readonly ref: MessageRef
  /** True where the message opened a new chain of the peer's. */
  readonly turned: boolean
}

/** A message key with the keys that would follow. `fresh` is what has to go if the body does not verify. */
interface Draft extends Stepped {
  readonly messageKey: Uint8Array
  readonly chain: number
  readonly fresh: readonly Uint8Array[]
}

/** Opens one message. Throws {@link DecryptError}; the old keys are untouched then. */
export function openMessage(
  ctx: SessionContext,
  state: SessionState,
  keys: SessionKeys,
  envelope: Uint8Array,
  place: Place,
): Opened {
  const message = splitMessage(envelope, place.start, place.kind)
  const initialHash = place.start === 0 ? NOTHING : ctx.crypto.sha256(envelope.subarray(0, place.start))
  const header = openHeader(ctx.crypto, state, keys, message, place)
  const draft = draftFor(ctx, state.role, keys, place, header)
  try {
    const aad = associatedData(state, 'received', initialHash, message.head)
    const plaintext = openBody(ctx.crypto, draft.messageKey, message, aad)
    const tidied = tidy(draft.keys, ctx.now)
    const ref = { chain: draft.chain, n: header.n }
    const consumed = [...draft.consumed, ...tidied.consumed]
    return { plaintext, ref, turned: place.chain === 'next', keys: tidied.keys, consumed }
  } catch (error) {
    wipe(...draft.fresh)
    throw error
  }
}

function openHeader(
  crypto: CryptoProvider,
  state: SessionState,
  keys: SessionKeys,
  message: SplitMessage,
  { kind, chain }: Place,
): Header {
  if (chain === 'next' && kind === 'short') throw new DecryptError('stale')
  const key = headerKeyOf(keys, chain)
  if (key === undefined) throw new DecryptError('duplicate')
  const opened = crypto.open(key, message.nonce, state.id, message.sealedHeader)
  if (opened === undefined) throw new DecryptError('authentication')
  return decodeHeader(kind, opened)
}

function headerKeyOf(keys: SessionKeys, chain: Place['chain']): Uint8Array | undefined {
  if (chain === 'next') return keys.nextReceiving.key
  return chain === 'current' ? keys.receiving?.header.key : chain.headerKey
}

function draftFor(ctx: SessionContext, role: SessionRole, keys: SessionKeys, place: Place, header: Header): Draft {
  if (place.chain === 'next') return draftTurn(ctx, role, keys, place.kind, header)
  return place.chain === 'current' ? draftCurrent(ctx, keys, header.n) : draftOld(keys, place.chain, header.n)
}

function draftOld(keys: SessionKeys, chain: OldChain, n: number): Draft {
  const stored = chain.skipped.find((skipped) => skipped.n === n)
  if (stored === undefined) throw new DecryptError('duplicate')
  const left = { ...chain, skipped: chain.skipped.filter((skipped) => skipped !== stored) }
  const old = keys.old.map((other) => (other === chain ? left : other))
  return { messageKey: stored.key, chain: chain.turn, keys: { ...keys, old }, consumed: [stored.key], fresh: [] }
}

function draftCurrent(ctx: SessionContext, keys: SessionKeys, n: number): Draft {
  const chain = keys.receiving
  if (chain === undefined) throw new DecryptError('authentication')
  if (n < chain.next) return draftSkipped(keys, chain, n)
  const advanced = advance(ctx, chain, n)
  const { message, next } = chainStep(ctx.crypto, advanced.chainKey)
  if (advanced.chainKey !== chain.chainKey) wipe(advanced.chainKey)
  const receiving = { ...chain, chainKey: next, next: n + 1, skipped: [...chain.skipped, ...advanced.skipped] }
  return {
    messageKey: message,
    chain: chain.turn,
    keys: { ...keys, receiving },
    consumed: [chain.chainKey, message],
    fresh: [message, next, ...advanced.skipped.map((skipped) => skipped.key)],
  }
}

function draftSkipped(keys: SessionKeys, chain: ReceivingChain, n: number): Draft {
  const stored = chain.skipped.find((skipped) => skipped.n === n)
  if (stored === undefined) throw new DecryptError('duplicate')
  const receiving = { ...chain, skipped: chain.skipped.filter((skipped) => skipped !== stored) }
  return { messageKey: stored.key, chain: chain.turn, keys: { ...keys, receiving }, consumed: [stored.key], fresh: [] }
}

/** The peer opened a new chain: the rest of its last one is stored, the root turns, the new chain begins. */
function draftTurn(ctx: SessionContext, role: SessionRole, keys: SessionKeys, kind: HeaderKind, header: Header): Draft {
  const { skipMax } = ctx.limits ?? DEFAULT_SESSION_LIMITS
  if (header.n > skipMax) throw new DecryptError('gap')
  const closed = closeChain(ctx, keys.receiving, header.previous)
  const turned = receiveTurn(ctx, role, keys, kind, header)
  const begun: ReceivingChain = {
    turn: (keys.receiving?.turn ?? -1) + 1,
    header: keys.nextReceiving,
    chainKey: turned.chainKey,
    next: 0,
    skipped: [],
  }
  const old = closed.chain === undefined ? keys.old : [closed.chain, ...keys.old]
  const draft = draftCurrent(ctx, { ...turned.keys, receiving: begun, old }, header.n)
  const fresh = [...draft.fresh, turned.keys.root, turned.chainKey, ...closed.fresh]
  return { ...draft, consumed: [...draft.consumed, ...turned.consumed, ...closed.consumed], fresh }
}

function openBody(crypto: CryptoProvider, messageKey: Uint8Array, message: SplitMessage, aad: Uint8Array): Uint8Array {
  const body = bodyKeys(crypto, messageKey, message.nonce)
  const committed = equal(body.commitment, message.commitment)
  const padded = committed ? crypto.open(body.key, body.nonce, aad, message.sealedBody) : undefined
  wipe(body.key, body.nonce, body.commitment)
  if (padded === undefined) throw new DecryptError('authentication')
  try {
    return unpad(padded)
  } catch (error) {
    if (error instanceof CodecError) throw new DecryptError('authentication')
    throw error
  } finally {
    wipe(padded)
  }
}
