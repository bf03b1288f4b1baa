/** Texts that people paste and peers send: account ids, peer ids, addresses, links, the network's file. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from '../../src/lib/errors.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { multihashOfPeerId, parsePeerId } from '../../src/net/peer-id.ts'
import { addressFor, ipOf, parseAddress } from '../../src/net/addresses.ts'
import { loadProfile } from '../../src/profile.ts'
import { decodeAccountId, encodeAccountId, parseAccountId } from '../../src/protocol/account-id.ts'
import { encodeInvite, encodeSafetyQr, parseInvite, parseSafetyQr } from '../../src/wire/invite.ts'
import { SEED } from '../support/strict.ts'
import { wireSample } from '../support/wire-samples.ts'

const RUNS = 3_000
const PEER_ID = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'

function mutated(text: string, rng: Rng): string {
  const at = randomBelow(rng, text.length)
  const other = String.fromCodePoint(randomBelow(rng, randomBelow(rng, 4) === 0 ? 0x2fff : 0x7f))
  switch (randomBelow(rng, 6)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return text.slice(0, at) + other + text.slice(at)
    case 2:
      return text.slice(0, at) + other + text.slice(at + 1)
    case 3:
      return text.slice(0, at) + text.slice(at + 1)
    case 4:
      return text.slice(0, at) + text.slice(at).toUpperCase()
    default:
      return text.repeat(1 + randomBelow(rng, 50))
  }
}

/** Whatever is made of `texts`, the parser gives a value that spells that text again, or its own refusal. */
function fuzz(texts: readonly string[], parse: (text: string) => string | undefined, seed: number): number {
  const rng = seededRng(seed)
  let accepted = 0
  for (let i = 0; i < RUNS; i++) {
    const text = mutated(texts[i % texts.length] ?? '', rng)
    const spelt = parse(text)
    if (spelt === undefined) continue
    accepted++
    assert.equal(spelt, text)
  }
  return accepted
}

const quietly =
  <T>(parse: (text: string) => T, spell: (value: T) => string) =>
  (text: string): string | undefined => {
    try {
      return spell(parse(text))
    } catch (error) {
      if (error instanceof UsageError) return undefined
      throw error
    }
  }

test(`TE-18 ID-18 account ids: a text with a fault in it is refused, and nothing else is thrown (seed ${SEED})`, () => {
  const ids = fc
    .sample(fc.uint8Array({ minLength: 32, maxLength: 32 }), { numRuns: 20, seed: SEED })
    .map(encodeAccountId)
  for (const id of ids) assert.equal(encodeAccountId(decodeAccountId(id) ?? assert.fail()), id)
  // The whole text in capitals spells the same id; blanks around it are left off.
  const parse = (text: string): string | undefined => {
    const id = quietly(parseAccountId, encodeAccountId)(text)
    return id === text.trim().toLowerCase() ? text : id
  }
  assert.ok(fuzz(ids, parse, SEED) < RUNS / 20)
})

test(`TE-18 peer ids in base58 and addresses: parsed or not, never thrown (seed ${SEED})`, () => {
  assert.equal(multihashOfPeerId(PEER_ID)?.length, 38)
  fuzz(
    [PEER_ID, 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', '1'.repeat(60)],
    (text) => parsePeerId(text)?.toString(),
    SEED,
  )
  const addresses = [`/ip4/127.0.0.1/tcp/4001/p2p/${PEER_ID}`, '/ip6/::1/udp/1/quic-v1', '/dns4/a.example/tcp/1/tls/ws']
  fuzz(
    addresses,
    (text) => {
      const address = parseAddress(text)
      addressFor(text, PEER_ID)
      if (address === undefined) return undefined
      ipOf(address)
      // A multiaddr has several spellings: what it spells must parse to the same.
      assert.equal(parseAddress(address.toString())?.toString(), address.toString())
      return text
    },
    SEED,
  )
})

test(`TE-18 invites and safety codes: a damaged link is one clear error (seed ${SEED})`, () => {
  const invites = fc.sample(wireSample('invite').arbitrary, { numRuns: 12, seed: SEED }) as Parameters<
    typeof encodeInvite
  >[0][]
  const codes = fc.sample(wireSample('safety code').arbitrary, { numRuns: 6, seed: SEED }) as Parameters<
    typeof encodeSafetyQr
  >[0][]
  const trimmed = (parse: (text: string) => string | undefined) => (text: string) => {
    const spelt = parse(text)
    return spelt === text.trim() ? text : spelt
  }
  fuzz(invites.map(encodeInvite), trimmed(quietly(parseInvite, encodeInvite)), SEED)
  fuzz(codes.map(encodeSafetyQr), trimmed(quietly(parseSafetyQr, encodeSafetyQr)), SEED)
})

test(`TE-18 the file of a network: a profile within its bounds, or one UsageError (seed ${SEED})`, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sotto-names-'))
  const path = join(directory, 'network.json')
  const rng = seededRng(SEED)
  const good = JSON.stringify({ ...LOCAL, name: 'mine', inboundPerSecond: 50 })
  let accepted = 0
  try {
    for (let i = 0; i < 300; i++) {
      await writeFile(path, i === 0 ? good : mutated(good, rng))
      try {
        const profile = await loadProfile(path)
        accepted++
        assert.ok(profile.epochMs > 0 && profile.stampBits >= 0 && profile.stampBits <= 64)
        assert.match(profile.name, /^[a-z0-9-]{1,32}$/)
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  assert.ok(accepted >= 1 && accepted < 150, `${accepted} accepted`)
})
