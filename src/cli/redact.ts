/**
 * A report without anybody in it. What may stay is named here; every other text is replaced by a name that only says where in this
 * report the same thing stands again. Pure.
 */

/** Fields whose text is one of a few fixed words, a version or a time. */
const PLAIN = new Set([
  'arch',
  'at',
  'check',
  'component',
  'createdAt',
  'crypto',
  'direct',
  'direction',
  'encryption',
  'error',
  'expiresAt',
  'lastRotatedAt',
  'lastSweepAt',
  'level',
  'mapping',
  'metric',
  'node',
  'platform',
  'reachability',
  'release',
  'result',
  'role',
  'schema',
  'sotto',
  'state',
  'version',
])

/** What a plain field may look like; anything else was not meant for it. */
const FIXED_WORD = /^[a-z][a-z0-9_-]{0,63}$/i
/** What the security log says: no number, no name. */
const SENTENCE = /^[a-z][a-z ,’'-]{0,120}$/
const NETWORKS = new Set(['main', 'local'])
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const VERSION = /^\d+\.\d+\.\d+[a-z0-9.+-]{0,48}$/i
const MULTIADDR = /^(\/[a-z0-9-]+(\/[^/\s]*)?)+$/i
const ACCOUNT = /^sotto1[02-9ac-hj-np-z]{20,}$/
const PEER = /^(12D3Koo|Qm)[1-9A-HJ-NP-Za-km-z]{40,}$/
const HEX = /^[0-9a-f]{8,}$/i
/** Protocol names of addresses whose value is a number and tells nothing of anybody. */
const HARMLESS_PARTS = new Set(['tcp', 'udp'])

export class Redactor {
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  /** The same shape, with every text replaced that could tell of somebody. */
  value(value: unknown, field = ''): unknown {
    if (typeof value === 'string') return this.#text(value, field)
    if (Array.isArray(value)) return value.map((each) => this.value(each, field))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [this.#key(key), this.value(each, key)]))
  }

  #text(text: string, field: string): string {
    if (text === '') return ''
    if (isPlain(text, field)) return text
    if (text.startsWith('/') && MULTIADDR.test(text) && /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr|p2p)\//.test(text))
      return this.#address(text)
    return this.#label(kindOf(text), text)
  }

  /** Keys are ours, but a map could be keyed by what is somebody's. */
  #key(key: string): string {
    return /^[a-zA-Z][a-zA-Z0-9]{0,31}$/.test(key) && !looksLikeAnId(key) ? key : this.#label('key', key)
  }

  /** `/ip4/ip#1/tcp/4001/p2p/peer#2`. */
  #address(address: string): string {
    const parts = address.split('/').slice(1)
    const out = parts.map((part, at) => {
      const before = parts[at - 1] ?? ''
      const isValue = /^(ip4|ip6|dns|dns4|dns6|dnsaddr|p2p|tcp|udp|certhash|sni|ipcidr)$/.test(before)
      if (!isValue) return part
      if (HARMLESS_PARTS.has(before) && /^\d{1,5}$/.test(part)) return part
      return this.#label(before === 'p2p' ? 'peer' : 'ip', part)
    })
    return `/${out.join('/')}`
  }

  #label(kind: string, text: string): string {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    const number = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, number)
    const label = `${kind}#${number}`
    this.#names.set(text, label)
    return label
  }
}

function isPlain(text: string, field: string): boolean {
  if (looksLikeAnId(text)) return false
  if (field === 'network') return NETWORKS.has(text)
  if (field === 'event') return SENTENCE.test(text)
  return PLAIN.has(field) && [FIXED_WORD, TIME, VERSION].some((pattern) => pattern.test(text))
}

const looksLikeAnId = (text: string): boolean =>
  ACCOUNT.test(text) || PEER.test(text) || (HEX.test(text) && text.length >= 16)

function kindOf(text: string): string {
  if (ACCOUNT.test(text)) return 'account'
  if (PEER.test(text)) return 'peer'
  if (HEX.test(text)) return 'id'
  return 'text'
}
