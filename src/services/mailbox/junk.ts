/** Which letters of one mailbox nobody can read, and whom to tell that it may let go of them. */
import { toHex } from '../../lib/bytes.ts'
import { DROP_IDS_MAX } from '../../wire/holder.ts'

/** Letters remembered for one holder: several times as many as strangers can have in a box at once. */
const DUE_MAX = 4 * DROP_IDS_MAX

export class Junk {
  /** By holder (peer id): ids by their hexadecimal text. */
  readonly #due = new Map<string, Map<string, Uint8Array>>()

  /** The holder has this letter, and it is junk. Does nothing where too many are due already: it is listed again. */
  add(peerId: string, id: Uint8Array): void {
    const due = this.#due.get(peerId) ?? new Map<string, Uint8Array>()
    if (due.size < DUE_MAX) due.set(toHex(id), id)
    this.#due.set(peerId, due)
  }

  /** What is due at this holder, as much as one request takes. */
  due(peerId: string): readonly Uint8Array[] {
    return [...(this.#due.get(peerId)?.values() ?? [])].slice(0, DROP_IDS_MAX)
  }

  /** The holder let go of them. */
  gone(peerId: string, ids: readonly Uint8Array[]): void {
    const due = this.#due.get(peerId)
    for (const id of ids) due?.delete(toHex(id))
    if (due?.size === 0) this.#due.delete(peerId)
  }
}
