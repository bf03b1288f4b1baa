import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import type { Arrival } from '../../../src/net/reach/inbound.ts'
import { wideNetwork } from '../../../src/net/reach/inbound.ts'
import { OwnAddresses } from '../../../src/net/reach/own-addresses.ts'

const OWN = '/ip4/8.8.4.4/tcp/4001'
const OTHER = '/ip4/8.8.4.5/tcp/4001'
const SIX = '/ip6/2a00:1450:4001::5/tcp/4001'
const GUESS = '/ip4/21.0.0.2/tcp/4001'
const LAN = '192.168.1.4'

function addresses(announced: readonly string[] = [], listed: string[] = []) {
  const clock = new VirtualClock()
  const own = new OwnAddresses({
    clock,
    rng: seededRng(1),
    announced,
    listed: () => listed.map((text) => multiaddr(text)),
    ports: () => [4001],
  })
  own.refresh()
  return { own, clock, listed }
}

const from = (ip: string, local = '8.8.4.4', port = 4001): Arrival => ({ network: wideNetwork(ip), ip: local, port })

/** Behind a router: observers of two networks agree where we come from. */
function behindRouter() {
  const world = addresses([], ['/ip4/192.168.1.4/tcp/4001'])
  world.own.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  world.own.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/1111'))
  world.own.refresh()
  return world
}

function arrive(own: OwnAddresses, arrival: Arrival, asked: readonly string[] = []): readonly string[] {
  own.arrived(arrival, asked)
  own.settle()
  return own.verified()
}

test('NA-02 an address counts when somebody who was asked got in, is asked about again, and goes after two rounds in vain', async () => {
  const { own, clock, listed } = addresses([], [OWN, '/ip4/192.168.1.4/tcp/4001', '/ip4/127.0.0.1/tcp/4001'])
  assert.deepEqual(
    own.due().map(({ address }) => address),
    [OWN],
    'private ones are nobody’s',
  )
  assert.deepEqual(arrive(own, from('21.0.0.2'), [OWN]), [OWN])
  assert.deepEqual(own.due(), [])
  await clock.advance(31 * MINUTE_MS)
  own.settle()
  assert.equal(own.due().length, 1)
  own.failed(OWN, 2)
  assert.deepEqual(own.verified(), [OWN], 'one bad round is no proof of the contrary')
  await clock.advance(2 * MINUTE_MS)
  own.failed(OWN, 2)
  assert.deepEqual(own.verified(), [])
  listed.length = 0
  own.refresh()
  assert.deepEqual(own.all(), [])
})

test('NA-02 who was reachable stays so as long as one stranger gets in, and one network’s silence says half', async () => {
  const { own, clock } = addresses([], [OWN])
  arrive(own, from('21.0.0.2'), [OWN])
  for (let at = 0; at < 6; at++) {
    await clock.advance(20 * MINUTE_MS)
    arrive(own, from('22.0.0.2'))
    assert.deepEqual([own.verified(), own.due()], [[OWN], []], 'nobody has to be asked')
  }
  await clock.advance(31 * MINUTE_MS)
  for (let round = 1; round <= 4; round++) {
    assert.deepEqual(own.verified(), [OWN])
    own.failed(OWN, 1)
  }
  assert.deepEqual(own.verified(), [])
})

test('NA-02 an arrival proves the address where it arrived, and no other', () => {
  const { own } = addresses([], [OWN, OTHER, SIX])
  const asked = [OWN, OTHER, SIX]
  assert.deepEqual(
    arrive(own, from('21.0.0.2', '8.8.4.4', 34_787), asked),
    [],
    'a punched hole ends where we dial from',
  )
  assert.deepEqual(arrive(own, from('21.0.0.2', LAN), asked), [], 'came in another way')
  assert.deepEqual(arrive(own, from('8.8.200.9', '8.8.4.4'), asked), [], 'a neighbour, inside the same firewall')
  assert.deepEqual(arrive(own, from('192.168.1.9', '8.8.4.4'), asked), [])
  assert.deepEqual(arrive(own, from('21.0.0.2', '8.8.4.5'), asked), [OTHER])
  assert.deepEqual(arrive(own, from('2a03:1:2::3', '2a00:1450:4001:0::5'), asked), [OTHER, SIX])
})

