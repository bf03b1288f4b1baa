import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BEHAVIOUR, faultsOf, KINDS, mayBeDirect, mustBeDirect, pairOf, pairsOf } from '../../lab/kinds.ts'
import type { Kind, Pair } from '../../lab/kinds.ts'
import { pathOf, UNREACHED } from '../../lab/measure.ts'
import type { Figures, Path } from '../../lab/measure.ts'
import {
  between,
  heatMap,
  jsonLine,
  markdown,
  shortfalls,
  sumOf,
  textHead,
  textLine,
  textSum,
} from '../../lab/report.ts'
import type { Row } from '../../lab/report.ts'
import { natRules, placementOf, PUBLIC, publicAddress, SITES } from '../../lab/rules.ts'
import type { PublicHost, Site } from '../../lab/rules.ts'
import { sourceNetwork } from '../../../src/protocol/replicas.ts'

function pair(name: string): Pair {
  const found = pairOf(name)
  assert.ok(found, name)
  return found
}

function row(name: string, path: Path, stock?: Path): Row {
  const figures = (of: Path): Figures =>
    of === 'none'
      ? UNREACHED
      : {
          path: of,
          firstMessageMs: 120.4,
          directMs: of.startsWith('direct') ? 800.6 : null,
          rttMs: 3.06,
          throughputMbit: 55.56,
        }
  return { pair: pair(name), sotto: figures(path), stock: stock === undefined ? undefined : figures(stock) }
}

test('NA-02 NA-08 the plan has every kind of network, fourteen pairs and more, IPv6-only and one LAN among them', () => {
  const plan = pairsOf()
  assert.ok(plan.length >= 14)
  assert.equal(new Set(plan.map(({ name }) => name)).size, plan.length)
  for (const kind of KINDS)
    assert.ok(
      plan.some(({ a, b }) => a === kind || b === kind),
      kind,
    )
  for (const name of ['ipv6-ipv6', 'lan-cone', 'symmetric-symmetric', 'cgnat-cgnat', 'tcponly-tcponly']) {
    assert.ok(
      plan.some((one) => one.name === name),
      name,
    )
  }
})

test('NA-02 a pair has to be direct unless a NAT gives every destination another port, or the two speak different versions of IP', () => {
  const must = (name: string): boolean => mustBeDirect(pair(name))
  for (const name of [
    'cone-cone',
    'udpcone-cone',
    'cone-tcponly',
    'restricted-cone',
    'open-cone',
    'ipv6fw-ipv6fw',
    'lan-symmetric',
  ]) {
    assert.ok(must(name), name)
  }
  for (const name of ['cone-symmetric', 'udpcone-tcponly', 'cgnat-cone', 'symmetric-open', 'ipv6-cone'])
    assert.ok(!must(name), name)
  assert.deepEqual(
    ['symmetric-open', 'fullcone-cgnat', 'cone-symmetric', 'ipv6-open'].map((name) => mayBeDirect(pair(name))),
    [true, true, false, false],
  )
})

test('TE-17 pairs are read from a list, and what is none is refused', () => {
  assert.deepEqual(
    pairsOf('cone-symmetric, lan-cone').map(({ a, b, sameLan }) => [a, b, sameLan]),
    [
      ['cone', 'symmetric', false],
      ['cone', 'cone', true],
    ],
  )
  for (const text of ['cone', 'cone-coneish', 'cone-cone-cone', 'lan-lan', ''])
    assert.throws(() => pairsOf(text), /is no pair/)
})

test('TE-17 a NAT that does something else than its kind is a fault, in words', () => {
  for (const kind of KINDS) assert.deepEqual(faultsOf(kind, BEHAVIOUR[kind]), [])
  assert.deepEqual(faultsOf('symmetric', BEHAVIOUR.cone), [
    'symmetric: udpMapping is same, not per-destination',
    'symmetric: tcpMapping is same, not per-destination',
  ])
  assert.deepEqual(faultsOf('tcponly', { ...BEHAVIOUR.tcponly, tcpDialIn: 'anyone', udpMapping: 'same' }), [
    'tcponly: udpMapping is same, not none',
    'tcponly: tcpDialIn is anyone, not nobody',
  ])
})

test('TE-17 every kind of NAT has rules of its own, and none of those that filter lets strangers in', () => {
  const rules = new Map(KINDS.map((kind) => [kind, natRules(kind, '192.168.1.10')]))
  const has = (kind: Kind, part: RegExp): boolean => part.test(rules.get(kind) ?? '')
  for (const text of rules.values())
    assert.match(text, /^flush ruleset\n[\s\S]*input[^\n]*policy drop[\s\S]*forward[^\n]*policy drop/)
  const unasked = KINDS.filter((kind) => has(kind, /^ {4}accept$/m) || has(kind, /iifname \{[^}]*wan[^}]*\} dnat to/))
  assert.deepEqual(unasked, ['open', 'fullcone', 'ipv6'])
  const translating = KINDS.filter((kind) => has(kind, /masquerade/))
  assert.deepEqual(
    translating,
    KINDS.filter((kind) => !['open', 'ipv6', 'ipv6fw'].includes(kind)),
  )
  assert.ok(has('symmetric', /masquerade fully-random/) && !has('cone', /random/))
  assert.ok(
    has('tcponly', /udp drop/) && has('restricted', /dport @spoken dnat/) && has('restricted', /update @spoken/),
  )
})

