/** Lanes: what each contact may write with, what of it stands in the policy, and whose a lane is (protocol §4). */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { concat, toHex, u32be, utf8 } from '../../lib/bytes.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import { laneOf } from '../../protocol/mailbox-rules.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import type { Letter } from '../../wire/letter.ts'

/** The seed of a contact's lane: a new one whenever `laneNumber` rises, so that an unblocked contact starts anew. */
export function laneSeed(
  crypto: CryptoProvider,
  mailboxSeed: Uint8Array,
  contact: Pick<Contact, 'accountId' | 'laneNumber'>,
): Uint8Array {
  const info = concat(utf8('sotto lane seed v1'), contact.accountId, u32be(contact.laneNumber))
  return crypto.hkdfSha256(mailboxSeed, new Uint8Array(0), info, 32)
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

/** Lanes that are remembered; beyond that all are derived anew. */
const LANES_MAX = 65_536

/** Whose lane a letter came on. Each lane is derived once: strangers must not make it cost a key for each contact. */
export class LaneFinder {
  readonly #crypto: CryptoProvider
  readonly #mailboxSeed: Uint8Array
  readonly #lanes = new Map<string, string>()

  constructor(crypto: CryptoProvider, mailboxSeed: Uint8Array) {
    this.#crypto = crypto
    this.#mailboxSeed = mailboxSeed
  }

  find(contacts: readonly Contact[], epochs: readonly number[], letter: Letter): Contact | undefined {
    if (letter.kind !== LETTER_KIND.lane) return undefined
    const lane = toHex(letter.lane)
    return contacts.find((contact) => epochs.some((epoch) => this.#lane(contact, epoch) === lane))
  }

  #lane(contact: Contact, epoch: number): string {
    const name = `${toHex(contact.accountId)}/${contact.laneNumber}/${epoch}`
    const known = this.#lanes.get(name)
    if (known !== undefined) return known
    const lane = toHex(laneOf(this.#crypto, laneSeed(this.#crypto, this.#mailboxSeed, contact), epoch))
    if (this.#lanes.size >= LANES_MAX) this.#lanes.clear()
    this.#lanes.set(name, lane)
    return lane
  }
}
