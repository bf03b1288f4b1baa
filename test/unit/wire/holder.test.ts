import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { accountCardCodec, deviceCertificateCodec, successorCodec } from '../../../src/wire/card.ts'
import { decode, encode, list } from '../../../src/wire/codec.ts'
import {
  ANSWER_KIND,
  CARD_KIND,
  CLOSER_PEERS_MAX,
  GET_BYTES_MAX,
  GET_LETTERS_MAX,
  HOLDER_FRAME,
  HOLDER_FRAME_BYTES_MAX,
  HOLDER_STATUS,
  HOLDER_VERB,
  holderClientFrameCodec,
  holderServerFrameCodec,
  POSSESSION,
  PROVE_IDS_MAX,
  RECONCILE_IDS_MAX,
  RECONCILE_TOMBSTONES_MAX,
  TOMBSTONES_MAX,
} from '../../../src/wire/holder.ts'
import type { HolderRequest } from '../../../src/wire/holder.ts'
import { letterCodec, policyCodec, tombstoneCodec } from '../../../src/wire/letter.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { peerRecordCodec } from '../../../src/wire/peer.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const tombstone = {
  ...decode(tombstoneCodec, encoded('tombstone')),
  proof: { kind: 1, body: { key: new Uint8Array(32), signature: new Uint8Array(64) } },
} as const
const request = (body: HolderRequest): Uint8Array => encode(holderClientFrameCodec, { id: 1, request: body })

test('SE-19 holder frames: round trip, truncated, trailing', () => {
  holdsStrict('holder client frame', 12)
  holdsStrict('holder server frame', 8)
})

test('MB-28 every verb, status, answer and frame has its number and no two share one', () => {
  for (const table of [HOLDER_VERB, HOLDER_STATUS, ANSWER_KIND, HOLDER_FRAME, CARD_KIND]) {
    const values = Object.values(table)
    assert.equal(new Set(values).size, values.length)
  }
  assert.deepEqual(Object.values(HOLDER_STATUS), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

test('unknown verbs, statuses, answers and frames are refused', () => {
  const client = wireSample('holder client frame').codec
  const server = wireSample('holder server frame').codec
  const find = request({ kind: HOLDER_VERB.find, body: { target: new Uint8Array(32) } })
  for (const verb of [0, 19, 255]) refuses(client, find.with(4, verb), `verb ${verb}`)
  const answer = encode(holderServerFrameCodec, {
    kind: 2,
    body: { id: 1, response: { status: 0, answer: { kind: 0, body: {} }, closer: [] } },
  })
  assert.equal(answer.length, 1 + 4 + 1 + 1 + 1)
  refuses(server, answer.with(0, 4), 'frame 4')
  refuses(server, answer.with(5, 11), 'status 11')
  refuses(server, answer.with(6, 10), 'answer 10')
  refuses(server, answer.with(7, CLOSER_PEERS_MAX + 1), 'twenty-one closer peers')
})

test('a request names between one and its most', () => {
  const ids = (count: number): HolderRequest => ({
    kind: HOLDER_VERB.get,
    body: { address: new Uint8Array(32), ids: Array.from({ length: count }, () => new Uint8Array(32)) },
  })
  const tombs = (count: number): HolderRequest => ({
    kind: HOLDER_VERB.tomb,
    body: { tombstones: Array.from({ length: count }, () => tombstone) },
  })
  assert.ok(request(ids(GET_LETTERS_MAX)).length > 0 && request(tombs(TOMBSTONES_MAX)).length > 0)
  for (const wrong of [ids(0), ids(GET_LETTERS_MAX + 1), tombs(0), tombs(TOMBSTONES_MAX + 1)]) {
    assert.throws(() => request(wrong), CodecError)
  }
})

test('the largest answers fit the largest frame', () => {
  const closer = Array.from({ length: CLOSER_PEERS_MAX }, () => ({
    id: 'x'.repeat(128),
    addresses: Array.from({ length: 8 }, () => 'y'.repeat(255)),
  }))
  const peers = encode(list(peerRecordCodec, CLOSER_PEERS_MAX), closer).length
  assert.ok(GET_BYTES_MAX + peers + 16 <= HOLDER_FRAME_BYTES_MAX)
  const letter: Letter = {
    ...decode(letterCodec, encoded('letter')),
    sizeClass: 4,
    ciphertext: new Uint8Array(65_536),
  }
  const proof = { kind: 2, body: { reserved: 0 } } as const
  const push = encode(holderServerFrameCodec, { kind: 3, body: { letter, proof } })
  assert.ok(push.length <= HOLDER_FRAME_BYTES_MAX)
  const deposits = Array.from({ length: GET_LETTERS_MAX }, () => {
    return {
      letter: { ...letter, ciphertext: new Uint8Array(GET_BYTES_MAX / GET_LETTERS_MAX) },
      proof: tombstone.proof,
    }
  })
  const dead = Array.from({ length: RECONCILE_TOMBSTONES_MAX }, () => tombstone)
  const policy = decode(policyCodec, encoded('policy'))
  const wanted = Array.from({ length: RECONCILE_IDS_MAX }, (_, i) => i)
  const proofs = Array.from({ length: PROVE_IDS_MAX }, () => ({ kind: POSSESSION.dead, body: tombstone }) as const)
  for (const answer of [
    { kind: ANSWER_KIND.letters, body: { letters: deposits } },
    { kind: ANSWER_KIND.proofs, body: { proofs } },
    { kind: ANSWER_KIND.reconciled, body: { wanted, dead, more: true, policy, policyWanted: false } },
  ] as const) {
    const body = { id: 1, response: { status: 0, answer, closer } } as const
    const { length } = encode(holderServerFrameCodec, { kind: 2, body })
    assert.ok(length <= HOLDER_FRAME_BYTES_MAX, `${length}`)
  }
  const base = decode(accountCardCodec, encoded('account card'))
  const certificate = decode(deviceCertificateCodec, encoded('device certificate'))
  const successor = decode(successorCodec, encoded('successor'))
  const card = { ...base, body: { ...base.body, devices: Array.from({ length: 8 }, () => certificate), successor } }
  const response = { status: 0 as const, answer: { kind: 2 as const, body: { kind: 1 as const, body: card } }, closer }
  const frame = encode(holderServerFrameCodec, { kind: 2, body: { id: 1, response } })
  assert.ok(frame.length <= HOLDER_FRAME_BYTES_MAX, `${frame.length}`)
})
