/** Who is to be told of new letters. A subscription lives as long as its stream. */
import { toHex } from '../../lib/bytes.ts'
import type { Letter } from '../../wire/letter.ts'
import type { HolderCaller } from '../ports.ts'

/** Mailboxes that one stream may follow: the epochs of two mailboxes, with room. */
const PER_CALLER_MAX = 32
const TOTAL_MAX = 16_384

export class Subscriptions {
  readonly #byAddress = new Map<string, Set<HolderCaller>>()
  readonly #byCaller = new Map<HolderCaller, Set<string>>()
  #total = 0

  /** False where there are too many. */
  add(caller: HolderCaller, address: Uint8Array): boolean {
    const key = toHex(address)
    const followed = this.#byCaller.get(caller) ?? new Set()
    if (followed.has(key)) return true
    if (followed.size >= PER_CALLER_MAX || this.#total >= TOTAL_MAX) return false
    if (followed.size === 0) this.#watch(caller, followed)
    followed.add(key)
    const followers = this.#byAddress.get(key) ?? new Set()
    this.#byAddress.set(key, followers.add(caller))
    this.#total++
    return true
  }

  /** Sends the letter to everyone who follows its mailbox; a stream that is too slow catches up with its next sweep. */
  publish(letter: Letter): void {
    for (const caller of this.#byAddress.get(toHex(letter.address)) ?? []) caller.push(letter.address, letter)
  }

  get size(): number {
    return this.#total
  }

  #watch(caller: HolderCaller, followed: Set<string>): void {
    this.#byCaller.set(caller, followed)
    caller.onClose(() => {
      this.#drop(caller)
    })
  }

  #drop(caller: HolderCaller): void {
    for (const key of this.#byCaller.get(caller) ?? []) {
      const followers = this.#byAddress.get(key)
      followers?.delete(caller)
      if (followers?.size === 0) this.#byAddress.delete(key)
      this.#total--
    }
    this.#byCaller.delete(caller)
  }
}
