/** Recovery records at a holder: kept like every card, for whoever signs them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { openRecovery, recoveryAddressOf, sealRecovery } from '../../../src/protocol/recovery-rules.ts'
import { DEFAULT_QUOTAS, Quotas } from '../../../src/services/holder/quotas.ts'
import { CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../../src/wire/holder.ts'
import type { RecoveryRecord } from '../../../src/wire/recovery.ts'
import { crypto, directLink, never, Swarm } from './swarm.ts'

test('ID-05 MB-43 a holder keeps the newest recovery record of a writer, and nobody else’s in its place, across a restart', async () => {
  await using swarm = await Swarm.create(1)
  const node = swarm.nodes[0] ?? assert.fail()
  const secret = swarm.rng.bytes(32)
  const expiry = Math.floor(swarm.clock.now() / HOUR_MS) + 24 * 89
  const seal = async (number: number, under = secret, index = 0): Promise<RecoveryRecord> => {
    const deviceId = new Uint8Array(16)
    const chunk = { version: 1, number, index, count: 2, deviceId, cardNumber: 1, entries: [] } as const
    return sealRecovery({ crypto, rng: swarm.rng }, under, chunk, expiry)
  }
  const put = async (body: RecoveryRecord): Promise<number> => {
    const request = { kind: HOLDER_VERB.putCard, body: { kind: CARD_KIND.recovery, body } } as const
    return (await directLink(swarm, node).request(request, never)).status
  }
  const got = async (index = 0): Promise<RecoveryRecord | undefined> => {
    const key = recoveryAddressOf(crypto, secret, index)
    const { answer } = await directLink(swarm, node).request({ kind: HOLDER_VERB.getCard, body: { key } }, never)
    return answer.kind === 2 && answer.body.kind === CARD_KIND.recovery ? answer.body.body : undefined
  }
  const [second, third] = [await seal(2), await seal(3)]
  assert.equal(await put(second), HOLDER_STATUS.ok)
  assert.equal(await put(third), HOLDER_STATUS.ok)
  assert.equal(await put(third), HOLDER_STATUS.ok, 'the same again is known')
  assert.equal(await put(second), HOLDER_STATUS.stale)
  const foreign = await seal(9, swarm.rng.bytes(32))
  const forged = {
    body: { ...foreign.body, writer: third.body.writer, number: 0xffff_ffff },
    signature: foreign.signature,
  }
  assert.equal(await put(forged), HOLDER_STATUS.refused)
  assert.equal(await put({ ...third, body: { ...third.body, expiry: expiry + 24 * 30 } }), HOLDER_STATUS.expired)
  assert.equal(await put(await seal(1, secret, 1)), HOLDER_STATUS.ok, 'another chunk has its own place')
  await node.restart()
  assert.equal(await put(second), HOLDER_STATUS.stale)
  const kept = (await got()) ?? assert.fail()
  assert.equal(toHex(kept.signature), toHex(third.signature))
  assert.equal(openRecovery(crypto, secret, 0, kept)?.number, 3)
  assert.equal(openRecovery(crypto, secret, 1, (await got(1)) ?? assert.fail())?.number, 1)
})

test('AS-02 recovery records never fill the share that all cards need', async () => {
  await using swarm = await Swarm.create(1)
  const node = swarm.nodes[0] ?? assert.fail()
  const usage = node.held.usage
  const nodeBytes = 10 * (2 * usage.cardDiskBytes + 65_536)
  const quotas = new Quotas(usage, swarm.clock, { ...DEFAULT_QUOTAS, nodeBytes })
  const half = nodeBytes / 2 - usage.cardDiskBytes
  assert.equal(quotas.hasCardRoom(half, 0, CARD_KIND.account), true)
  assert.equal(quotas.hasCardRoom(half, 0, CARD_KIND.recovery), false)
  assert.equal(quotas.hasCardRoom(half / 2, 0, CARD_KIND.recovery), true)
  assert.equal(quotas.hasCardRoom(half, half, CARD_KIND.recovery), true, 'one that is kept may be kept fresh')
})
