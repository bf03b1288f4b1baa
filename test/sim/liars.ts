/** Holders that lie. Each kind does one thing, to everybody, and is otherwise as good as any. */
import { POSSESSION, ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderAnswer, HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import { receiptBytes } from '../../src/protocol/mailbox-proofs.ts'
import { letterId } from '../../src/protocol/mailbox-rules.ts'
import type { Holder, Lie } from './holder.ts'
import type { World } from './world.ts'

const answer = (status: HolderResponse['status'], what: HolderAnswer): HolderResponse => ({
  status,
  answer: what,
  closer: [],
})
const EMPTY: HolderAnswer = { kind: ANSWER_KIND.empty, body: {} }

/** Signs for what it throws away. */
function claim(world: World, holder: Holder, request: HolderRequest): HolderResponse | undefined {
  if (request.kind !== HOLDER_VERB.put && request.kind !== HOLDER_VERB.copy) return undefined
  const id = letterId(world.crypto, request.body.letter)
  const at = Math.floor(holder.now() / 1_000)
  const signature = holder.sign(receiptBytes(id, holder.peerId, at))
  return answer(HOLDER_STATUS.ok, { kind: ANSWER_KIND.receipt, body: { holder: holder.peerId, at, signature } })
}

const LIES: Readonly<Record<string, (world: World, holder: Holder) => Lie>> = {
  /** Takes everything, keeps nothing, and knows of no letter. */
  drop: (world, holder) => async (caller, request, honest) => claim(world, holder, request) ?? honest(caller, request),
  /** Keeps letters and never shows them. */
  empty: () => async (caller, request, honest) => {
    const said = await honest(caller, request)
    if (said.answer.kind === ANSWER_KIND.listing) {
      return { ...said, answer: { kind: ANSWER_KIND.listing, body: { ...said.answer.body, live: [], dead: [] } } }
    }
    if (said.answer.kind === ANSWER_KIND.letters)
      return { ...said, answer: { kind: ANSWER_KIND.letters, body: { letters: [] } } }
    return said
  },
  /** Never deletes, and says it did. */
  undeleting: () => async (caller, request, honest) =>
    request.kind === HOLDER_VERB.tomb ? answer(HOLDER_STATUS.ok, EMPTY) : honest(caller, request),
  /** Shows the first cards it ever saw for as long as it lives, and letters that were deleted. */
  replaying: () => {
    const cards = new Map<string, HolderResponse>()
    return async (caller, request, honest) => {
      if (request.kind === HOLDER_VERB.tomb) return answer(HOLDER_STATUS.ok, EMPTY)
      const said = await honest(caller, request)
      if (request.kind !== HOLDER_VERB.getCard || said.answer.kind !== ANSWER_KIND.card) return said
      const key = String(request.body.key)
      const first = cards.get(key) ?? said
      cards.set(key, first)
      return first
    }
  },
  /** Signs receipts with nonsense, and swears to have letters it threw away. */
  forging: (world) => async (caller, request, honest) => {
    const said = await honest(caller, request)
    if (said.answer.kind === ANSWER_KIND.receipt) {
      const { body } = said.answer
      return { ...said, answer: { kind: ANSWER_KIND.receipt, body: { ...body, signature: world.dice.rng.bytes(64) } } }
    }
    if (said.answer.kind === ANSWER_KIND.listing && said.answer.body.live.length > 0) {
      const dead = said.answer.body.live.map(({ id }) => ({ id, preimage: world.dice.rng.bytes(16) }))
      return { ...said, answer: { kind: ANSWER_KIND.listing, body: { ...said.answer.body, live: [], dead } } }
    }
    if (said.answer.kind === ANSWER_KIND.proofs) {
      const proofs = said.answer.body.proofs.map(() => ({
        kind: POSSESSION.held,
        body: { hash: world.dice.rng.bytes(32) },
      }))
      return { ...said, answer: { kind: ANSWER_KIND.proofs, body: { proofs } } }
    }
    return said
  },
}

export const LIE_KINDS: readonly string[] = Object.keys(LIES)

export function lieOf(kind: string, world: World, holder: Holder): Lie {
  const make = LIES[kind]
  if (make === undefined) throw new Error(`there is no such lie as ${kind}`)
  return make(world, holder)
}
