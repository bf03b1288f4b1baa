import { test } from 'node:test'
import type { TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { nativeProvider } from '../../src/crypto/native.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { systemRng } from '../../src/lib/rng.ts'
import type { Host } from '../../src/net/host.ts'
import { HolderPrices } from '../../src/net/holders/holder-prices.ts'
import type { HolderHandler } from '../../src/net/ports.ts'
import { puzzleChallenge, puzzleHolds } from '../../src/protocol/id-puzzle.ts'
import { stampSolver } from '../../src/services/stamps/solver.ts'
import type { PeerRecord } from '../../src/wire/peer.ts'
import { finder, newHost, soon, until } from '../unit/net/hosts.ts'

const PROFILE = { ...LOCAL, name: 'priced', puzzleBits: 8 }
const TARGET = new Uint8Array(32)
const names = (records: readonly PeerRecord[]): string[] => records.map((record) => record.id)

async function solution(host: Host, profile = PROFILE): Promise<Uint8Array> {
  const challenge = puzzleChallenge(nativeProvider, profile.name, host.signer.publicKey)
  return stampSolver(nativeProvider, systemRng).solve(challenge, profile.puzzleBits, soon(60_000))
}

/** `nonce`, or one like it that happens not to be a solution. */
async function noSolution(host: Host, nonce: Uint8Array): Promise<Uint8Array> {
  const challenge = puzzleChallenge(nativeProvider, PROFILE.name, host.signer.publicKey)
  const tried = Uint8Array.from(nonce)
  while (await puzzleHolds(nativeProvider, challenge, tried, PROFILE.puzzleBits)) tried[0] = (tried[0] ?? 0) + 1
  return tried
}

/** A host that holds from its start on, greets with what `puzzle` gives, and passes on `named` to whoever asks. */
async function holder(
  t: TestContext,
  bootstrap: readonly string[],
  puzzle: (host: Host) => Promise<Uint8Array> = solution,
  named: readonly Host[] = [],
): Promise<Host> {
  const host = await newHost(t, { profile: PROFILE, bootstrap: [], holder: false })
  const answer = finder(host)
  const handler: HolderHandler = async (caller, request) => {
    const response = await answer(caller, request)
    return { ...response, closer: [...response.closer, ...named.map((other) => other.routing.self())] }
  }
  await host.setHolderHandler(handler, await puzzle(host))
  for (const address of bootstrap) await host.dial(address, soon())
  return host
}

test('MB-20 who has not paid for its id is no holder: no link, in no zone, named to nobody', async (t) => {
  const a = await holder(t, [])
  const unpaid: Host[] = []
  const b = await holder(t, a.addresses(), solution, unpaid)
  await until(() => names(a.routing.known(TARGET, 9)).includes(b.peerId))
  await until(() => names(b.routing.known(TARGET, 9)).includes(a.peerId))
  const paidByA = await solution(a)
  const nothing = await holder(t, a.addresses(), async (host) => noSolution(host, new Uint8Array(16)))
  const stolen = await holder(t, a.addresses(), async (host) => noSolution(host, paidByA))
  const elsewhere = await holder(t, a.addresses(), async (host) =>
    noSolution(host, await solution(host, { ...PROFILE, name: 'other' })),
  )
  unpaid.push(nothing, stolen, elsewhere)

  for (const cheat of unpaid) {
    await assert.rejects(a.holderNetwork.link(cheat.routing.self(), soon()), { name: /NetworkError|UnpaidError/ })
    await assert.rejects(a.holderNetwork.link(cheat.routing.self(), soon()), { name: /NetworkError|UnpaidError/ })
  }
  const found = names(await a.routing.closest(TARGET, 20, soon()))
  assert.deepEqual(found, [b.peerId])
  assert.deepEqual(names(a.routing.known(TARGET, 20)), [b.peerId])
  const cheats = new Set(unpaid.map((host) => host.peerId))
  assert.ok(a.peers().every((peer) => !cheats.has(peer.id) || !peer.holder))
  // The cheats themselves find the honest ones: asking costs nothing.
  assert.ok(names(await nothing.routing.closest(TARGET, 20, soon())).includes(a.peerId))
})

test('MB-20 a peer that takes on the role later is met then, and one check serves all links to it', async (t) => {
  const a = await holder(t, [])
  const late = await newHost(t, { profile: PROFILE, bootstrap: a.addresses(), holder: false })
  await until(() => a.peers().some((peer) => peer.id === late.peerId))
  assert.deepEqual(a.routing.known(TARGET, 9), [])
  await late.setHolderHandler(finder(late), await solution(late))
  await until(() => names(a.routing.known(TARGET, 9)).includes(late.peerId))
})

test('checks are bounded in number; who could not be checked is not judged', async () => {
  const slow = { ...nativeProvider, argon2id: async () => new Promise<Uint8Array>(() => {}) }
  const prices = new HolderPrices(slow, PROFILE, systemClock)
  const id = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
  for (let i = 0; i < 256; i++) void prices.paid(id, new Uint8Array(16))
  await assert.rejects(prices.paid(id, new Uint8Array(16)), { name: 'LimitError' })
  assert.equal(prices.isPaid(id), false)
  assert.equal(new HolderPrices(slow, LOCAL, systemClock).isPaid(id), true, 'no price')
})

test('a good price is remembered, a bad one is not', async () => {
  let checks = 0
  const counting: typeof nativeProvider = {
    ...nativeProvider,
    argon2id: async (password) => {
      checks++
      return new Uint8Array(32).fill(password[0] ?? 0)
    },
  }
  const prices = new HolderPrices(counting, PROFILE, systemClock)
  const id = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
  assert.equal(await prices.paid(id, new Uint8Array(16).fill(255)), false)
  assert.equal(prices.isPaid(id), false)
  assert.equal(await prices.paid(id, new Uint8Array(16)), true)
  assert.equal(await prices.paid(id, new Uint8Array(16).fill(255)), true, 'it has paid')
  assert.equal(checks, 2)
  assert.equal(await prices.paid('nobody', new Uint8Array(16)), false)
})
