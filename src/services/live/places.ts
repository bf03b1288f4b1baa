/** Where accepted contacts can be met: which devices speak under which peer ids, as they said in their grants. */
import { toHex } from '../../lib/bytes.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import { CLAIMS_MAX } from './limits.ts'

/** One device of one contact under the peer id that it named. Two contacts may name the same. */
export interface Place {
  readonly key: string
  readonly peerId: string
  /** The account id in hexadecimal. */
  readonly account: string
  readonly accountId: Uint8Array
  readonly deviceId: Uint8Array
}

export class Places {
  readonly #byAccount = new Map<string, readonly Place[]>()
  readonly #byPeer = new Map<string, readonly Place[]>()

  at(peerId: string): readonly Place[] {
    return this.#byPeer.get(peerId) ?? []
  }

  /** Those at a peer id that are tried: one of each account, so that none takes the turn of another. */
  claims(peerId: string): readonly Place[] {
    const each = new Map(this.at(peerId).map((place) => [place.account, place]))
    return [...each.values()].slice(0, CLAIMS_MAX)
  }

  of(accountId: Uint8Array): readonly Place[] {
    return this.#byAccount.get(toHex(accountId)) ?? []
  }

  all(): readonly Place[] {
    return [...this.#byAccount.values()].flat()
  }

  clear(): void {
    this.#byAccount.clear()
    this.#byPeer.clear()
  }

  /** The contact is like this from now on; the places that are no longer its own. */
  note(accountId: Uint8Array, contact: Contact | undefined): readonly Place[] {
    const account = toHex(accountId)
    const before = this.#byAccount.get(account) ?? []
    const after = placesOf(account, contact)
    const went = before.filter(({ key }) => !after.some((place) => place.key === key))
    if (went.length === 0 && after.length === before.length) return []
    if (after.length === 0) this.#byAccount.delete(account)
    else this.#byAccount.set(account, after)
    for (const peerId of new Set([...before, ...after].map((place) => place.peerId))) {
      const others = this.at(peerId).filter((place) => place.account !== account)
      const here = [...others, ...after.filter((place) => place.peerId === peerId)]
      if (here.length === 0) this.#byPeer.delete(peerId)
      else this.#byPeer.set(peerId, here)
    }
    return went
  }
}

/** None of whom the user has not agreed to, or whose keys contradict their pin. */
function placesOf(account: string, contact: Contact | undefined): readonly Place[] {
  if (contact?.state !== CONTACT_STATE.accepted || contact.changed !== undefined) return []
  const { accountId } = contact
  return contact.devices.flatMap(({ deviceId, grant }) =>
    grant === undefined || grant.peerId === ''
      ? []
      : [{ key: `${grant.peerId} ${account} ${toHex(deviceId)}`, peerId: grant.peerId, account, accountId, deviceId }],
  )
}
