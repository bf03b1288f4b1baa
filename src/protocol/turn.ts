/**
 * Turns of R1h: how either side leaves its last chain and opens the next (README, "Turns"). Each mixes a fresh X25519
 * secret into the root, and every turn of the responder an ML-KEM-768 secret as well.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat } from '../lib/bytes.ts'
import { DecryptError, UsageError, VerificationError } from '../lib/errors.ts'
import { splitTurn } from '../wire/envelope.ts'
import type { Header, HeaderKind } from '../wire/envelope.ts'
import type { SendingChain, SessionKeys, SessionRole } from '../wire/session-state.ts'
import { rootStep } from './chain.ts'
import type { SessionContext } from './pqxdh.ts'

/** New keys, and the secrets of the old ones that are not in them. */
export interface Stepped {
  readonly keys: SessionKeys
  readonly consumed: readonly Uint8Array[]
}

const NOTHING = new Uint8Array()

/** Opens our next chain: fresh X25519 key; the initiator's fresh KEM key, or the responder's ciphertext for the last. */
export function takeTurn(ctx: SessionContext, role: SessionRole, keys: SessionKeys): Stepped {
  if (keys.ratchetPeer === undefined) throw new UsageError('it is the peer that has to answer first')
  const ratchetSecret = ctx.rng.bytes(32)
  const ratchet = ctx.crypto.x25519PublicKey(ratchetSecret)
  const dh = usable(ctx.crypto.x25519(ratchetSecret, keys.ratchetPeer))
  const kem = role === 'initiator' ? offerKem(ctx) : answerKem(ctx, keys)
  const opening = concat(ratchet, kem.shown, kem.shownConfirmation)
  const step = rootStep(ctx.crypto, keys.root, { dh, kem: kem.secret, confirmation: kem.confirmation }, opening)
  const sending: SendingChain = {
    turn: keys.turns,
    header: keys.nextSending,
    chainKey: step.chainKey,
    next: 0,
    previous: keys.previous,
    opening,
  }
  return {
    keys: {
      ...keys,
      root: step.root,
      ratchetSecret,
      ratchetPeer: undefined,
      kemSeed: kem.seed,
      kemPeer: undefined,
      confirmPeer: undefined,
      nextSending: step.nextHeader,
      turns: keys.turns + 1,
      sending,
    },
    consumed: [keys.root],
  }
}

interface KemPart {
  readonly seed: Uint8Array | undefined
  readonly shown: Uint8Array
  readonly shownConfirmation: Uint8Array
  readonly secret: Uint8Array | undefined
  readonly confirmation: Uint8Array | undefined
}

function offerKem({ crypto, rng }: SessionContext): KemPart {
  const seed = rng.bytes(64)
  const shown = crypto.kemPublicKey(768, seed)
  return { seed, shown, shownConfirmation: NOTHING, secret: undefined, confirmation: undefined }
}

function answerKem({ crypto }: SessionContext, keys: SessionKeys): KemPart {
  if (keys.kemPeer === undefined) throw new UsageError('it is the peer that has to answer first')
  const answer = usable(crypto.kemEncapsulate(768, keys.kemPeer))
  const confirm = keys.confirmPeer && usable(crypto.kemEncapsulate(1024, keys.confirmPeer))
  return {
    seed: undefined,
    shown: answer.ciphertext,
    shownConfirmation: confirm?.ciphertext ?? NOTHING,
    secret: answer.secret,
    confirmation: confirm?.secret,
  }
}

/** A key that the authenticated peer sent and that is none. Only a broken peer does this; a new session mends it. */
function usable<T>(value: T | undefined): T {
  if (value === undefined) throw new VerificationError('the peer sent a key that is none')
  return value
}

/** The peer's turn: its new chain's first key. Throws {@link DecryptError} where this cannot be one. */
export function receiveTurn(
  ctx: SessionContext,
  role: SessionRole,
  keys: SessionKeys,
  kind: HeaderKind,
  header: Header,
): Stepped & { chainKey: Uint8Array } {
  const { crypto } = ctx
  if (header.turn === undefined || keys.ratchetSecret === undefined) throw new DecryptError('authentication')
  const turn = splitTurn(kind, header.turn)
  const dh = genuine(crypto.x25519(keys.ratchetSecret, turn.ratchet))
  const kem = role === 'initiator' ? openKem(crypto, keys, kind, turn) : noKem(kind)
  const step = rootStep(crypto, keys.root, { dh, ...kem }, header.turn)
  const { sending } = keys
  return {
    chainKey: step.chainKey,
    keys: {
      ...keys,
      root: step.root,
      ratchetSecret: undefined,
      ratchetPeer: turn.ratchet.slice(),
      kemSeed: undefined,
      kemPeer: role === 'responder' ? turn.kem.slice() : undefined,
      confirmSeed: undefined,
      nextReceiving: step.nextHeader,
      previous: sending?.next ?? keys.previous,
      sending: undefined,
    },
    consumed: present(
      keys.root,
      keys.ratchetSecret,
      keys.kemSeed,
      keys.confirmSeed,
      sending?.chainKey,
      sending?.header.key,
      sending?.header.tagKey,
    ),
  }
}

interface KemSecrets {
  readonly kem: Uint8Array | undefined
  readonly confirmation: Uint8Array | undefined
}

/** The initiator's side of a responder's turn. The first one has to confirm; no later one may. */
function openKem(
  crypto: CryptoProvider,
  keys: SessionKeys,
  kind: HeaderKind,
  turn: { readonly kem: Uint8Array; readonly confirmation: Uint8Array | undefined },
): KemSecrets {
  const expected = keys.confirmSeed === undefined ? 'responder' : 'confirming'
  if (kind !== expected || keys.kemSeed === undefined) throw new DecryptError('authentication')
  return {
    kem: genuine(crypto.kemDecapsulate(768, keys.kemSeed, turn.kem)),
    confirmation:
      keys.confirmSeed &&
      turn.confirmation &&
      genuine(crypto.kemDecapsulate(1024, keys.confirmSeed, turn.confirmation)),
  }
}

function noKem(kind: HeaderKind): KemSecrets {
  if (kind !== 'initiator') throw new DecryptError('authentication')
  return { kem: undefined, confirmation: undefined }
}

function genuine<T>(value: T | undefined): T {
  if (value === undefined) throw new DecryptError('authentication')
  return value
}

/** The secrets among these that are there. */
export function present(...secrets: readonly (Uint8Array | undefined)[]): readonly Uint8Array[] {
  return secrets.filter((secret) => secret !== undefined)
}
