import { ANSWER_KIND, HOLDER_STATUS } from '../../wire/holder.ts'
import { receiptBytes } from '../../protocol/mailbox-proofs.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'

/** The signed word that `id` is on this disk. Call it after the sync, never before. */
export function receiptFor(deps: HolderDeps, id: Uint8Array, about: Uint8Array): Outcome {
  const holder = deps.signer.peerId
  const at = Math.floor(deps.clock.now() / 1_000)
  const signature = deps.signer.sign(receiptBytes(id, holder, at))
  return outcome(HOLDER_STATUS.ok, about, { kind: ANSWER_KIND.receipt, body: { holder, at, signature } })
}
