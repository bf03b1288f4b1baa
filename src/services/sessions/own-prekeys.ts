/** This device's prekeys as first messages use them: their private halves come out of the store, and one-time ones never twice. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { DecryptError } from '../../lib/errors.ts'
import type { InitialPrekeyIds } from '../../wire/envelope.ts'
import { splitPrefix } from '../../wire/envelope.ts'
import { initialReplayId } from '../../protocol/pqxdh.ts'
import type { PrekeySecrets } from '../../protocol/pqxdh.ts'
import type { StoreOp } from '../../store/database.ts'
import { PREKEY_USE } from '../../store/prekeys.ts'
import type { OwnOneTimePrekey, Prekeys } from '../../store/prekeys.ts'
import type { Sessions as SessionRecords } from '../../store/sessions.ts'

export interface OwnPrekeysContext {
  readonly crypto: CryptoProvider
  readonly store: { readonly sessions: SessionRecords; readonly prekeys: Prekeys }
  /** A first message names a one-time prekey that another one has used up. */
  readonly onReuse?: (oneTimeId: number) => void
}

/** The secrets behind the ids of a first message. Throws {@link DecryptError}: `stale` where they are gone, `duplicate` for a replay. */
export async function prekeySecrets(
  context: OwnPrekeysContext,
  ids: InitialPrekeyIds,
  envelope: Uint8Array,
): Promise<{ readonly secrets: PrekeySecrets; readonly oneTime: OwnOneTimePrekey | undefined }> {
  const { prekeys } = context.store
  const oneTime = ids.oneTimeId === undefined ? undefined : await prekeys.oneTime.get(ids.oneTimeId)
  if (ids.oneTimeId !== undefined && oneTime === undefined) return refuseSpent(context, ids.oneTimeId, envelope)
  const signed = await prekeys.signed.get(ids.signedPrekeyId)
  if (signed === undefined) throw new DecryptError('stale')
  const kem = await prekeys.kem.get(ids.kemPrekeyId)
  const pair = oneTime && { secret: oneTime.secret, kemSeed: oneTime.kemSeed }
  return { secrets: { signedPrekey: signed.secret, kemPrekeySeed: kem?.seed, oneTime: pair }, oneTime }
}

async function refuseSpent(context: OwnPrekeysContext, id: number, envelope: Uint8Array): Promise<never> {
  const prefix = splitPrefix(envelope)
  const replayId = prefix && initialReplayId(context.crypto, prefix)
  if (replayId !== undefined && (await context.store.sessions.seenInitials.has(replayId))) {
    throw new DecryptError('duplicate')
  }
  context.onReuse?.(id)
  throw new DecryptError('stale')
}

/** A one-time pair goes, and that it was used stays; the last-resort prekey stays and is counted. */
export async function usedOps(
  prekeys: Prekeys,
  kemId: number,
  oneTime: OwnOneTimePrekey | undefined,
  now: number,
): Promise<readonly StoreOp[]> {
  const id = oneTime?.id ?? kemId
  const kind = oneTime === undefined ? PREKEY_USE.lastResort : PREKEY_USE.oneTime
  const known = await prekeys.uses.get(id)
  const [uses, firstAt] = [(known?.uses ?? 0) + 1, known?.firstAt ?? now]
  const use = { version: 1, id, kind, holder: oneTime?.holder ?? '', uses, firstAt, lastAt: now } as const
  return [...prekeys.uses.put(use), ...(oneTime === undefined ? [] : prekeys.oneTime.delete(oneTime.id))]
}
