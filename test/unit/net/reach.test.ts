import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from '../../../src/net/reach/reachability.ts'
import { fromMultihash, multihashOfPeerId } from '../../../src/net/peer-id.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'

const PEER = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'

test('NA-02 behind a NAT is who is connected to public peers and has no address that others dialled', () => {
  const unknown = { verified: false, connectedMs: undefined, candidates: 'none', before: 'unknown' } as const
  assert.equal(judge(unknown), 'unknown')
  assert.equal(judge({ ...unknown, verified: true }), 'public')
  assert.equal(judge({ ...unknown, connectedMs: 1_000 }), 'unknown', 'observers have had no time yet')
  assert.equal(judge({ ...unknown, connectedMs: 5_000 }), 'behind-nat')
  assert.equal(judge({ ...unknown, connectedMs: 5_000, candidates: 'open' }), 'unknown', 'somebody may still dial it')
  assert.equal(judge({ ...unknown, connectedMs: 5_000, candidates: 'failed' }), 'behind-nat')
  assert.equal(judge({ ...unknown, connectedMs: MINUTE_MS, candidates: 'open' }), 'behind-nat', 'nobody answers')
  assert.equal(judge({ ...unknown, before: 'behind-nat' }), 'behind-nat', 'without a line nothing is learnt')
  assert.equal(judge({ ...unknown, before: 'public' }), 'unknown', 'its addresses are gone')
})

test('a multihash is a peer id only where it holds an Ed25519 key', () => {
  const id = PEER
  const bytes = multihashOfPeerId(id) ?? assert.fail()
  assert.equal(fromMultihash(bytes)?.toString(), id)
  for (const bad of [
    undefined,
    bytes.subarray(1),
    Uint8Array.from([0x12, 0x20, ...bytes.subarray(2)]),
    bytes.map(() => 0),
  ]) {
    assert.equal(fromMultihash(bad), undefined)
  }
})
