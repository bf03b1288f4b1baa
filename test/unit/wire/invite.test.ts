import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64url, toBase64url } from '../../../src/lib/bytes.ts'
import { CodecError, UsageError } from '../../../src/lib/errors.ts'
import type { Invite } from '../../../src/wire/invite.ts'
import { encodeInvite, encodeSafetyQr, INVITE_BYTES_MAX, parseInvite, parseSafetyQr } from '../../../src/wire/invite.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Uint8Array.from(b))
const address = fc
  .tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }), fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{46,60}$/))
  .map(([ip, port, peer]) => `/ip4/${ip}/tcp/${port}/p2p/${peer}`)
const invites: fc.Arbitrary<Invite> = fc.record(
  {
    version: fc.constant(1),
    accountId: bytes(32),
    addresses: fc.array(address, { maxLength: 8 }),
    token: fc.option(bytes(16), { nil: undefined }),
  },
  { noNullPrototype: true },
)
const PEER = '/p2p/12D3KooWGC8k1BzgMSSgPuXCpTmFW3JQGVjqX8pDq6Yq4fUAYNVB'
const invite: Invite = {
  version: 1,
  accountId: new Uint8Array(32).fill(7),
  addresses: [`/ip4/192.0.2.1/tcp/4001${PEER}`],
  token: new Uint8Array(16).fill(9),
}
const link = encodeInvite(invite)
const inside = fromBase64url(link.slice('sotto:'.length))!
const wrap = (encoded: Uint8Array): string => `sotto:${toBase64url(encoded)}`

test('ID-02 every invite survives its link', () => {
  fc.assert(
    fc.property(invites, (value) => {
      const text = encodeInvite(value)
      assert.match(text, /^sotto:[A-Za-z0-9_-]+$/)
      assert.deepEqual(parseInvite(` ${text}\n`), value)
    }),
    { numRuns: 200, seed: 5 },
  )
})

test('ID-02 what parses encodes to the very same link', () => {
  fc.assert(
    fc.property(fc.nat(inside.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const mutated = inside.slice()
      mutated[at]! ^= mask
      let parsed: Invite
      try {
        parsed = parseInvite(wrap(mutated))
      } catch (error) {
        assert.ok(error instanceof UsageError)
        return
      }
      assert.equal(encodeInvite(parsed), wrap(mutated))
    }),
    { numRuns: 1_000, seed: 6 },
  )
})

test('ID-02 truncated, trailing, reserved, oversized and foreign links are refused with one clear error', () => {
  const bad = [
    '',
    'sotto:',
    'hello',
    link.slice(6),
    link.replace('sotto:', 'SOTTO:'),
    `${link}A`,
    `${link}==`,
    wrap(inside.slice(0, -1)),
    wrap(Uint8Array.of(...inside, 0)),
    wrap(Uint8Array.of(2, ...inside.slice(1))),
    wrap(Uint8Array.of(...inside.slice(0, -17), 2, ...inside.slice(-16))),
    wrap(new Uint8Array(INVITE_BYTES_MAX + 1)),
    `sotto:${'A'.repeat(100_000)}`,
  ]
  for (let length = 0; length < inside.length; length++) bad.push(wrap(inside.slice(0, length)))
  const clear = (error: unknown) => error instanceof UsageError && error.message.includes('copy the whole')
  for (const text of bad) assert.throws(() => parseInvite(text), clear, text.slice(0, 100))
})

test('ID-02 an address names its peer and has no blanks or controls', () => {
  const wrong = [
    '',
    '/ip4/1.2.3.4/tcp/1',
    PEER.slice(1),
    `/ip4/1.2.3.4 ${PEER}`,
    `/a\n${PEER}`,
    `/ip4/1.2.3.4${PEER}/x`,
  ]
  for (const address of wrong) {
    assert.throws(() => encodeInvite({ ...invite, addresses: [address] }), CodecError, address)
  }
  const nine = Array.from({ length: 9 }, () => `/ip4/1.2.3.4/tcp/1${PEER}`)
  assert.throws(() => encodeInvite({ ...invite, addresses: nine }), CodecError)
  assert.throws(() => encodeInvite({ ...invite, token: new Uint8Array(15) }), CodecError)
})

test('ID-30 a safety code refuses truncated, trailing, reserved, oversized and foreign text', () => {
  const side = { accountId: new Uint8Array(32).fill(1), devices: new Uint8Array(32).fill(2) }
  const code = encodeSafetyQr({ self: side, peer: side })
  const raw = fromBase64url(code.slice('sotto-verify:'.length))!
  const rewrap = (encoded: Uint8Array): string => `sotto-verify:${toBase64url(encoded)}`
  assert.deepEqual(parseSafetyQr(code), { self: side, peer: side })
  const bad = [
    link,
    '',
    rewrap(raw.slice(1)),
    rewrap(Uint8Array.of(...raw, 1)),
    rewrap(Uint8Array.of(9, ...raw.slice(1))),
    code + code,
  ]
  for (const text of bad) assert.throws(() => parseSafetyQr(text), UsageError)
})
