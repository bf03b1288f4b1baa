/** One mailbox's tombstones and policy, brought together with one other holder. */
import { compare, equal } from '../../lib/bytes.ts'
import { encode } from '../../wire/codec.ts'
import {
  ANSWER_KIND,
  CARD_KIND,
  HOLDER_STATUS,
  HOLDER_VERB,
  RECONCILE_IDS_MAX,
  TOMBSTONES_MAX,
} from '../../wire/holder.ts'
import type { HolderAnswer } from '../../wire/holder.ts'
import { tombstoneCodec } from '../../wire/letter.ts'
import type { Tombstone } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { idOfName, opens } from '../../protocol/mailbox-rules.ts'
import { runsOf } from '../../lib/bounded.ts'
import { adoptCard, adoptTombstones, caught } from './round.ts'
import type { Round } from './round.ts'
import type { Box } from './survey.ts'

/** Questions to one peer about one mailbox: each names up to 1,024 ids, and its answer brings up to 256 tombstones. */
const TURNS_MAX = 64
/** Batches of one peer and mailbox of which our own holder does not take all before we stop looking. */
const REFUSED_MAX = 2
/** About what a tombstone and a policy take on the line. */
const TOMBSTONE_BYTES = 256
const POLICY_BYTES = 8_192
const ID_BYTES = 32
const FIRST_ID = new Uint8Array(ID_BYTES)
const LAST_ID = new Uint8Array(ID_BYTES).fill(255)

type Reconciled = Extract<HolderAnswer, { kind: 7 }>['body']

/** A part of the ids, both ends included, with those that we know to be dead. */
interface Part {
  readonly from: Uint8Array
  readonly upto: Uint8Array
  readonly dead: readonly Uint8Array[]
}

/** Never throws for what the peer says; it ends where the peer is out or a side takes no more for now. */
export async function reconcile(round: Round, peer: PeerRecord, box: Box): Promise<void> {
  let from: Uint8Array | undefined = FIRST_ID
  for (let turn = 0; turn < TURNS_MAX && from !== undefined; turn++) {
    const part = await partFrom(round, box, from)
    const answer = await askPart(round, peer, box, part)
    if (answer === undefined) return
    if (!(await policies(round, peer, box, answer))) return
    if (!(await tell(round, peer, part, answer.wanted))) return
    if (!(await hear(round, peer, box, answer.dead))) return
    from = behind(round, part, answer)
  }
}

/** The dead ids of a mailbox from `from` on, as many as one question can name. */
async function partFrom(round: Round, box: Box, from: Uint8Array): Promise<Part> {
  const dead: Uint8Array[] = []
  for await (const id of round.deps.held.graves.ids(box.key, { after: round.survey.after, from })) {
    if (dead.length === RECONCILE_IDS_MAX) return { from, upto: dead.at(-1) ?? LAST_ID, dead }
    dead.push(id)
  }
  return { from, upto: LAST_ID, dead }
}

/** Where the next question begins. The answer is in the order of the ids: up to its last one all was compared. */
function behind(round: Round, { from, upto }: Part, { dead, more }: Reconciled): Uint8Array | undefined {
  const last = dead.at(-1)
  const end = more && last !== undefined ? idOfName(round.deps.crypto, last) : upto
  // One that does not get on would be asked for ever; one that is through is done with.
  return compare(end, from) < 0 || equal(end, LAST_ID) ? undefined : following(end)
}

/** The id after this one, which is not the last. */
function following(id: Uint8Array): Uint8Array {
  const next = id.slice()
  for (let at = next.length - 1; at >= 0; at--) {
    next[at] = ((next[at] ?? 0) + 1) & 255
    if (next[at] !== 0) break
  }
  return next
}

async function askPart(round: Round, peer: PeerRecord, box: Box, part: Part): Promise<Reconciled | undefined> {
  const { after } = round.survey
  const policy = await round.deps.held.policyVersion(box.key, after)
  const body = { address: box.key, after, ...part, policy }
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.reconcile, body })
  if (response === undefined) return undefined
  if (response.status === HOLDER_STATUS.ok && response.answer.kind === ANSWER_KIND.reconciled)
    return response.answer.body
  // It takes us for a stranger there: by what it knows we are too far off.
  if (response.status !== HOLDER_STATUS.closed) round.neighbours.drop(peer.id)
  return undefined
}

/** The newer policy goes where it is not: first of all, since tombstones are judged by it. */
async function policies(round: Round, peer: PeerRecord, box: Box, answer: Reconciled): Promise<boolean> {
  if (answer.policy !== undefined) {
    await adoptCard(round, peer.id, { kind: CARD_KIND.policy, body: answer.policy })
  } else if (answer.policyWanted) {
    const record = await round.deps.held.cards.get(box.key, round.deps.clock.now())
    if (record === undefined) return true
    await round.budget.take(POLICY_BYTES, round.signal)
    return (await round.neighbours.ask(peer, { kind: HOLDER_VERB.putCard, body: record })) !== undefined
  }
  return true
}

async function tell(round: Round, peer: PeerRecord, part: Part, wanted: readonly number[]): Promise<boolean> {
  const tombstones: Tombstone[] = []
  for (const place of new Set(wanted)) {
    const id = part.dead[place]
    const held = id === undefined ? undefined : await round.deps.held.graves.get(id)
    if (held !== undefined) tombstones.push(held.tombstone)
  }
  for (const run of runsOf(tombstones, TOMBSTONES_MAX)) {
    await round.budget.take(run.length * TOMBSTONE_BYTES, round.signal)
    const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.tomb, body: { tombstones: run } })
    if (response === undefined) return false
    if (response.status !== HOLDER_STATUS.ok && response.status !== HOLDER_STATUS.refused) return false
    round.counters.tombstones += run.length
  }
  return true
}

/** What the peer calls dead: a tombstone that does not open its own letter is made up. */
async function hear(round: Round, peer: PeerRecord, box: Box, dead: readonly Tombstone[]): Promise<boolean> {
  for (const tombstone of dead) {
    const { header, preimage } = tombstone
    if (equal(header.address, box.key) && opens(round.deps.crypto, header.commitment, preimage)) continue
    caught(round, peer.id, 'tombstone', encode(tombstoneCodec, tombstone))
    return false
  }
  let refused = 0
  for (const run of runsOf(dead, TOMBSTONES_MAX)) {
    const status = await adoptTombstones(round, peer.id, run)
    if (status === HOLDER_STATUS.rate || (status !== HOLDER_STATUS.ok && ++refused >= REFUSED_MAX)) return false
  }
  return true
}
