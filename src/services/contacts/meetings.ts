/**
 * Which peers may learn where we are: devices of contacts that the user agreed to, and lets meet us. What is decided here holds at
 * once, for streams that are open and for those that are being made.
 */
import { toHex } from '../../lib/bytes.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { ContactWatcher } from '../../store/contacts.ts'
import { CONTACT_DIRECT, CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Meeting, MeetingNetwork } from '../ports.ts'

/** Of one contact, whoever its devices are. */
type Standing = 'direct' | 'never' | 'blocked'

export interface MeetingsComponents {
  readonly contacts: { list(): Promise<readonly Contact[]>; watch(watcher: ContactWatcher): () => void }
  readonly network: MeetingNetwork
  /** What somebody is told of us who is not to learn our address: {@link hidden}. */
  readonly hidden: () => PeerRecord
  /** The user wants to be met directly by nobody. */
  readonly neverDirect: boolean
}

export class Meetings implements Startable {
  readonly #c: MeetingsComponents
  /** By account (hex). */
  readonly #contacts = new Map<string, { readonly standing: Standing; readonly peerIds: readonly string[] }>()
  readonly #peers = new Map<string, readonly Standing[]>()
  #unwatch: (() => void) | undefined

  constructor(components: MeetingsComponents) {
    this.#c = components
  }

  async start(): Promise<void> {
    this.#unwatch = this.#c.contacts.watch((accountId, contact) => {
      if (this.#note(accountId, contact)) this.changed()
    })
    for (const contact of await this.#c.contacts.list()) this.#note(contact.accountId, contact)
    this.changed()
  }

  /** Nobody is a contact of whom nothing is known. */
  stop(): void {
    this.#unwatch?.()
    this.#contacts.clear()
    this.#peers.clear()
    this.changed()
  }

  /** Also to be called when our own addresses did. */
  changed(): void {
    this.#c.network.meetBy((peerId) => this.of(peerId))
  }

  /** A peer id is what a contact says: where several do, the one that may have most decides, for it could pass that on. */
  of(peerId: string): Meeting {
    const standings = this.#peers.get(peerId) ?? []
    if (standings.includes('direct')) return 'direct'
    if (standings.includes('never')) return this.#c.hidden().id === '' ? 'none' : 'relayed'
    return standings.includes('blocked') ? 'none' : 'stranger'
  }

  /** Whether it makes a difference. */
  #note(accountId: Uint8Array, contact: Contact | undefined): boolean {
    const account = toHex(accountId)
    const before = this.#contacts.get(account)
    const standing = contact === undefined ? undefined : standingOf(contact, this.#c.neverDirect)
    const peerIds = (contact?.devices ?? []).flatMap(({ grant }) => (grant?.peerId ? [grant.peerId] : []))
    if (standing === before?.standing && peerIds.join() === (before?.peerIds ?? []).join()) return false
    if (standing === undefined) this.#contacts.delete(account)
    else this.#contacts.set(account, { standing, peerIds })
    for (const peerId of new Set([...(before?.peerIds ?? []), ...peerIds])) this.#judge(peerId)
    return true
  }

  #judge(peerId: string): void {
    const standings = [...this.#contacts.values()].flatMap((each) =>
      each.peerIds.includes(peerId) ? [each.standing] : [],
    )
    if (standings.length === 0) this.#peers.delete(peerId)
    else this.#peers.set(peerId, standings)
  }
}

/** None for who asked and was not answered, and for an account whose keys contradict its pin. */
function standingOf({ state, changed, direct }: Contact, neverDirect: boolean): Standing | undefined {
  if (state === CONTACT_STATE.blocked) return 'blocked'
  if (state === CONTACT_STATE.incoming || changed !== undefined) return undefined
  return neverDirect || direct === CONTACT_DIRECT.never ? 'never' : 'direct'
}

/** The ways in without those of our own (`self`) that are not among the `told` ones. */
export function hiddenWays(waysIn: readonly string[], self: PeerRecord, told: PeerRecord): readonly string[] {
  return waysIn.filter((address) => !self.addresses.includes(address) || told.addresses.includes(address))
}

/**
 * What somebody is told who is not to learn our address: how relays lead here, where nobody can dial us by anything else; otherwise,
 * and until that is known, nothing: whoever knows the peer id finds the address in the network.
 */
export function hidden(self: PeerRecord, behindNat: boolean): PeerRecord {
  const byRelays = behindNat && self.addresses.every((address) => address.includes('/p2p-circuit'))
  return byRelays ? self : { id: '', addresses: [] }
}
