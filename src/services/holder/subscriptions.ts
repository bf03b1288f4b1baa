/** Who is to be told of new letters. A subscription lives as long as its stream. */
import { toHex } from '../../lib/bytes.ts'
import type { Deposit } from '../../wire/letter.ts'
import type { HolderCaller } from '../ports.ts'
import { sourcesOf } from './quotas.ts'

/** Mailboxes that one stream may follow: the epochs of two mailboxes, with room. */
const PER_CALLER_MAX = 32
const TOTAL_MAX = 16_384
/** What one peer may follow over all its streams, and the peers of one public network together. */
const PER_PEER_MAX = 64
const PER_NETWORK_MAX = TOTAL_MAX / 16
/** Streams that follow one mailbox: its owner's, and some of it that are dead already. A new one displaces the oldest. */
const FOLLOWERS_MAX = 4

export class Subscriptions {
  readonly #byAddress = new Map<string, Set<HolderCaller>>()
  readonly #byCaller = new Map<HolderCaller, Set<string>>()
  readonly #bySource = new Map<string, number>()
  #total = 0

  /** False where there are too many. */
  add(caller: HolderCaller, address: Uint8Array): boolean {
    const key = toHex(address)
    const followed = this.#byCaller.get(caller) ?? new Set()
    if (followed.has(key)) return true
    if (followed.size >= PER_CALLER_MAX || this.#total >= TOTAL_MAX || !this.#mayFollow(caller)) return false
    if (!this.#byCaller.has(caller)) this.#watch(caller, followed)
    if (!this.#byCaller.has(caller)) return false // its stream is closed already, and would be counted for ever
    const followers = this.#byAddress.get(key) ?? new Set()
    const [oldest] = followers
    if (oldest !== undefined && followers.size >= FOLLOWERS_MAX) this.#remove(oldest, key)
    followed.add(key)
    this.#byAddress.set(key, followers.add(caller))
    this.#count(caller, 1)
    return true
  }

  /** Sends the letter to everyone who follows its mailbox; a stream that is too slow catches up with its next sweep. */
  publish({ letter, proof }: Deposit): void {
    for (const caller of this.#byAddress.get(toHex(letter.address)) ?? []) caller.push({ letter, proof })
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
    for (const key of this.#byCaller.get(caller) ?? []) this.#remove(caller, key)
    this.#byCaller.delete(caller)
  }

  #remove(caller: HolderCaller, key: string): void {
    const followers = this.#byAddress.get(key)
    if (followers?.delete(caller) !== true) return
    if (followers.size === 0) this.#byAddress.delete(key)
    this.#byCaller.get(caller)?.delete(key)
    this.#count(caller, -1)
  }

  #mayFollow(caller: HolderCaller): boolean {
    const [peer, network] = sourcesOf(caller)
    if ((this.#bySource.get(peer) ?? 0) >= PER_PEER_MAX) return false
    return network === undefined || (this.#bySource.get(network) ?? 0) < PER_NETWORK_MAX
  }

  #count(caller: HolderCaller, difference: 1 | -1): void {
    this.#total += difference
    for (const source of sourcesOf(caller)) {
      const count = (this.#bySource.get(source) ?? 0) + difference
      if (count > 0) this.#bySource.set(source, count)
      else this.#bySource.delete(source)
    }
  }
}