test('NA-02 strangers whom nobody asked prove an interface out of two networks, an announced address out of one, a guess never', () => {
  const { own } = addresses([], [OWN])
  assert.deepEqual(arrive(own, from('21.0.0.2')), [])
  assert.deepEqual(arrive(own, from('21.0.77.3')), [], 'one owner')
  assert.deepEqual(arrive(own, from('22.0.0.2')), [OWN])

  const { own: said } = addresses(['/ip4/21.0.0.7/tcp/443'], [])
  assert.deepEqual(arrive(said, from('22.0.0.2', LAN, 34_787)), [])
  assert.deepEqual(arrive(said, from('10.0.0.7', LAN)), [], 'somebody next door')
  assert.deepEqual(arrive(said, from('22.0.0.2', LAN)), ['/ip4/21.0.0.7/tcp/443'])
  const { own: contained } = addresses(['/ip4/21.0.0.7/tcp/443'], [])
  const asked = ['/ip4/21.0.0.7/tcp/443']
  assert.deepEqual(arrive(contained, from('172.17.0.1', '172.17.0.2'), asked), asked, 'whom we asked, past a proxy')

  const { own: guessed } = behindRouter()
  for (const ip of ['22.0.0.2', '23.0.0.2', '24.0.0.2']) assert.deepEqual(arrive(guessed, from(ip, LAN)), [])
})

test('NA-02 a guess needs peers of two networks that we asked, and is kept by one', async () => {
  const { own, clock } = behindRouter()
  const asked = [GUESS]
  assert.deepEqual(arrive(own, from('22.0.0.2', LAN), asked), [])
  assert.deepEqual(arrive(own, from('22.0.9.9', LAN), asked), [], 'one owner')
  assert.deepEqual(arrive(own, from('23.0.0.2', LAN)), [], 'not asked')
  await clock.advance(31 * MINUTE_MS)
  assert.deepEqual(arrive(own, from('24.0.0.2', LAN), asked), [], 'the first was long ago')
  assert.deepEqual(arrive(own, from('22.0.0.2', LAN), asked), [GUESS])
  await clock.advance(29 * MINUTE_MS)
  arrive(own, from('25.0.0.2', LAN))
  await clock.advance(2 * MINUTE_MS)
  own.settle()
  assert.deepEqual([own.verified(), own.due()], [[GUESS], []])
  own.forget()
  own.refresh()
  own.settle()
  assert.deepEqual(
    own.due().map(({ verified }) => verified),
    [true],
    'a right guess stays when the network changes, and is asked about again',
  )
})

test('NA-02 the address of the router with our port is guessed when observers of two networks agree, and never over an announced one', () => {
  const { own } = addresses()
  own.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  own.observe('11.0.7.9', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  own.observe('192.168.1.1', multiaddr('/ip4/21.0.0.2/tcp/1'))
  own.observe('2a03:1:2::3', multiaddr('/ip4/21.0.0.2/tcp/1'))
  own.refresh()
  assert.deepEqual(own.all(), [], 'one network is one voice')
  own.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/1111'))
  own.refresh()
  assert.deepEqual(
    own.all().map(({ address, source }) => [address, source]),
    [[GUESS, 'guessed']],
  )
  own.forget()
  own.refresh()
  assert.deepEqual(own.all(), [])

  const { own: said } = addresses(['/ip4/21.0.0.7/tcp/443', '/dns4/example.org/tcp/443', '/ip4/10.0.0.1/tcp/1'])
  said.observe('11.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  said.observe('12.0.0.2', multiaddr('/ip4/21.0.0.2/tcp/34787'))
  said.refresh()
  assert.deepEqual(
    said.all().map(({ address }) => address),
    ['/ip4/21.0.0.7/tcp/443'],
  )
})

test('NA-02 observers who lie make no second guess, and do not move the first while as many tell the truth', () => {
  const { own } = behindRouter()
  const guesses = () => {
    own.refresh()
    return own.all().map(({ address }) => address)
  }
  for (let ip = 1; ip <= 64; ip++) own.observe('66.6.6.6', multiaddr(`/ip4/77.0.0.${ip}/tcp/1`))
  assert.deepEqual(guesses(), [GUESS], 'one voice, however much it says')
  own.observe('67.6.6.6', multiaddr('/ip4/77.0.0.64/tcp/1'))
  assert.deepEqual(guesses(), [GUESS], 'two against two')
  own.observe('66.6.6.6', multiaddr('/ip4/78.0.0.1/tcp/1'))
  own.observe('66.6.6.6', multiaddr('/ip4/77.0.0.64/tcp/1'))
  assert.deepEqual(guesses(), [GUESS])
  own.observe('68.6.6.6', multiaddr('/ip4/77.0.0.64/tcp/1'))
  assert.deepEqual(guesses(), ['/ip4/77.0.0.64/tcp/4001'])
})

test('NA-02 an address of this machine is proved as such, even if others see us come from it', () => {
  const { own } = addresses([], [OWN])
  own.observe('11.0.0.2', multiaddr('/ip4/8.8.4.4/tcp/34787'))
  own.observe('12.0.0.2', multiaddr('/ip4/8.8.4.4/tcp/34787'))
  own.refresh()
  assert.deepEqual(
    own.all().map(({ address, source }) => [address, source]),
    [[OWN, 'interface']],
  )
})
