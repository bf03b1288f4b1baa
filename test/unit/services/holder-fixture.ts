/** One holder and a mailbox of which it has the policy, for tests of what it does with what it is asked. */
import assert from 'node:assert/strict'
import { ownerProof } from '../../../src/protocol/mailbox-proofs.ts'
import { epochKey, epochOf, laneOf, policyExpiryHour, signPolicy } from '../../../src/protocol/mailbox-rules.ts'
import type { EpochKey } from '../../../src/protocol/mailbox-rules.ts'
import { LetterStamps, stampSolver } from '../../../src/services/stamps/solver.ts'
import { HOLDER_STATUS as STATUS } from '../../../src/wire/holder.ts'
import type { CardRecord, HolderRequest, HolderResponse } from '../../../src/wire/holder.ts'
import type { Letter, Listing, Tombstone } from '../../../src/wire/letter.ts'
import { crypto, directLink, makeLetter, never, PROFILE, Swarm } from './swarm.ts'
import type { HolderNode, MadeLetter, MemoryLink } from './swarm.ts'

/** One holder and one mailbox, whose policy the holder has. */
export async function one(quotas: Parameters<typeof Swarm.create>[1] = {}) {
  const swarm = await Swarm.create(1, quotas)
  const node = swarm.nodes[0] as HolderNode
  const seed = swarm.rng.bytes(32)
  const lanes = [swarm.rng.bytes(32), swarm.rng.bytes(32)] as const
  const key = epochKey(crypto, seed, epochOf(swarm.clock.now(), PROFILE))
  const link = directLink(swarm, node)
  const ask = (request: HolderRequest, on: MemoryLink = link): Promise<HolderResponse> => on.request(request, never)
  const putCard = async (body: CardRecord): Promise<number> => (await ask({ kind: 2, body })).status
  const policy = (number: number, laneSeeds: readonly Uint8Array[] = lanes) =>
    signPolicy(crypto, {
      key,
      number,
      expiry: policyExpiryHour(key.epoch, PROFILE),
      stampBits: 2,
      lanes: laneSeeds.map((laneSeed) => laneOf(crypto, laneSeed, key.epoch)),
      filler: swarm.rng.bytes(16 * 256),
    })
  assert.equal(await putCard({ kind: 3, body: await policy(1) }), STATUS.ok)
  const make = (options: Parameters<typeof makeLetter>[3] = {}, lane: Uint8Array = lanes[0]): MadeLetter =>
    makeLetter(swarm, seed, lane, options)
  const put = ({ letter, proof }: Pick<MadeLetter, 'letter' | 'proof'>, on = link): Promise<HolderResponse> =>
    ask({ kind: 1, body: { letter, proof, rung: 0 } }, on)
  const tomb = (tombstones: readonly Tombstone[], on = link): Promise<HolderResponse> =>
    ask({ kind: 7, body: { tombstones } }, on)
  const stamps = new LetterStamps(crypto, stampSolver(crypto, swarm.rng), swarm.clock)
  const putStamped = async (letter: Letter, bits: number): Promise<HolderResponse> =>
    ask({
      kind: 1,
      body: { letter: await stamps.stamp(letter, bits, never), proof: { kind: 2, body: { reserved: 0 } }, rung: 0 },
    })
  const open = (on: MemoryLink = link, own: EpochKey = key): Promise<HolderResponse> => openOn(on, own)
  const list = async (cursor?: { boot: Uint8Array; at: number }): Promise<Listing> => {
    const { answer } = await ask({ kind: 5, body: { address: key.address, cursor } })
    assert.ok(answer.kind === 3)
    return answer.body
  }
  const dispose = (): Promise<void> => swarm[Symbol.asyncDispose]()
  return {
    swarm,
    node,
    seed,
    lanes,
    key,
    link,
    ask,
    put,
    tomb,
    stamps,
    putCard,
    putStamped,
    policy,
    make,
    open,
    list,
    [Symbol.asyncDispose]: dispose,
  }
}

export async function openOn(link: MemoryLink, key: EpochKey): Promise<HolderResponse> {
  const proof = await ownerProof(crypto, key, link.challenge, link.peerId)
  return link.request({ kind: 4, body: { address: key.address, proof } }, never)
}
