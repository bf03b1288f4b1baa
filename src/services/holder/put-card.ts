/** PUTCARD and GETCARD: mutable records, of which the highest number wins for good. */
import { StorageError } from '../../lib/errors.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, CARD_KIND, cardRecordCodec, HOLDER_STATUS } from '../../wire/holder.ts'
import type { CardRecord } from '../../wire/holder.ts'
import { cardExpiryAllowed, cardHolds, cardKey, cardVersion, compareVersions } from '../../protocol/mailbox-rules.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'
import { receiptFor } from './receipts.ts'

/** A card that is read costs as much as four plain requests: up to 50 KiB, checked and decoded. */
const CARD_COST = 3

export async function putCard(desk: Desk, caller: HolderCaller, record: CardRecord): Promise<Outcome> {
  const now = desk.clock.now()
  const key = cardKey(desk.crypto, record)
  const bytes = encode(cardRecordCodec, record).length
  if (!cardExpiryAllowed(record, now)) return outcome(HOLDER_STATUS.expired, key)
  if (!desk.quotas.takePut(caller, bytes)) return outcome(HOLDER_STATUS.rate, key)
  const version = cardVersion(desk.crypto, record)
  const known = await desk.held.cards.version(key)
  const order = known === undefined ? 1 : compareVersions(version, known)
  if (order < 0) return outcome(HOLDER_STATUS.stale, key)
  if (order === 0 && known !== undefined && known.bytes > 0) return receiptFor(desk, version.hash, key)
  if (!desk.quotas.hasCardRoom(bytes, known?.bytes ?? 0, record.kind)) return outcome(HOLDER_STATUS.full, key)
  if (!cardHolds(desk.crypto, record, now)) return outcome(HOLDER_STATUS.refused, key)
  return store(desk, record, key, version.hash)
}

async function store(desk: Desk, record: CardRecord, key: Uint8Array, hash: Uint8Array): Promise<Outcome> {
  try {
    const result = await desk.held.cards.put(record, desk.clock.now())
    if (record.kind === CARD_KIND.policy) desk.policies.forget(key)
    return result === 'stale' ? outcome(HOLDER_STATUS.stale, key) : receiptFor(desk, hash, key)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    desk.log.warn('the disk refused a card')
    return outcome(HOLDER_STATUS.full, key)
  }
}

export async function getCard(desk: Desk, caller: HolderCaller, key: Uint8Array): Promise<Outcome> {
  const record = await desk.held.cards.get(key, desk.clock.now())
  if (record === undefined) return outcome(HOLDER_STATUS.notFound, key)
  desk.quotas.chargeRequest(caller, CARD_COST)
  return outcome(HOLDER_STATUS.ok, key, { kind: ANSWER_KIND.card, body: record })
}
