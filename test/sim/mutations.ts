/** Ways to break the product without touching it: each puts a fault of design between its parts, and some seed has to notice. */
import { toHex } from '../../src/lib/bytes.ts'
import { NetworkError } from '../../src/lib/errors.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { receiptBytes } from '../../src/protocol/mailbox-proofs.ts'
import { idOfName, letterId, opens } from '../../src/protocol/mailbox-rules.ts'
import { placement } from '../../src/protocol/replicas.ts'
import type { Opened } from '../../src/services/inbox/ports.ts'
import type { HolderLink, HolderNetwork } from '../../src/services/ports.ts'
import { BUCKET } from '../../src/store/buckets.ts'
import { indexEntryCodec } from '../../src/store/held-records.ts'
import type { EngineOp } from '../../src/store/engine.ts'
import { tryDecode } from '../../src/wire/codec.ts'
import { ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { Holder } from './holder.ts'
import type { Person } from './person.ts'
import type { World } from './world.ts'

export interface Mutation {
  readonly name: string
  apply(world: World): void
}

const GRAVES: readonly number[] = [BUCKET.tombstones, BUCKET.tombstonesByExpiry, BUCKET.graves]

/** Whether a write tells that a letter is dead. */
function isGrave(op: EngineOp): boolean {
  if (GRAVES.includes(op.key[0] ?? 0)) return true
  if (op.key[0] !== BUCKET.heldByAddress || op.type !== 'put') return false
  return tryDecode(indexEntryCodec, op.value.subarray(8))?.kind === 2
}

/** A holder that forgets at once what is dead. */
function hardDelete(world: World): void {
  for (const { disk } of world.holders) {
    disk.filter = (ops) => ops.filter((op) => op.type === 'del' || !isGrave(op))
  }
}

/** A holder that forgets it after two hours. */
function shortTombstone(world: World): void {
  for (const { disk } of world.holders) {
    disk.filter = (ops) => {
      const graves = ops.filter((op) => op.type === 'put' && isGrave(op))
      if (graves.length > 0) {
        world.scheduler.after(2 * HOUR_MS, () => {
          disk.forget(graves.map(({ key }) => key))
        })
      }
      return ops
    }
  }
}

/** A holder that deletes for whoever asks. */
function unverifiedTombstone(world: World): void {
  for (const holder of world.holders) {
    holder.onRequest = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.tomb) return honest()
      for (const { header, digest, preimage } of request.body.tombstones) {
        if (opens(world.crypto, header.commitment, preimage)) continue
        await holder.held?.evict(header.address, idOfName(world.crypto, { header, digest }))
      }
      return honest()
    }
  }
}

/** An outbox that lets go of what holders have signed for. */
function noOutbox(world: World): void {
  for (const person of world.senders) {
    person.onEvent = async (type, id, rooms) => {
      if (type !== 'message:stored') return
      for (const contact of await rooms.contacts.all()) {
        for (const entry of rooms.outbox.queue.ofMessage(id, contact.accountId))
          await rooms.outbox.end(entry, undefined)
      }
    }
  }
}

type Ask = (link: HolderLink, request: HolderRequest, signal: AbortSignal) => Promise<HolderResponse>

/** A network whose questions go through `ask`. */
function asking(network: HolderNetwork, ask: Ask): HolderNetwork {
  return {
    ...network,
    link: async (peer, signal) => {
      const link = await network.link(peer, signal)
      return {
        peerId: link.peerId,
        challenge: link.challenge,
        get alive() {
          return link.alive
        },
        request: async (request, inTime) => ask(link, request, inTime),
      }
    },
  }
}

