/** PUTSLICE, TAKEPREKEY and ASKSLICE: one-time prekeys, each given to one peer and never again. */
import { equal } from '../../lib/bytes.ts'
import { StorageError } from '../../lib/errors.ts'
import type { SecurityLog } from '../../lib/security-log.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import { prekeySliceCodec } from '../../wire/prekey-slices.ts'
import type { PrekeySlice, ProvenPrekey, TakePrekey } from '../../wire/prekey-slices.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import {
  prekeyStampBits,
  prekeyStampChallenge,
  sliceFits,
  sliceHash,
  sliceSignatureHolds,
  sliceWellFormed,
} from '../../protocol/prekey-pool.ts'
import { bytesOf } from '../../store/held-prekeys.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import type { PrekeyQuotas } from './prekey-quotas.ts'
import type { Quotas } from './quotas.ts'
import { receiptFor } from './receipts.ts'

/** A bundle costs as much as four plain requests, like a card. */
const BUNDLE_COST = 3
/** How far the hour of a stamp may lie from the holder's. */
const HOURS_OFF_MAX = 1

export interface SliceDesk extends HolderDeps {
  readonly quotas: Quotas
  readonly prekeyQuotas: PrekeyQuotas
  readonly security: SecurityLog
}

/** Checked in the order of what the checks cost: sizes, rates, number, card, room, paths, signature. */
export async function putSlice(desk: SliceDesk, caller: HolderCaller, slice: PrekeySlice): Promise<Outcome> {
  const { body } = slice
  if (!sliceWellFormed(body)) return outcome(HOLDER_STATUS.refused, body.card)
  const bytes = encode(prekeySliceCodec, slice).length
  if (!desk.prekeyQuotas.takeAttempt(caller, body.card) || !desk.quotas.takePut(caller, bytes)) {
    return outcome(HOLDER_STATUS.rate, body.card)
  }
  const known = await desk.held.prekeys.known(body.card)
  if (known !== undefined && body.number < known.number) return outcome(HOLDER_STATUS.stale, body.card)
  const card = await heldCard(desk, body.card)
  if (card === undefined) return outcome(HOLDER_STATUS.notFound, body.card)
  const refusal = refusalOf(desk, slice, card, known?.bytes ?? 0)
  if (refusal !== undefined) return outcome(refusal, body.card)
  desk.prekeyQuotas.written(body.card)
  return store(desk, slice, card)
}

function refusalOf(
  desk: SliceDesk,
  slice: PrekeySlice,
  card: PrekeyCard,
  bytesBefore: number,
): HolderStatus | undefined {
  const { body } = slice
  // A card that is older than the slice: whoever brings the slice has the newer one.
  if (card.body.number < body.number) return HOLDER_STATUS.notFound
  if (card.body.number > body.number && !equal(card.body.pool.root, body.root)) return HOLDER_STATUS.stale
  if (!desk.quotas.hasCardRoom(bytesOf(body.prekeys.length), bytesBefore)) return HOLDER_STATUS.full
  if (!sliceFits(desk.crypto, slice, card)) return HOLDER_STATUS.refused
  const { signingKey } = card.body.certificate.body
  if (sliceSignatureHolds(desk.crypto, signingKey, desk.signer.peerId, slice)) return undefined
  desk.security.note('somebody brought prekeys that their device did not sign')
  return HOLDER_STATUS.refused
}

async function store(desk: SliceDesk, slice: PrekeySlice, card: PrekeyCard): Promise<Outcome> {
  const key = slice.body.card
  try {
    const result = await desk.held.prekeys.put(slice.body, Math.ceil((card.body.expiresAt * 1_000) / HOUR_MS))
    if (result === 'stale') return outcome(HOLDER_STATUS.stale, key)
    return receiptFor(desk, sliceHash(desk.crypto, slice), key)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    desk.log.warn('the disk refused a slice of prekeys')
    return outcome(HOLDER_STATUS.full, key)
  }
}

/** The card to everyone; a one-time prekey to who paid for it, as long as there are any. */
export async function takePrekey(desk: SliceDesk, caller: HolderCaller, request: TakePrekey): Promise<Outcome> {
  const key = request.card
  if (!desk.prekeyQuotas.takeFetch(caller)) {
    desk.security.note('a peer or its network asks for more prekeys than any sender needs')
    return outcome(HOLDER_STATUS.rate, key)
  }
  const card = await heldCard(desk, key)
  if (card === undefined) return outcome(HOLDER_STATUS.notFound, key)
  desk.quotas.chargeRequest(caller, BUNDLE_COST)
  const paid = card.body.pool.count > 0 && (await isPaid(desk, caller, request))
  const allowed = paid && desk.prekeyQuotas.takeTarget(caller, key)
  const oneTime = allowed ? await given(desk, key, card.body.pool.root) : undefined
  return outcome(HOLDER_STATUS.ok, key, { kind: ANSWER_KIND.bundle, body: { card, oneTime } })
}

/** What is left, to the device alone: how often it is written to is nobody else's business. */
export async function askSlice(desk: SliceDesk, card: Uint8Array, token: Uint8Array): Promise<Outcome> {
  const report = await desk.held.prekeys.report(card, token)
  if (report === undefined) return outcome(HOLDER_STATUS.notFound, card)
  return outcome(HOLDER_STATUS.ok, card, { kind: ANSWER_KIND.sliceReport, body: report })
}

/** A disk that fails gives nothing out; the card's last-resort prekey serves. */
async function given(desk: SliceDesk, key: Uint8Array, root: Uint8Array): Promise<ProvenPrekey | undefined> {
  try {
    return await desk.held.prekeys.take(key, root)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    desk.log.warn('the disk refused to note that a prekey was taken')
    return undefined
  }
}

async function isPaid(desk: SliceDesk, caller: HolderCaller, { card, hour, stamp }: TakePrekey): Promise<boolean> {
  const price = prekeyStampBits(desk.profile.stampBits)
  if (price === 0) return true
  const hoursOff = Math.abs(Math.floor(desk.clock.now() / HOUR_MS) - hour)
  if (stamp.bits < price || hoursOff > HOURS_OFF_MAX) return false
  if (desk.prekeyQuotas.isSpent(card, stamp.nonce) || !desk.quotas.takeStampLook(caller)) return false
  const challenge = prekeyStampChallenge(desk.crypto, { card, holder: desk.signer.peerId, hour, bits: stamp.bits })
  const verdict = await desk.stamps.verifyWork({ challenge, bits: stamp.bits, nonce: stamp.nonce })
  if (verdict !== 'bad') desk.quotas.giveStampLookBack(caller)
  // Spent is only what was looked at: a stranger who keeps the verifier busy must not use up the stamps of others.
  return verdict === 'good' && desk.prekeyQuotas.spend(card, stamp.nonce)
}

async function heldCard(desk: SliceDesk, key: Uint8Array): Promise<PrekeyCard | undefined> {
  const record = await desk.held.cards.get(key, desk.clock.now())
  return record?.kind === CARD_KIND.prekeys ? record.body : undefined
}
