import { test } from 'node:test'
import assert from 'node:assert/strict'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { LIST_LIFE_MAX_MS, verifyPeerList } from '../../../src/protocol/peer-list.ts'
import type { ListRules, ListSignature, SignedList } from '../../../src/protocol/peer-list.ts'
import { ROTATIONS_MAX, keyRotationBytes, peerListBytes } from '../../../src/wire/peer-list.ts'
import type { PeerList } from '../../../src/wire/peer-list.ts'

const NOW = 1_800_000_000_000
const rng = seededRng(11)
const keeper = () => {
  const seed = rng.bytes(32)
  return { seed, key: crypto.ed25519PublicKey(seed) }
}
type Keeper = ReturnType<typeof keeper>
const [a, b, c, d, e] = [keeper(), keeper(), keeper(), keeper(), keeper()]

const body: PeerList = {
  network: 'main',
  sequence: 7,
  issuedAt: NOW - DAY_MS,
  expiresAt: NOW + 100 * DAY_MS,
  peers: [1, 2, 3].map((n) => `/ip4/8.8.8.${n}/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA`),
}

const sign = (message: Uint8Array, by: readonly Keeper[]): readonly ListSignature[] =>
  by.map(({ seed, key }) => ({ key, signature: crypto.ed25519Sign(seed, message) }))

function signed(
  by: readonly Keeper[],
  change: Partial<PeerList> = {},
  rotations: SignedList['rotations'] = [],
): SignedList {
  const list = { ...body, ...change }
  return { rotations, list, signatures: sign(peerListBytes(list, rotations), by) }
}

function rotation(number: number, to: readonly Keeper[], by: readonly Keeper[], network = 'main') {
  const turn = { network, number, keys: to.map(({ key }) => key) }
  return { ...turn, signatures: sign(keyRotationBytes(turn), by) }
}

const rules: ListRules = { network: 'main', keys: [a.key, b.key, c.key], now: NOW }
const holds = (list: SignedList, change: Partial<ListRules> = {}): void => {
  verifyPeerList(crypto, list, { ...rules, ...change })
}
const refused = (list: SignedList, why: RegExp, change: Partial<ListRules> = {}): void => {
  assert.throws(() => verifyPeerList(crypto, list, { ...rules, ...change }), {
    name: 'VerificationError',
    message: why,
  })
}

test('OP-02 a list holds where more than half of the keys in force have signed it', () => {
  holds(signed([a, b]))
  holds(signed([a, b, c]))
  holds(signed([c]), { keys: [c.key] })
  refused(signed([a]), /more than half/)
  refused(signed([a, a, a]), /more than half/)
  refused(signed([a, d, e]), /more than half/)
  refused(signed([a, b]), /more than half/, { keys: [a.key, b.key, c.key, d.key] })
  refused(signed([a, b]), /no keys/, { keys: [] })
})

test('OP-02 any change of a signed list is noticed', () => {
  const good = signed([a, b, c])
  for (const change of [
    { sequence: 8 },
    { issuedAt: NOW - 1 },
    { expiresAt: NOW + DAY_MS },
    { peers: [...body.peers, ...body.peers] },
    { peers: body.peers.toReversed() },
  ])
    refused({ ...good, list: { ...good.list, ...change } }, /more than half/)
  refused(signed([a, b], { network: 'other' }), /another network/)
  const other = { ...good.list, network: 'other' }
  refused({ ...good, list: other }, /more than half/, { network: 'other' })
})

test('OP-02 fewer than three peers are no list, and a list ends', () => {
  const short = { ...signed([a, b, c]), list: { ...body, peers: body.peers.slice(0, 2) } }
  refused(short, /malformed/)
  refused(signed([a, b], { expiresAt: NOW }), /expired/)
  refused(signed([a, b], { issuedAt: NOW + 2 * DAY_MS }), /future/)
  refused(signed([a, b], { expiresAt: body.issuedAt + LIST_LIFE_MAX_MS + 1 }), /too long/)
})

