/**
 * Who signed for which copy. A holder that does not have it at the next look may have lied or may have lost it: that it had is
 * no proof, since a mailbox's owner can drop letters at one holder alone. So nobody is accused; but it is not given that letter
 * again, else each round would bring it a copy for nothing.
 */
import { toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { LETTER_LIFE_MAX_MS } from '../../protocol/mailbox-rules.ts'

/** Copies that are remembered; the oldest goes for another. */
export const SIGNED_COPIES_MAX = 65_536

const nameOf = (peerId: string, id: Uint8Array): string => `${peerId}/${toHex(id)}`

export class SignedCopies {
  readonly #given: ExpiringMap<string, true>

  constructor(clock: Clock, sizeMax = SIGNED_COPIES_MAX) {
    this.#given = new ExpiringMap(clock, LETTER_LIFE_MAX_MS, sizeMax)
  }

  /** The peer has signed for the letter. */
  made(peerId: string, id: Uint8Array): void {
    this.#given.set(nameOf(peerId, id), true)
  }

  /** Whether the peer has signed for the letter before. */
  has(peerId: string, id: Uint8Array): boolean {
    return this.#given.get(nameOf(peerId, id)) === true
  }
}
