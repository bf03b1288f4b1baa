/**
 * The little of SDP that the helper's library wants to hear (RFC 8841, 8839). A peer's text never gets here: what it sent are
 * the fields of `wire/upgrade.ts`, and everything around them is written by us.
 */
import { fromHex, toHex } from '../../../lib/bytes.ts'
import { CHANNEL_MESSAGE_BYTES_MAX } from './messages.ts'
import type { IceCandidate, IcePeer } from './messages.ts'

/** Type preference of a host candidate (RFC 8445 §5.1.2.2): what kind it really is, nobody needs to know. */
const PREFERENCE = 126
/** The name of the one medium. */
export const MID = '0'

/**
 * The peer as an SDP, without its candidates. The DTLS client is who offered: it has the other's terms last, so its first packet finds somebody who knows
 * them; the other way round that packet is thrown away, and comes again a second later.
 */
export function render(type: 'offer' | 'answer', { ufrag, pwd, fingerprint }: IcePeer): string {
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    `a=fingerprint:sha-256 ${colons(fingerprint)}`,
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=mid:${MID}`,
    'a=sctp-port:5000',
    `a=max-message-size:${CHANNEL_MESSAGE_BYTES_MAX}`,
    `a=setup:${type === 'offer' ? 'active' : 'passive'}`,
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
  ]
  return `${lines.join('\r\n')}\r\n`
}

/** The peer's candidates, each in a line of its own. */
export function renderCandidates({ candidates }: IcePeer): readonly string[] {
  return candidates.map(({ ip, port }, i) => `a=candidate:${i + 1} 1 UDP ${priority(i)} ${ip} ${port} typ host`)
}

/** What an SDP of our own library says; `undefined` where it lacks something. */
export function parse(sdp: string): IcePeer | undefined {
  const line = (name: string): string | undefined => new RegExp(`^a=${name}(.+?)\\r?$`, 'm').exec(sdp)?.[1]
  const [ufrag, pwd] = [line('ice-ufrag:'), line('ice-pwd:')]
  const fingerprint = fromHex((line('fingerprint:sha-256 ') ?? '').replaceAll(':', '').toLowerCase())
  if (ufrag === undefined || pwd === undefined || fingerprint?.length !== 32) return undefined
  return { ufrag, pwd, fingerprint, candidates: sdp.split(/\r?\n/).flatMap(candidateOf) }
}

/** Best first as it is said. UDP only, IPs only. */
function candidateOf(line: string): readonly IceCandidate[] {
  const found = /^a=candidate:\S+ 1 UDP \d+ ([0-9a-fA-F.:]+) (\d{1,5}) typ (?:host|srflx)/.exec(line)
  return found === null ? [] : [{ ip: found[1] ?? '', port: Number(found[2]) }]
}

function priority(index: number): number {
  return PREFERENCE * 2 ** 24 + (65_535 - index) * 2 ** 8 + 255
}

function colons(bytes: Uint8Array): string {
  return (toHex(bytes).toUpperCase().match(/../g) ?? []).join(':')
}
