/** What becomes of the device's signed and last-resort prekeys as time passes. Decides; the caller writes. */
import type { Rng } from '../../lib/rng.ts'
import { PREKEY_ROTATION_MS, retentionOver, rotationDue } from '../../protocol/prekey-rules.ts'
import type { StoreOp } from '../../store/database.ts'
import type { OwnKemPrekey, OwnSignedPrekey, Prekeys } from '../../store/prekeys.ts'

type PrekeyStore = Pick<Prekeys, 'signed' | 'kem'>

export interface HeldPrekeys {
  readonly signed: readonly OwnSignedPrekey[]
  readonly kem: readonly OwnKemPrekey[]
}

export interface PrekeyRotation {
  /** What the next card carries. */
  readonly signed: OwnSignedPrekey
  readonly kem: OwnKemPrekey
  readonly nextId: number
  /** Whether the card's prekeys are new ones. */
  readonly rotated: boolean
  /** Writes new and retired prekeys, deletes those whose retention is over. */
  ops(store: PrekeyStore): readonly StoreOp[]
}

/** The prekeys for the next card: those in use, or new ones where they are a week old, none is there, or it is `asked` for. */
export function rotatePrekeys(
  held: HeldPrekeys,
  at: { readonly rng: Rng; readonly now: number; readonly nextId: number; readonly asked?: boolean },
): PrekeyRotation {
  const signed = at.asked === true ? undefined : inUse(held.signed, at.now)
  const kem = at.asked === true ? undefined : inUse(held.kem, at.now)
  const dropped = (store: PrekeyStore): readonly StoreOp[] => expiredOps(held, at.now, store)
  if (signed !== undefined && kem !== undefined) {
    return { signed, kem, nextId: at.nextId, rotated: false, ops: dropped }
  }
  const shared = { version: 1, createdAt: at.now, retiredAt: 0 } as const
  const newSigned: OwnSignedPrekey = { ...shared, id: at.nextId, secret: at.rng.bytes(32) }
  const newKem: OwnKemPrekey = { ...shared, id: at.nextId + 1, seed: at.rng.bytes(64) }
  return {
    signed: newSigned,
    kem: newKem,
    nextId: at.nextId + 2,
    rotated: true,
    ops: (store) => [
      ...retired(held.signed, at.now).flatMap((prekey) => store.signed.put(prekey)),
      ...retired(held.kem, at.now).flatMap((prekey) => store.kem.put(prekey)),
      ...store.signed.put(newSigned),
      ...store.kem.put(newKem),
      ...dropped(store),
    ],
  }
}

/** Deletes the private halves whose retention is over. */
export function expiredOps(held: HeldPrekeys, now: number, store: PrekeyStore): readonly StoreOp[] {
  return [
    ...held.signed.filter((prekey) => isOver(prekey, now)).flatMap(({ id }) => store.signed.delete(id)),
    ...held.kem.filter((prekey) => isOver(prekey, now)).flatMap(({ id }) => store.kem.delete(id)),
  ]
}

interface Aging {
  readonly createdAt: number
  readonly retiredAt: number
}

function inUse<T extends Aging>(prekeys: readonly T[], now: number): T | undefined {
  return prekeys.find((prekey) => prekey.retiredAt === 0 && !rotationDue(prekey.createdAt, now))
}

function isOver(prekey: Aging, now: number): boolean {
  return prekey.retiredAt !== 0 && retentionOver(prekey.retiredAt, now)
}

/** No card carried them for longer than a week, however late that is noticed: a device that slept wipes them as early. */
function retired<T extends Aging>(prekeys: readonly T[], now: number): readonly T[] {
  return prekeys
    .filter((prekey) => prekey.retiredAt === 0)
    .map((prekey) => ({ ...prekey, retiredAt: Math.min(now, prekey.createdAt + PREKEY_ROTATION_MS) }))
}
