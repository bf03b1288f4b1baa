/** Safety codes beside each other. What a code is made of says `wire/invite`: a version, then two sides of 64 bytes each. */

export type Comparison = 'match' | 'devices-differ' | 'mismatch' | 'own' | 'no-code'

export const COMPARE_WORDS: Readonly<Record<Comparison, string>> = {
  match: 'The codes belong together: nobody sits between you. You can mark the contact as verified.',
  'devices-differ':
    'The accounts are right, but one of you has not seen the other’s newest devices yet. Wait a minute, open this screen again, and compare anew.',
  mismatch:
    'These codes do NOT belong together. It is the code of another contact, or somebody sits between you: send nothing of weight.',
  own: 'This is your own code. Take a picture of the one on the other side’s screen.',
  'no-code': 'This is a QR code, but not one of a safety number.',
}

const SCHEME = 'sotto-verify:'
const CODE_BYTES = 129
const HALF = 64
const ID = 32

interface Side {
  readonly accountId: string
  readonly devices: string
}

/** Both are texts of QR codes; `own` is the daemon's. */
export function compareCodes(own: string, scanned: string): Comparison {
  const mine = sidesOf(own)
  const theirs = sidesOf(scanned)
  if (mine === undefined || theirs === undefined) return 'no-code'
  if (own === scanned.trim()) return 'own'
  const [me, peer] = mine
  const [them, meForThem] = theirs
  if (them.accountId !== peer.accountId || meForThem.accountId !== me.accountId) return 'mismatch'
  return them.devices === peer.devices && meForThem.devices === me.devices ? 'match' : 'devices-differ'
}

function sidesOf(text: string): readonly [Side, Side] | undefined {
  const trimmed = text.trim()
  if (!trimmed.startsWith(SCHEME) || trimmed.length > SCHEME.length + 2 * CODE_BYTES) return undefined
  const bytes = fromBase64url(trimmed.slice(SCHEME.length))
  if (bytes?.length !== CODE_BYTES || bytes.codePointAt(0) !== 1) return undefined
  const side = (at: number): Side => ({ accountId: bytes.slice(at, at + ID), devices: bytes.slice(at + ID, at + HALF) })
  return [side(1), side(1 + HALF)]
}

/** Bytes as a string of as many characters: only compared, never shown. Nothing in them is secret. */
function fromBase64url(text: string): string | undefined {
  try {
    return atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  } catch {
    return undefined
  }
}
