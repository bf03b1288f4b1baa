/** What we let a contact know: our mailboxes of the year to come, its lane, and where to dial this device. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { GRANT_ADDRESSES } from '../../wire/content.ts'
import type { Grant } from '../../wire/content.ts'
import { PEER_ADDRESSES_MAX } from '../../wire/peer.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { epochKey, epochOf } from '../../protocol/mailbox-rules.ts'
import { CONTACT_DIRECT } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { Routing } from '../ports.ts'
import { laneSeed } from './lanes.ts'

export interface GrantComponents {
  readonly crypto: CryptoProvider
  readonly routing: Pick<Routing, 'self'>
  /** What somebody is told of us who is not to learn our address. */
  readonly hidden: () => PeerRecord
  readonly profile: { readonly epochMs: number }
  readonly mailboxSeed: Uint8Array
  /** The user wants to be met directly by nobody. */
  readonly neverDirect: boolean
}

type Grantee = Pick<Contact, 'accountId' | 'laneNumber' | 'direct'>

/** The last week, this one, and the five in which a request may be read and answered. */
const REQUEST_ADDRESSES = 7

/** Makes grants; the addresses are derived once an epoch, since each costs a key generation. */
export class Grants {
  readonly #c: GrantComponents
  #firstEpoch = -1
  #addresses: readonly Uint8Array[] = []

  constructor(components: GrantComponents) {
    this.#c = components
  }

  /** The grant for a contact, from the epoch before this one on: its clock may be behind ours. */
  for(contact: Grantee, nowMs: number): Grant {
    return this.#grant(contact, nowMs, GRANT_ADDRESSES, PEER_ADDRESSES_MAX)
  }

  /** As much of it as lets a request fit 16 KiB, so that its stamp stays cheap; the rest follows with the answer. */
  forRequest(contact: Grantee, nowMs: number): Grant {
    return this.#grant(contact, nowMs, REQUEST_ADDRESSES, 1)
  }

  #grant(contact: Grantee, nowMs: number, weeks: number, peers: number): Grant {
    const firstEpoch = Math.max(0, epochOf(nowMs, this.#c.profile) - 1)
    if (firstEpoch !== this.#firstEpoch) {
      this.#addresses = Array.from(
        { length: GRANT_ADDRESSES },
        (_, i) => epochKey(this.#c.crypto, this.#c.mailboxSeed, firstEpoch + i).address,
      )
      this.#firstEpoch = firstEpoch
    }
    const never = this.#c.neverDirect || contact.direct === CONTACT_DIRECT.never
    const self = never ? this.#c.hidden() : this.#c.routing.self()
    return {
      firstEpoch,
      addresses: this.#addresses.slice(0, weeks),
      laneSeed: laneSeed(this.#c.crypto, this.#c.mailboxSeed, contact),
      peerId: self.id,
      multiaddrs: self.addresses.slice(0, peers),
    }
  }
}
