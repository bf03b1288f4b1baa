/** Between fields and the text that the library wants. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse, render, renderCandidates } from '../../../../../src/net/upgrade/webrtc/sdp.ts'

const peer = {
  ufrag: 'nXHw',
  pwd: 'KEbQcMnuJVu93FdmqgG1gB',
  fingerprint: Uint8Array.from({ length: 32 }, (_, i) => i),
  candidates: [
    { ip: '2a00:1:2::3', port: 50_768 },
    { ip: '21.0.0.2', port: 51_406 },
  ],
}

const whole = (type: 'offer' | 'answer'): string => `${render(type, peer)}${renderCandidates(peer).join('\r\n')}\r\n`

test('NA-02 what is written is read again, in its order; the best candidate has the highest priority', () => {
  for (const type of ['offer', 'answer'] as const) {
    const sdp = whole(type)
    assert.deepEqual(parse(sdp), peer)
    const priorities = [...sdp.matchAll(/UDP (\d+) /g)].map(([, priority]) => Number(priority))
    assert.ok((priorities[0] ?? 0) > (priorities[1] ?? 0) && (priorities[0] ?? 0) < 2 ** 31)
    assert.ok(sdp.includes(type === 'offer' ? 'a=setup:active' : 'a=setup:passive'))
    assert.ok(sdp.split('\r\n').every((line) => line === '' || /^[a-z]=/.test(line)))
  }
})

test('NA-02 of the library’s own text: UDP at an IP; names, TCP and relays are left out', () => {
  const more = [
    'a=candidate:1 1 TCP 1 21.0.0.3 9 typ host tcptype active',
    'a=candidate:2 1 UDP 1 host.local 4000 typ host',
    'a=candidate:3 1 UDP 1 21.0.0.4 4000 typ relay raddr 0.0.0.0 rport 0',
    'a=candidate:4 1 UDP 1 21.0.0.5 4000 typ srflx raddr 0.0.0.0 rport 0',
  ]
  const read = parse(`${whole('offer')}${more.join('\r\n')}\r\n`)
  assert.deepEqual(read?.candidates, [...peer.candidates, { ip: '21.0.0.5', port: 4_000 }])
  for (const lacking of ['ice-ufrag', 'ice-pwd', 'fingerprint'])
    assert.equal(parse(render('offer', peer).replace(lacking, 'else')), undefined)
})
