/**
 * One's own holder among the others (protocol §4: a zone has oneself, if closer). It is asked without a stream; what it
 * says is checked like anybody's. Without it two people alone would find nothing: each holds only what is the other's.
 */
import type { Clock } from '../lib/clock.ts'
import type { Rng } from '../lib/rng.ts'
import type { HolderCaller, HolderHandler, HolderLink, HolderNetwork, Routing } from '../services/ports.ts'

const CHALLENGE_BYTES = 32

type PushListener = Parameters<HolderNetwork['onPush']>[0]

export interface OwnHolderInit {
  readonly network: HolderNetwork
  readonly routing: Routing
  /** Serves requests while the role is taken; `undefined` where it is not, or not yet. */
  readonly handler: () => HolderHandler | undefined
  readonly clock: Clock
  readonly rng: Rng
}

/** The same two ports, with oneself in them. */
export function withOwnHolder(init: OwnHolderInit): { readonly network: HolderNetwork; readonly routing: Routing } {
  const { network, routing, handler } = init
  const listeners = new Set<PushListener>()
  const push: HolderCaller['push'] = (deposit) => {
    // Not in the middle of the put that brings it: its receipt comes first, as over a stream.
    init.clock.after(0, () => {
      for (const listener of listeners) listener(routing.self().id, deposit)
    })
    return true
  }
  let link: HolderLink | undefined
  return {
    network: {
      link: async (peer, signal) => {
        const serve = peer.id === routing.self().id ? handler() : undefined
        if (serve === undefined) return network.link(peer, signal)
        link ??= ownLink(routing.self().id, init.rng.bytes(CHALLENGE_BYTES), serve, push)
        return link
      },
      onPush: (listener) => {
        listeners.add(listener)
        const end = network.onPush(listener)
        return () => {
          listeners.delete(listener)
          end()
        }
      },
      onPeerChange: (listener) => network.onPeerChange(listener),
    },
    routing: {
      self: () => routing.self(),
      closest: async (target, count, signal) => {
        const others = await routing.closest(target, count, signal)
        return handler() === undefined ? others : [...others, routing.self()]
      },
      known: (target, count) => routing.known(target, count),
      learn: (from, peers) => {
        routing.learn(from, peers)
      },
      evict: (peerId) => {
        if (peerId !== routing.self().id) routing.evict(peerId)
      },
    },
  }
}

function ownLink(peerId: string, challenge: Uint8Array, serve: HolderHandler, push: HolderCaller['push']): HolderLink {
  const caller: HolderCaller = { peerId, ip: undefined, challenge, opened: new Set(), push, onClose() {} }
  return { peerId, challenge, alive: true, request: async (request) => serve(caller, request) }
}
