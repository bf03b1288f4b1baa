/** Streams to holders on which our mailboxes are opened: the proof is given once per stream. */
import { NetworkError } from '../../lib/errors.ts'
import { toHex } from '../../lib/bytes.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { ownerProof } from '../../protocol/mailbox-proofs.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import type { HolderLink } from '../ports.ts'
import { question, withLink } from './ask.ts'
import type { MailDeps } from './deps.ts'

export class OwnerSessions {
  readonly #deps: MailDeps
  /** By stream: the mailboxes (hex) that are opened on it. Entries go with their stream. */
  readonly #opened = new WeakMap<HolderLink, Set<string>>()
  readonly #followed = new WeakMap<HolderLink, Set<string>>()
  /** Streams on which holders push; of those that are gone the last ones. */
  #pushing: readonly HolderLink[] = []

  constructor(deps: MailDeps) {
    this.#deps = deps
  }

  /** Asks as the owner of `key`. Throws as `ask` does; NetworkError also where the holder refuses the proof. */
  async ask(peer: PeerRecord, key: EpochKey, request: HolderRequest, signal: AbortSignal): Promise<HolderResponse> {
    return withLink(this.#deps, peer, signal, async (link, inTime) => {
      await this.#open(link, key, inTime)
      const response = await question(this.#deps, link, request, inTime)
      if (response.status === HOLDER_STATUS.closed) marks(this.#opened, link).delete(toHex(key.address))
      return response
    })
  }

  /** Whether there were holders that pushed new letters to us, and every stream to them is gone. */
  get isCutOff(): boolean {
    return this.#pushing.length > 0 && !this.#pushing.some(({ alive }) => alive)
  }

  /** Asks the holder to push new letters of `key`'s mailbox. False where it does so already on this stream. */
  async follow(peer: PeerRecord, key: EpochKey, signal: AbortSignal): Promise<boolean> {
    return withLink(this.#deps, peer, signal, async (link, inTime) => {
      const followed = marks(this.#followed, link)
      if (followed.has(toHex(key.address))) return false
      await this.#open(link, key, inTime)
      const request = { kind: HOLDER_VERB.subscribe, body: { address: key.address } } as const
      const { status } = await question(this.#deps, link, request, inTime)
      if (status !== HOLDER_STATUS.ok) return true
      followed.add(toHex(key.address))
      this.#pushing = [...this.#pushing.filter((other) => other !== link && other.alive), link]
      return true
    })
  }

  async #open(link: HolderLink, key: EpochKey, signal: AbortSignal): Promise<void> {
    const opened = marks(this.#opened, link)
    if (opened.has(toHex(key.address))) return
    const proof = await ownerProof(this.#deps.crypto, key, link.challenge, link.peerId)
    const request = { kind: HOLDER_VERB.open, body: { address: key.address, proof } } as const
    const { status } = await question(this.#deps, link, request, signal)
    if (status !== HOLDER_STATUS.ok) throw new NetworkError('the holder did not open the mailbox')
    opened.add(toHex(key.address))
  }
}

function marks(map: WeakMap<HolderLink, Set<string>>, link: HolderLink): Set<string> {
  const known = map.get(link)
  if (known !== undefined) return known
  const fresh = new Set<string>()
  map.set(link, fresh)
  return fresh
}