test('OP-02 keys rotate: the old ones sign for the new ones, and only the last sign lists', () => {
  const first = rotation(1, [c, d, e], [a, b])
  holds(signed([d, e], {}, [first]))
  holds(signed([a], {}, [first, rotation(2, [a], [d, e])]))
  refused(signed([a, b], {}, [first]), /more than half of its keys/)
  refused(signed([d, e], {}, [rotation(1, [c, d, e], [a])]), /keys before it/)
  refused(signed([a], {}, [first, rotation(2, [a], [a, b])]), /keys before it/)
  refused(signed([d, e], {}, [rotation(2, [c, d, e], [a, b])]), /out of place/)
  refused(signed([d, e], {}, [rotation(1, [c, d, e], [a, b], 'other')]), /out of place/)
  const endless = Array.from({ length: ROTATIONS_MAX + 1 }, (_, i) => rotation(i + 1, [a, b, c], [a, b, c]))
  holds(signed([a, b], {}, endless.slice(0, ROTATIONS_MAX)))
  refused({ ...signed([a, b]), rotations: endless }, /too many/)
})

test('OP-02 who has seen a newer list or newer keys does not go back', () => {
  const turned = rotation(1, [d, e], [a, b])
  const known = signed([d, e], { sequence: 9 }, [turned])
  holds(signed([d, e], { sequence: 9 }, [turned]), { known })
  holds(signed([d, e], { sequence: 10 }, [turned]), { known })
  holds(signed([a], { sequence: 10 }, [turned, rotation(2, [a], [d, e])]), { known })
  refused(signed([d, e], { sequence: 8 }, [turned]), /older/, { known })
  refused(signed([a, b, c], { sequence: 99 }), /back behind/, { known })
  refused(signed([c], { sequence: 99 }, [rotation(1, [c], [a, b])]), /back behind/, { known })
})

test('OP-02 of two lists with one number only the first is believed, and the same one again', () => {
  const known = signed([a, b])
  holds(signed([b, c]), { known })
  refused(signed([a, b], { peers: body.peers.toReversed() }), /number of another/, { known })
  refused(signed([a, b], { expiresAt: body.expiresAt + 1 }), /number of another/, { known })
})

test('OP-02 a release may ship the keys of any rotation: what led there is history, what follows is judged', () => {
  const turned = [rotation(1, [c, d, e], [a, b]), rotation(2, [a, e], [c, d])]
  const list = signed([a, e], {}, turned)
  for (const keepers of [
    [a, b, c],
    [c, d, e],
    [a, e],
  ])
    holds(list, { keys: keepers.map(({ key }) => key) })
  const forged = [rotation(1, [c, d, e], [e]), rotation(2, [a, e], [c])]
  refused(signed([a, e], {}, forged), /keys before it/, { keys: [c.key, d.key, e.key] })
  refused(signed([c, d, e], {}, turned), /more than half of its keys/, { keys: [c.key, d.key, e.key] })
  refused(signed([a, e], {}, [rotation(2, [a, e], [c, d])]), /out of place/, { keys: [a.key, e.key] })
})

test('OP-02 nobody but its keepers puts a rotation into a list, or takes one out, whatever the keys of a release', () => {
  const keys = [a.key, b.key, c.key]
  const genuine = signed([a, b])
  const unsigned = { network: 'main', number: 1, keys, signatures: [] }
  refused({ ...genuine, rotations: [unsigned] }, /more than half of its keys/)
  refused(
    {
      ...genuine,
      rotations: [
        { ...unsigned, keys: [d.key] },
        { ...unsigned, number: 2 },
      ],
    },
    /more than half/,
  )
  const turned = signed([d, e], {}, [rotation(1, [d, e], [a, b])])
  const shipped = { keys: [d.key, e.key] }
  holds(turned, shipped)
  refused({ ...turned, rotations: [] }, /more than half of its keys/, shipped)
  refused({ ...turned, rotations: [rotation(1, [b], []), rotation(2, [d, e], [])] }, /more than half/, shipped)
  const known = signed([d, e], {}, [rotation(1, [c], []), rotation(2, [d, e], [])])
  refused(known, /number of another|back behind/, { ...shipped, known: turned })
})