/** Links as the product keeps them: one object for one stream. */
function rewired(person: Person, ask: (person: Person) => Ask): void {
  person.rewire = (ports) => {
    const made = new WeakMap<HolderLink, HolderLink>()
    const network = asking(ports.holderNetwork, ask(person))
    return {
      direct: ports.direct,
      routing: ports.routing,
      holderNetwork: {
        ...network,
        link: async (peer, signal) => {
          const real = await ports.holderNetwork.link(peer, signal)
          const known = made.get(real) ?? (await network.link(peer, signal))
          made.set(real, known)
          return known
        },
      },
    }
  }
}

/** One holder takes the letter, and the port claims that all did. */
function oneCopy(world: World): void {
  const holders = new Map<string, Holder>(world.holders.map((holder) => [holder.peerId, holder]))
  for (const person of world.people) {
    rewired(person, () => {
      const taken = new Map<string, Promise<HolderResponse>>()
      return async (link, request, signal) => {
        if (request.kind !== HOLDER_VERB.put) return link.request(request, signal)
        const id = letterId(world.crypto, request.body.letter)
        const name = toHex(id)
        const before = taken.get(name)
        if (before === undefined) {
          const first = link.request(request, signal)
          taken.set(name, first)
          const forget = (): void => {
            taken.delete(name)
          }
          first.then(({ status }) => (status === HOLDER_STATUS.ok ? undefined : forget()), forget)
          return first
        }
        const said = await before.catch(() => undefined)
        const holder = holders.get(link.peerId)
        if (said?.status !== HOLDER_STATUS.ok || holder === undefined) return link.request(request, signal)
        const at = Math.floor(world.scheduler.now() / 1_000)
        const signature = holder.sign(receiptBytes(id, holder.peerId, at))
        const receipt = { holder: holder.peerId, at, signature }
        return { status: HOLDER_STATUS.ok, answer: { kind: ANSWER_KIND.receipt, body: receipt }, closer: [] }
      }
    })
  }
}

/** A reader that asks the three nearest. */
function readThree(world: World): void {
  for (const person of world.people) {
    rewired(person, () => async (link, request, signal) => {
      if (request.kind !== HOLDER_VERB.list) return link.request(request, signal)
      const order = world.net.order(placement(world.crypto, request.body.address)).filter(({ life }) => life.up)
      const place = order.findIndex(({ peerId }) => peerId === link.peerId)
      if (place >= 3) throw new NetworkError('it is not asked')
      return link.request(request, signal)
    })
  }
}

/**
 * A device that does not remember what it has taken in. Three layers know that in the product (envelopes that were seen, the
 * ratchet, ids of messages), so all three forget.
 */
function noDedup(world: World): void {
  for (const person of world.people) {
    const opened = new Map<string, Opened>()
    person.onRooms = ({ store, sessions }) => {
      store.seen.get = async () => undefined
      store.messages.has = async () => false
      const found = store.messages.get.bind(store.messages)
      store.messages.get = async (id) => {
        const message = await found(id)
        return message?.outgoing === false ? undefined : message
      }
      const open = sessions.open.bind(sessions)
      sessions.open = async (envelope) => {
        const name = toHex(world.crypto.sha256(envelope))
        const before = opened.get(name)
        if (before !== undefined) return { ...before, ops: [], prekeys: undefined, replaced: false }
        const now = await open(envelope)
        opened.set(name, now)
        return now
      }
    }
  }
}

/** Disks that say yes at once and write when they please. */
function ackBeforeSync(world: World): void {
  for (const { disk } of world.holders) disk.lies = true
}

export const MUTATIONS: Readonly<Record<string, (world: World) => void>> = {
  'hard-delete': hardDelete,
  'short-tombstone': shortTombstone,
  'unverified-tombstone': unverifiedTombstone,
  'no-outbox': noOutbox,
  w1: oneCopy,
  'ack-before-sync': ackBeforeSync,
  'no-dedup': noDedup,
  'read-3': readThree,
}

export function mutationOf(name: string): Mutation {
  const apply = MUTATIONS[name]
  if (apply === undefined) throw new Error(`there is no such mutation: ${Object.keys(MUTATIONS).join(', ')}`)
  return { name, apply }
}
