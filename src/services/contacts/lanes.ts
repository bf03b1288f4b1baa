/** Lanes: what each contact may write with, and what of it stands in the policy (protocol §4). Pure derivations. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { u32be, utf8, concat } from '../../lib/bytes.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'

/** The seed of a contact's lane: a new one whenever `laneNumber` rises, so that an unblocked contact starts anew. */
export function laneSeed(
  crypto: CryptoProvider,
  mailboxSeed: Uint8Array,
  contact: Pick<Contact, 'accountId' | 'laneNumber'>,
): Uint8Array {
  const info = concat(utf8('sotto lane seed v1'), contact.accountId, u32be(contact.laneNumber))
  return crypto.hkdfSha256(mailboxSeed, new Uint8Array(0), info, 32)
}

/** The seed of the lane that an invite's one-time token opens in the intro box. */
export function tokenLaneSeed(crypto: CryptoProvider, token: Uint8Array): Uint8Array {
  return crypto.hkdfSha256(token, new Uint8Array(0), utf8('sotto invite lane v1'), 32)
}

/** Whose lanes stand open: everyone we asked or accepted. A blocked contact's lane is gone with the next policy. */
export function openLanes(
  crypto: CryptoProvider,
  mailboxSeed: Uint8Array,
  contacts: readonly Contact[],
): readonly Uint8Array[] {
  return contacts
    .filter(({ state }) => state === CONTACT_STATE.accepted || state === CONTACT_STATE.requested)
    .map((contact) => laneSeed(crypto, mailboxSeed, contact))
}
