/** The network as the product asks for it: the ports of `services/ports.ts`. */
import { NetworkError } from '../../src/lib/errors.ts'
import type { DirectNetwork, HolderLink, HolderNetwork, Routing } from '../../src/services/ports.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { EVENT, onAbort, pair } from './network.ts'
import type { Direct, Life, Network, Peer } from './network.ts'
import { DirectStream, Link } from './streams.ts'

/** How long somebody who did not answer stays out of a table, unless others name it. */
const EVICTED_MS = 60_000

/** The ports of one process, for one life of it. */
export class Ports {
  readonly holderNetwork: HolderNetwork
  readonly direct: DirectNetwork
  readonly routing: Routing
  readonly #net: Network
  readonly #peer: Peer
  readonly #life: Life
  readonly #links = new Map<string, Link>()
  readonly #opening = new Map<string, Promise<Link>>()
  readonly #evicted = new Map<string, number>()

  constructor(net: Network, peer: Peer) {
    this.#net = net
    this.#peer = peer
    this.#life = peer.life
    this.holderNetwork = {
      link: async (to, signal) => this.#link(to, signal),
      onPush: (listener) => enlist(this.#life.onPush, listener),
      onPeerChange: (listener) => enlist(this.#life.onPeer, listener),
    }
    this.direct = {
      send: async (to, frame, signal) => this.#send(to, frame, signal),
      connected: (peerId) => this.#direct(peerId)?.isOpenAt(this.#peer) === true,
      hearsLive: (peerId) => this.#direct(peerId)?.isOpenAt(this.#peer) === true,
      onFrame: (listener) => {
        this.#life.onFrame = listener
      },
    }
    this.routing = {
      self: () => net.record(peer),
      closest: async (target, count, signal) => this.#closest(target, count, signal),
      known: (target, count) => this.#near(target, count),
      learn: (_from, peers) => {
        for (const { id } of peers) this.#evicted.delete(id)
      },
      evict: (peerId) => {
        this.#evicted.set(peerId, net.scheduler.now() + EVICTED_MS)
        net.trouble(peer.peerId, peerId)
      },
    }
  }

  /** Another holder shows itself. */
  notice(peerId: string): void {
    this.#evicted.delete(peerId)
    if (this.#life.up) for (const listener of this.#life.onPeer) listener(peerId, true)
  }

  #direct(peerId: string): Direct | undefined {
    return this.#net.directs.get(pair(this.#peer.peerId, peerId))
  }

  #near(target: Uint8Array, count: number): readonly PeerRecord[] {
    const now = this.#net.scheduler.now()
    const found: PeerRecord[] = []
    for (const peer of this.#net.order(target)) {
      if (found.length >= count) break
      if (peer === this.#peer || !peer.life.up || peer.life.handler === undefined) continue
      if ((this.#evicted.get(peer.peerId) ?? 0) > now) continue
      found.push(this.#net.record(peer))
    }
    return found
  }

  /** A walk through the network: it takes a while, misses some and names some that are gone. */
  async #closest(target: Uint8Array, count: number, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const net = this.#net
    net.scheduler.count(EVENT.lookup)
    await this.#wait(net.delayMs() + net.delayMs(), signal)
    const now = net.scheduler.now()
    const found: PeerRecord[] = []
    for (const peer of net.order(target)) {
      if (found.length >= count) break
      if (peer === this.#peer) continue
      const live = peer.life.up && peer.life.handler !== undefined
      if (!live && !net.dice.chance(net.weather.stale)) continue
      const missed = live && net.dice.chance(net.weather.misses)
      if (missed || (this.#evicted.get(peer.peerId) ?? 0) > now) net.trouble(this.#peer.peerId, peer.peerId)
      else found.push(net.record(peer))
    }
    return found
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#net.scheduler.after(ms, () => {
        unlisten()
        if (this.#life.up) resolve()
        else if (this.#peer.life === this.#life) reject(new NetworkError('offline'))
      })
      const unlisten = onAbort(signal, (reason) => {
        cancel()
        reject(reason)
      })
    })
  }

  async #link(to: PeerRecord, signal: AbortSignal): Promise<HolderLink> {
    signal.throwIfAborted()
    const known = this.#links.get(to.id)
    if (known?.alive === true) return known
    const opening = this.#opening.get(to.id) ?? this.#dial(to)
    this.#opening.set(to.id, opening)
    return new Promise((resolve, reject) => {
      const unlisten = onAbort(signal, reject)
      opening.then(resolve, reject).finally(() => {
        unlisten()
        if (this.#opening.get(to.id) === opening) this.#opening.delete(to.id)
      })
    })
  }

  /** Somebody who is gone refuses at once, or is waited for. */
  async #dial(to: PeerRecord): Promise<Link> {
    const net = this.#net
    const peer = net.peer(to.id)
    const never = new AbortController().signal
    await this.#wait(2 * net.delayMs(), never)
    if (peer === undefined || peer.life.handler === undefined || !net.reaches(this.#peer, peer)) {
      if (net.dice.chance(0.5)) await this.#wait(10_000, never)
      throw new NetworkError('unreachable')
    }
    const link = new Link(net, this.#peer, peer)
    this.#links.set(to.id, link)
    return link
  }

  async #send(to: PeerRecord, frame: DirectFrame, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#life.up) throw new NetworkError('offline')
    const known = this.#direct(to.id)
    if (known?.isOpenAt(this.#peer) === true) {
      known.write(this.#peer, frame)
      return
    }
    const net = this.#net
    const peer = net.peer(to.id)
    if (peer === undefined || to.addresses.length === 0) throw new NetworkError('no address')
    await this.#wait(2 * net.delayMs(), signal)
    if (!net.reaches(this.#peer, peer)) throw new NetworkError('unreachable')
    const again = this.#direct(to.id)
    const usable = again?.isOpenAt(this.#peer) === true && again.isOpenAt(peer)
    const stream = usable ? again : new DirectStream(net, this.#peer, peer)
    if (!usable) {
      net.directs.set(pair(this.#peer.peerId, to.id), stream)
      for (const listener of this.#life.onPeer) listener(to.id, true)
      for (const listener of peer.life.onPeer) listener(this.#peer.peerId, true)
    }
    stream.write(this.#peer, frame)
  }
}

function enlist<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}
