/** What a contact out of a record means beside the one that is here. Pure. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { equal } from '../../lib/bytes.ts'
import { accountCardHash } from '../../protocol/card-rules.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { Recovering } from '../../store/recovery.ts'
import type { RecoveredContact } from '../../wire/recovery.ts'
import type { FoundHow } from './ports.ts'

/** What is to be written: the contact, and that it is to be met again. */
interface Merged {
  readonly contact: Contact
  readonly sought: Recovering | undefined
}

/** `undefined`: what is here stays as it is. */
export function mergedContact(
  crypto: CryptoProvider,
  here: Contact | undefined,
  kept: RecoveredContact,
  { since, sure }: FoundHow,
): Merged | undefined {
  if (here === undefined) return withSought(contactOf(sure ? kept : doubted(kept)), kept, sure)
  if (!sure || here.state === CONTACT_STATE.blocked) return undefined
  const decidedHere = here.addedAt >= since && here.state !== CONTACT_STATE.incoming
  if (kept.state === CONTACT_STATE.blocked) {
    return decidedHere ? undefined : { contact: { ...here, state: kept.state }, sought: undefined }
  }
  const later = hasLaterPin(crypto, here, kept)
  // Who asked us while we looked was a contact before; what the user had decided then stands.
  const asked = here.state === CONTACT_STATE.incoming && kept.state !== CONTACT_STATE.incoming
  if (!later && !asked) return undefined
  const contact = asked ? { ...here, ...chosenOf(kept), state: kept.state } : here
  // A pin of before that is later than ours, or contradicts it: the next card is judged by that one.
  return withSought(later ? { ...contact, pinned: undefined, checkedAt: 0 } : contact, kept, sure)
}

function withSought(contact: Contact, { pin, suspended }: RecoveredContact, sure: boolean): Merged {
  const { accountId, state } = contact
  if (state === CONTACT_STATE.blocked) return { contact, sought: undefined }
  const greet = sure && (state === CONTACT_STATE.accepted || state === CONTACT_STATE.requested)
  return { contact, sought: { version: 1, accountId, pin, suspended, greet } }
}

/** Nobody of this home has said so: it may ask, and the user decides. Who was blocked stays so. */
function doubted(kept: RecoveredContact): RecoveredContact {
  const state = kept.state === CONTACT_STATE.blocked ? kept.state : CONTACT_STATE.incoming
  return { ...kept, state, verified: false, favourite: false }
}

function hasLaterPin(crypto: CryptoProvider, { pinned }: Contact, { pin }: RecoveredContact): boolean {
  if (pin === undefined || pinned === undefined) return false
  const { number } = pinned.body
  return pin.number > number || (pin.number === number && !equal(pin.hash, accountCardHash(crypto, pinned)))
}

type Chosen = Pick<Contact, 'name' | 'note' | 'pinSource' | 'verified' | 'favourite' | 'direct' | 'addedAt'>

function chosenOf({ name, note, pinSource, verified, favourite, direct, addedAt }: RecoveredContact): Chosen {
  return { name, note, pinSource, verified, favourite, direct, addedAt }
}

/** The contact with nothing known of its devices. */
function contactOf(kept: RecoveredContact): Contact {
  return {
    ...chosenOf(kept),
    accountId: kept.accountId,
    state: kept.state,
    pinned: undefined,
    pinnedAt: 0,
    checkedAt: 0,
    changed: undefined,
    laneNumber: 0,
    lastSeenAt: 0,
    token: undefined,
    devices: [],
  }
}