test('NA-08 addresses look public where they have to, and an IPv6-only host has no other', () => {
  const octets = [...Object.values(PUBLIC), ...Object.values(SITES).map(({ octet }) => octet)]
  assert.equal(new Set(octets).size, octets.length)
  const known = (ip: string): boolean => sourceNetwork(ip) !== undefined
  for (const host of Object.keys(PUBLIC) as PublicHost[])
    assert.ok(Object.values(publicAddress(host)).every(known), host)
  for (const site of Object.keys(SITES) as Site[]) {
    assert.match(placementOf(site, 'cone', 1).address, /^192\.168\.\d\.11\/24$/)
    assert.match(placementOf(site, 'open').address, /^2\d\.0\.1\.10\/24$/)
    assert.match(placementOf(site, 'ipv6fw').address, /^2a01:2\d:1::10\/64$/)
  }
})

test('NA-02 how a direct connection came about is read from the ports at both its ends', () => {
  const listens = { own: 4_101, other: 4_102 }
  const seen = (address: string): { address: string; direction: 'inbound' } => ({ address, direction: 'inbound' })
  assert.equal(pathOf(seen('/ip4/22.0.0.2/tcp/4102'), seen('/ip4/21.0.0.2/tcp/40001'), listens), 'direct-dial')
  assert.equal(pathOf(seen('/ip4/22.0.0.2/tcp/40002'), seen('/ip4/21.0.0.2/tcp/4101'), listens), 'direct-dial')
  assert.equal(pathOf(seen('/ip4/22.0.0.2/tcp/40002'), seen('/ip4/21.0.0.2/tcp/40001'), listens), 'direct-punch')
  assert.equal(
    pathOf(seen('/ip4/13.0.0.2/tcp/4001/p2p/x/p2p-circuit/webrtc/p2p/y'), undefined, listens),
    'direct-webrtc',
  )
})

test('NA-02 NA-07 the sum counts who was reached and who is direct of those that have to be, and names what falls short', () => {
  const rows = [
    row('cone-cone', 'direct-punch', 'direct-webrtc'),
    row('cone-tcponly', 'relay', 'relay'),
    row('cone-symmetric', 'relay', 'none'),
    row('symmetric-open', 'direct-dial', 'relay'),
    row('open-open', 'none', 'direct-dial'),
  ]
  assert.deepEqual(sumOf(rows), { pairs: 5, reached: 4, punchable: 3, direct: 1 })
  assert.deepEqual(shortfalls(rows), [
    'cone-tcponly: relay, where a direct path is possible',
    'open-open: nothing arrived',
  ])
  assert.match(textSum(rows), /^4 of 5 pairs .*1 of 3 .*\(stock libp2p: 4 of 5 .*2 of 3/)
})

test('TE-17 a pair is one line of JSON with rounded figures, and one line of text', () => {
  assert.deepEqual(JSON.parse(jsonLine(row('cone-cone', 'direct-punch'))), {
    pair: 'cone-cone',
    path: 'direct-punch',
    firstMessageMs: 120,
    directMs: 801,
    rttMs: 3.1,
    throughputMbit: 55.6,
    stock: null,
  })
  const compared = JSON.parse(jsonLine(row('cone-cone', 'direct-punch', 'relay'))) as { stock: unknown }
  assert.deepEqual(compared.stock, {
    path: 'relay',
    firstMessageMs: 120,
    directMs: null,
    rttMs: 3.1,
    throughputMbit: 55.6,
  })
  assert.match(textLine(row('cone-cone', 'none')), /^cone-cone +none +– +– +– +–$/)
  assert.ok(textHead(true).length > textHead(false).length)
})

test('TE-17 the heat map has a cell for each pair in a place of its own, and the README takes the table between its marks', () => {
  const rows = pairsOf().map(({ name }) => row(name, 'relay', 'none'))
  const picture = heatMap(rows, 'a run')
  assert.deepEqual(
    [...picture.matchAll(/<title>([^<]*)</g)].map(([, name]) => name),
    rows.map(({ pair: { name } }) => name),
  )
  const places = [...picture.matchAll(/<rect x="(\d+)" y="(\d+)" width="\d+" height="42"/g)].map(
    ([, x, y]) => `${x} ${y}`,
  )
  assert.equal(new Set(places).size, rows.length)
  assert.equal(markdown(rows).split('\n').length, rows.length + 2)
  const document = 'before\n<!-- nat: begin -->\nold\n<!-- nat: end -->\nafter\n'
  assert.equal(between(document, 'new'), 'before\n<!-- nat: begin -->\nnew\n<!-- nat: end -->\nafter\n')
  assert.throws(() => between('no marks', 'new'), /marks/)
})
