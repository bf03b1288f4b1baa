/** PROVE: possession of letters, shown to whoever knows their ids. */
import { ANSWER_KIND, HOLDER_STATUS, POSSESSION } from '../../wire/holder.ts'
import type { HolderRequest, Possession } from '../../wire/holder.ts'
import { possessionHash } from '../../protocol/mailbox-proofs.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'
import { BYTES_PER_COST, LETTERS_PER_COST } from './costs.ts'

/** Ciphertext that one request has hashed; of the rest it is said that it is here. */
export const PROVED_BYTES_MAX = 4 * 1_024 * 1_024

type Prove = Extract<HolderRequest, { kind: 10 }>['body']

export async function prove(desk: Desk, caller: HolderCaller, { nonce, ids }: Prove): Promise<Outcome> {
  const proofs: Possession[] = []
  let bytes = 0
  for (const id of ids) {
    const grave = await desk.held.graves.get(id)
    if (grave !== undefined) {
      proofs.push({ kind: POSSESSION.dead, body: grave.tombstone })
    } else if (bytes >= PROVED_BYTES_MAX) {
      proofs.push({ kind: (await desk.held.stateOf(id)) === 'known' ? POSSESSION.later : POSSESSION.none, body: {} })
    } else {
      const ciphertext = (await desk.held.deposit(id, desk.clock.now()))?.letter.ciphertext
      bytes += ciphertext?.length ?? 0
      proofs.push(ciphertext === undefined ? NONE : { kind: POSSESSION.held, body: { hash: hashOf(ciphertext) } })
    }
  }
  desk.quotas.chargeRequest(caller, Math.max(ids.length / LETTERS_PER_COST, bytes / BYTES_PER_COST))
  return outcome(HOLDER_STATUS.ok, undefined, { kind: ANSWER_KIND.proofs, body: { proofs } })

  function hashOf(ciphertext: Uint8Array): Uint8Array {
    return possessionHash(desk.crypto, nonce, desk.signer.peerId, ciphertext)
  }
}

const NONE = { kind: POSSESSION.none, body: {} } as const
