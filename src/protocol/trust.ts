/**
 * Trust on first use (protocol §2): what a card means beside the one that is pinned. Pure: both cards were verified by
 * `card-rules` before, and what to do with the verdict is {@link consequenceOf}'s.
 *
 * An account id commits to the account's keys, so nobody can answer for it with keys of their own. What is left to tell apart
 * is the honest next card, the old one played again, and two histories signed by one key: a stolen phrase.
 */

import type { CryptoProvider } from '../crypto/provider.ts'
import { equal, toHex } from '../lib/bytes.ts'
import type { AccountCard, DeviceCertificateBody } from '../wire/card.ts'
import type { PrekeyCard } from '../wire/prekeys.ts'
import { accountId } from './account-id.ts'
import { accountCardHash, accountIdOfCard, sameDevice, sameDeviceKeys } from './card-rules.ts'

/** What happened to the device list. */
export interface DeviceChanges {
  readonly added: readonly DeviceCertificateBody[]
  readonly removed: readonly DeviceCertificateBody[]
}

/**
 * Why a card contradicts the pin: other account keys · a chain that forks · a device with other keys · another successor, or
 * a device more after one was named.
 */
type Contradiction = 'account-key' | 'chain' | 'device-key' | 'successor'

export type TrustVerdict =
  /** Nothing is pinned yet. */
  | { readonly kind: 'first' }
  | { readonly kind: 'same' }
  /** A higher number by the same account key; where a number was missed, its signature stands for the chain. */
  | { readonly kind: 'newer'; readonly devices: DeviceChanges }
  /** A lower number: played again, or a holder that slept. */
  | { readonly kind: 'older' }
  /** The same number with other contents. */
  | { readonly kind: 'equivocation' }
  /** The account names the one that follows it, and that one agreed. */
  | { readonly kind: 'successor'; readonly accountId: Uint8Array; readonly devices: DeviceChanges }
  | { readonly kind: 'changed'; readonly why: Contradiction }

/**
 * What to do: `pin` it · `keep` the pin, it is fresh · `ignore` the card · `follow` it in silence, or follow it and give
 * `notice` · `suspend` the contact: send nothing until the user decides.
 */
export type Consequence = 'pin' | 'keep' | 'ignore' | 'follow' | 'notice' | 'suspend'

/** What the verified card `fetched` means beside `pinned`. */
export function judgeCard(crypto: CryptoProvider, pinned: AccountCard | undefined, fetched: AccountCard): TrustVerdict {
  if (pinned === undefined) return { kind: 'first' }
  if (!equal(accountIdOfCard(crypto, pinned), accountIdOfCard(crypto, fetched))) return changed('account-key')
  const step = fetched.body.number - pinned.body.number
  if (step < 0) return { kind: 'older' }
  const pinnedHash = accountCardHash(crypto, pinned)
  if (step === 0) return { kind: equal(pinnedHash, accountCardHash(crypto, fetched)) ? 'same' : 'equivocation' }
  if (step === 1 && !equal(fetched.body.previous, pinnedHash)) return changed('chain')
  return judgeNewer(crypto, pinned, fetched)
}

/** What is left of a pin when the card itself is gone (recovery): its number, and the SHA-256 of its body. */
export interface PinMemory {
  readonly number: number
  readonly hash: Uint8Array
  /** It was in question: any other card still is. */
  readonly suspended: boolean
}

/** What the verified card `fetched` means beside the memory of a pin. `first`: nothing speaks against it. */
export function judgeByMemory(crypto: CryptoProvider, memory: PinMemory, fetched: AccountCard): TrustVerdict {
  const step = fetched.body.number - memory.number
  if (step < 0) return { kind: 'older' }
  const same = equal(memory.hash, accountCardHash(crypto, fetched))
  if (step === 0 && !same) return { kind: 'equivocation' }
  if ((step === 1 && !equal(fetched.body.previous, memory.hash)) || (memory.suspended && !same)) return changed('chain')
  return { kind: 'first' }
}

/** What a verdict does. */
export function consequenceOf(verdict: TrustVerdict): Consequence {
  if (verdict.kind !== 'newer') return CONSEQUENCES[verdict.kind]
  return verdict.devices.added.length + verdict.devices.removed.length > 0 ? 'notice' : 'follow'
}

const CONSEQUENCES = {
  first: 'pin',
  same: 'keep',
  older: 'ignore',
  successor: 'notice',
  equivocation: 'suspend',
  changed: 'suspend',
} as const satisfies Partial<Record<TrustVerdict['kind'], Consequence>>

/** The devices that came and went between two cards of one account. */
export function deviceChanges(before: AccountCard, after: AccountCard): DeviceChanges {
  const old = byId(before)
  const now = byId(after)
  return {
    added: [...now].filter(([id]) => !old.has(id)).map(([, device]) => device),
    removed: [...old].filter(([id]) => !now.has(id)).map(([, device]) => device),
  }
}

/**
 * Whether a verified prekey card is of a device on this account's list, with the very keys that the list has. A card that
 * is not says nothing about the account: an unlisted device may be a revoked one.
 */
export function prekeysFit(account: AccountCard, prekeys: PrekeyCard): boolean {
  return account.body.devices.some((device) => sameDevice(device.body, prekeys.body.certificate.body))
}

function judgeNewer(crypto: CryptoProvider, pinned: AccountCard, fetched: AccountCard): TrustVerdict {
  const old = byId(pinned)
  for (const [id, device] of byId(fetched)) {
    const before = old.get(id)
    // A device never changes its keys under its id: a new key is a new device.
    if (before !== undefined && !sameDeviceKeys(before, device)) return changed('device-key')
  }
  const before = successorId(crypto, pinned)
  const after = successorId(crypto, fetched)
  if (before !== undefined && (after === undefined || !equal(before, after))) return changed('successor')
  const devices = deviceChanges(pinned, fetched)
  // Who rotates may do so because the old key was stolen: it adds no device to an account that has gone on.
  if (before !== undefined && devices.added.length > 0) return changed('successor')
  if (before === undefined && after !== undefined) return { kind: 'successor', accountId: after, devices }
  return { kind: 'newer', devices }
}

function changed(why: Contradiction): TrustVerdict {
  return { kind: 'changed', why }
}

function successorId(crypto: CryptoProvider, card: AccountCard): Uint8Array | undefined {
  return card.body.successor && accountId(crypto, card.body.successor.account)
}

function byId(card: AccountCard): ReadonlyMap<string, DeviceCertificateBody> {
  return new Map(card.body.devices.map((device) => [toHex(device.body.deviceId), device.body]))
}
