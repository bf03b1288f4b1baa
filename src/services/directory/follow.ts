/** What a verdict makes of a contact. Pure: a contact in, a contact out. */
import { equal, utf8 } from '../../lib/bytes.ts'
import { prekeysFit } from '../../protocol/trust.ts'
import type { Contact, ContactDevice } from '../../store/records.ts'
import type { AccountCard } from '../../wire/card.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { ResolvedAccount } from './ports.ts'

const NAME_BYTES_MAX = 64

/** Whether a prekey card that was verified once may still be used. */
export function prekeysInForce(card: PrekeyCard, nowMs: number): boolean {
  return Math.min(card.body.expiresAt, card.body.certificate.body.expiresAt) > nowMs / 1_000
}

/** The devices of a card's list: what is known of those that stay, and nothing yet of new ones. */
function listedDevices(card: AccountCard, known: readonly ContactDevice[]): readonly ContactDevice[] {
  return card.body.devices.map(({ body: { deviceId } }) => {
    const same = known.find((device) => equal(device.deviceId, deviceId))
    // Prekeys may have come with a message, under the device's id and other keys: the list has the say.
    if (same?.prekeys !== undefined && !prekeysFit(card, same.prekeys)) {
      return { ...same, prekeys: undefined, prekeysAt: 0 }
    }
    return same ?? { deviceId, prekeys: undefined, prekeysAt: 0, grant: undefined, grantSent: 0 }
  })
}

/** The devices with newer prekey cards taken in. A lower number never replaces a higher one. */
function withPrekeys(
  devices: readonly ContactDevice[],
  prekeys: readonly PrekeyCard[],
  nowMs: number,
): readonly ContactDevice[] {
  return devices.map((device) => {
    const found = prekeys.find(({ body }) => equal(body.certificate.body.deviceId, device.deviceId))
    if (found === undefined || found.body.number < (device.prekeys?.body.number ?? 0)) return device
    return { ...device, prekeys: found, prekeysAt: nowMs }
  })
}

/** The contact after the network was asked: `account` is its pin from now on, which no later answer takes back. */
export function followed(contact: Contact, resolved: ResolvedAccount): Contact {
  const { account, prekeys, checkedAt } = resolved
  const pinnedAt = contact.pinned === undefined ? checkedAt : contact.pinnedAt
  const devices = withPrekeys(listedDevices(account, contact.devices), prekeys, checkedAt)
  return { ...contact, pinned: account, pinnedAt, checkedAt, devices }
}

/** The contact with a card that contradicts its pin: nothing is sent until the user decides. */
export function suspended(contact: Contact, card: AccountCard): Contact {
  return { ...contact, changed: card, verified: false }
}

/**
 * The contact's next account takes its name and standing. What its devices granted stays good, since devices and mailboxes
 * stay; what was granted to it has to be granted anew, for the new account has a lane of its own.
 */
export function successorContact(contact: Contact, next: ResolvedAccount): Contact {
  const devices = listedDevices(next.account, contact.devices).map((device) => {
    return { ...device, prekeys: undefined, prekeysAt: 0, grantSent: 0 }
  })
  const bare = { ...contact, pinned: undefined, changed: undefined, verified: false, token: undefined, devices }
  return followed({ ...bare, accountId: next.accountId, laneNumber: 0, addedAt: next.checkedAt }, next)
}

/** The former account's contact, kept for its conversation under a name that says what it is. */
export function formerContact(contact: Contact): Contact {
  const suffix = ' (former)'
  let name = contact.name
  while (utf8(name + suffix).length > NAME_BYTES_MAX) name = name.slice(0, -1)
  return { ...contact, name: name.toWellFormed().replace(/\uFFFD$/, '') + suffix, favourite: false }
}
