import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { accountCardHash, signSuccessor, verifyAccountCard } from '../../../src/protocol/card-rules.ts'
import { consequenceOf, deviceChanges, judgeCard, prekeysFit } from '../../../src/protocol/trust.ts'
import type { AccountCard, AccountCardBody } from '../../../src/wire/card.ts'
import { cardOf, certificateOf, idOf, NOW_S, prekeysOf, seedsOf } from './card-fixtures.ts'

const first = await cardOf(1)

/** The next card of the chain. Every card here is a verified one. */
async function after(card: AccountCard, changes: Partial<AccountCardBody> = {}): Promise<AccountCard> {
  const { devices, successor, number } = card.body
  const chain = { devices, successor, number: number + 1, previous: accountCardHash(crypto, card) }
  const next = await cardOf(1, { ...chain, ...changes })
  assert.ok(verifyAccountCard(crypto, next, NOW_S))
  return next
}

const second = await after(first)
const verdict = (pinned: AccountCard | undefined, fetched: AccountCard) => {
  const judged = judgeCard(crypto, pinned, fetched)
  return `${judged.kind}${judged.kind === 'changed' ? ` ${judged.why}` : ''} → ${consequenceOf(judged)}`
}

test('ID-10 the first card is pinned, the same one keeps the pin, the next one is followed', () => {
  assert.equal(verdict(undefined, first), 'first → pin')
  assert.equal(verdict(first, first), 'same → keep')
  assert.equal(verdict(first, second), 'newer → follow')
})

test('ID-10 the same card signed anew is the same card', async () => {
  const again = await cardOf(1, { devices: first.body.devices })
  assert.notDeepEqual(again.signature.mldsa65, first.signature.mldsa65)
  assert.equal(verdict(first, again), 'same → keep')
})

test('ID-10 a card of another account key suspends', async () => {
  assert.equal(verdict(first, await cardOf(2)), 'changed account-key → suspend')
})

test('ID-12 an older version played again is ignored', () => {
  assert.equal(verdict(second, first), 'older → ignore')
})

test('ID-12 a forged chain suspends: the next number with another history', async () => {
  const forged = await after(first, { previous: new Uint8Array(32).fill(9) })
  assert.equal(verdict(first, forged), 'changed chain → suspend')
})

test('ID-12 two cards of one number suspend', async () => {
  const fork = await after(first, { expiresAt: second.body.expiresAt - 1 })
  assert.equal(verdict(second, fork), 'equivocation → suspend')
})

test('ID-12 a gap in the numbers is bridged by the account key', async () => {
  assert.equal(verdict(first, await after(await after(second))), 'newer → follow')
})

test('ID-12 a properly signed successor is followed with a notice', async () => {
  const successor = await signSuccessor(crypto, seedsOf(2), idOf(1))
  const last = await after(first, { successor })
  const judged = judgeCard(crypto, first, last)
  assert.ok(judged.kind === 'successor')
  assert.deepEqual(judged.accountId, idOf(2))
  assert.equal(consequenceOf(judged), 'notice')
  assert.equal(verdict(last, await after(last)), 'newer → follow')
})

test('ID-12 a successor cannot be exchanged for another or taken back', async () => {
  const last = await after(first, { successor: await signSuccessor(crypto, seedsOf(2), idOf(1)) })
  const other = await after(last, { successor: await signSuccessor(crypto, seedsOf(3), idOf(1)) })
  assert.equal(verdict(last, other), 'changed successor → suspend')
  assert.equal(verdict(last, await after(last, { successor: undefined })), 'changed successor → suspend')
})

test('ID-12 an account that named its successor certifies no further device: its old key may be anybody’s', async () => {
  const last = await after(first, { successor: await signSuccessor(crypto, seedsOf(2), idOf(1)) })
  const two = await after(last, { devices: [...last.body.devices, await certificateOf(1, 51)] })
  assert.equal(verdict(last, two), 'changed successor → suspend')
  assert.equal(verdict(last, await after(last, { devices: [] })), 'newer → notice')
})

test('ID-15 a new device list is followed with a notice that says what changed', async () => {
  const two = await after(first, { devices: [await certificateOf(1, 50), await certificateOf(1, 51)] })
  const judged = judgeCard(crypto, first, two)
  assert.ok(judged.kind === 'newer')
  assert.deepEqual(
    judged.devices.added.map((device) => device.deviceId),
    [new Uint8Array(16).fill(51)],
  )
  assert.equal(consequenceOf(judged), 'notice')
  assert.equal(deviceChanges(two, first).removed.length, 1)
})

test('ID-15 a renewed certificate is no change, a device with other keys suspends', async () => {
  const renewed = await after(first, { devices: [await certificateOf(1, 50, { expiresAt: NOW_S + 1_000 })] })
  assert.equal(verdict(first, renewed), 'newer → follow')
  const rekeyed = await certificateOf(1, 50, { identityKey: new Uint8Array(32).fill(9) })
  assert.equal(verdict(first, await after(first, { devices: [rekeyed] })), 'changed device-key → suspend')
})

test('ID-27 prekeys count only for a device on the list with the listed keys', async () => {
  assert.equal(prekeysFit(first, await prekeysOf(1, 50)), true)
  assert.equal(prekeysFit(first, await prekeysOf(1, 51)), false)
  const rekeyed = await certificateOf(1, 50, { identityKey: new Uint8Array(32).fill(9) })
  assert.equal(prekeysFit(first, await prekeysOf(1, 50, { certificate: rekeyed })), false)
})
