/** An arbitrary of every structure that crosses the wire: for round trips, truncation and mutation. */
import fc from 'fast-check'
import { seededRng } from '../../src/lib/rng.ts'
import {
  accountCardCodec,
  deviceCertificateCodec,
  hybridPublicKeyCodec,
  successorCodec,
  SUITE,
} from '../../src/wire/card.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import type { Codec } from '../../src/wire/codec.ts'
import {
  contactAcceptBodyCodec,
  contactRequestBodyCodec,
  contentCodec,
  deleteBodyCodec,
  editBodyCodec,
  grantBodyCodec,
  grantCodec,
  liveBodyCodec,
  partBodyCodec,
  profileBodyCodec,
  reactionBodyCodec,
  receiptBodyCodec,
  textBodyCodec,
  timerBodyCodec,
} from '../../src/wire/content.ts'
import { directFrameCodec } from '../../src/wire/direct.ts'
import {
  deviceIdentityCodec,
  INITIAL_PREFIX_BYTES,
  initialPrekeyIdsCodec,
  transcriptCodec,
} from '../../src/wire/envelope.ts'
import {
  cardRecordCodec,
  holderClientFrameCodec,
  holderServerFrameCodec,
  possessionCodec,
} from '../../src/wire/holder.ts'
import {
  POOL_HEIGHT,
  prekeyBundleCodec,
  prekeySliceCodec,
  SLICE_PREKEYS_MAX,
  sliceReportCodec,
  takePrekeyCodec,
} from '../../src/wire/prekey-slices.ts'
import { inviteCodec, safetyQrCodec } from '../../src/wire/invite.ts'
import {
  cursorCodec,
  depositCodec,
  LANE_ID_BYTES,
  letterCodec,
  letterHeaderCodec,
  listingCodec,
  ownerProofCodec,
  policyCodec,
  POLICY_LANES,
  putProofCodec,
  receiptCodec,
  tombstoneCodec,
} from '../../src/wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'
import { peerRecordCodec } from '../../src/wire/peer.ts'
import {
  recoveredContactCodec,
  recoveredSettingCodec,
  recoveryChunkCodec,
  recoveryEntryCodec,
  recoveryRecordCodec,
} from '../../src/wire/recovery.ts'
import { oneTimePrekeyCodec, prekeyCardCodec } from '../../src/wire/prekeys.ts'
import { SESSION_STATUSES, sessionBookCodec } from '../../src/wire/session-state.ts'
import { upgradeFrameCodec } from '../../src/wire/upgrade.ts'

export interface WireSample {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly arbitrary: fc.Arbitrary<unknown>
}

/** Random bytes from one integer: an arbitrary per byte would take seconds at these sizes. */
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.integer().map((seed) => seededRng(seed).bytes(length))
const opaque = (min: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.integer({ min, max }), fc.integer()).map(([length, seed]) => seededRng(seed).bytes(length))
/** fast-check's own makes objects without a prototype, which deepEqual tells from decoded ones. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true })
const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
const u64 = fc.oneof(fc.constantFrom(0, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.maxSafeNat())
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: Math.min(20, Math.floor(maxLength / 40)) })
const few = <T>(item: fc.Arbitrary<T>, max: number, min = 0): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: min, maxLength: Math.min(max, min + 3), size: 'max' })
const maybe = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(item, { nil: undefined })
const exactly = (count: number, length: number): fc.Arbitrary<Uint8Array[]> =>
  fc.integer().map((seed) => {
    const rng = seededRng(seed)
    return Array.from({ length: count }, () => rng.bytes(length))
  })

const publicKey = record({ ed25519: bytes(32), mldsa65: bytes(1_952) })
const signature = record({ ed25519: bytes(64), mldsa65: bytes(3_309) })
const version = fc.constant(1 as const)
const suite = fc.constant(SUITE)

const certificate = record({
  body: record({
    version,
    suite,
    accountId: bytes(32),
    deviceId: bytes(16),
    signingKey: publicKey,
    identityKey: bytes(32),
    issuedAt: u32,
    expiresAt: u32,
  }),
  signature,
})
const successor = record({ account: publicKey, signature })
const accountCard = record({
  body: record({
    version,
    suite,
    account: publicKey,
    number: u32,
    previous: bytes(32),
    issuedAt: u32,
    expiresAt: u32,
    devices: fc.array(certificate, { maxLength: 2 }),
    successor: maybe(successor),
  }),
  signature,
})
const prekeyCard = record({
  body: record({
    version,
    suite,
    account: publicKey,
    certificate,
    number: u32,
    issuedAt: u32,
    expiresAt: u32,
    signedPrekey: record({ id: u32, key: bytes(32) }),
    kemPrekey: record({ id: u32, key: bytes(1_568) }),
    pool: record({ root: bytes(32), count: u16 }),
    intro: few(record({ epoch: u32, address: bytes(32) }), 8),
    stampBits: u8,
  }),
  signature,
})
const oneTimePrekey = record({ id: u32, key: bytes(32), kem: bytes(1_568) })
const peerRecord = record({ id: text(128), addresses: few(text(255), 8) })

/** A letter as the rules have it: the padding of its class, a stamp or a lane but never both. */
const letter = fc
  .tuple(fc.integer(), fc.constantFrom(1 as const, 2 as const), fc.constantFrom(0 as const, 1 as const), u32, u8)
  .map(([seed, kind, sizeClass, expiry, bits]) => {
    const rng = seededRng(seed)
    return {
      version: 1 as const,
      kind,
      address: rng.bytes(32),
      lane: kind === 1 ? rng.bytes(16) : new Uint8Array(16),
      expiry,
      sizeClass,
      commitment: rng.bytes(32),
      stamp: kind === 2 ? { bits, nonce: rng.bytes(16) } : { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: rng.bytes(SIZE_CLASSES_BYTES[sizeClass]),
    }
  })
const receipt = record({ holder: text(128), at: u32, signature: bytes(64) })
const deleted = record({ id: bytes(32), preimage: bytes(16) })
const rung = fc.constantFrom(0 as const, 1 as const, 2 as const)
const policy = record({
  body: record({
    version,
    suite,
    epochKey: bytes(1_312),
    number: u32,
    expiry: u32,
    stampBits: u8,
    lanes: bytes(POLICY_LANES * LANE_ID_BYTES),
  }),
  signature: bytes(2_420),
})
const ownerProof = record({ epochKey: bytes(1_312), signature: bytes(2_420) })
const listing = record({
  boot: bytes(8),
  cursor: u32,
  more: fc.constantFrom(0 as const, 1 as const),
  live: few(record({ id: bytes(32), expiry: u32, sizeClass: u8 }), 1_024),
  dead: few(deleted, 1_024),
})
const cursor = maybe(record({ boot: bytes(8), at: u32 }))

/** One of several kinds, each with its body. */
const kinds = (bodies: Readonly<Record<number, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> =>
  fc.oneof(...Object.entries(bodies).map(([kind, body]) => record({ kind: fc.constant(Number(kind)), body })))

const endpoint = kinds({
  4: record({ ip: bytes(4), port: fc.integer({ min: 1, max: 0xffff }) }),
  6: record({ ip: bytes(16), port: fc.integer({ min: 1, max: 0xffff }) }),
})
const terms = record({
  mapping: fc.constantFrom(0, 1, 2),
  reachable: few(endpoint, 4),
  punchable: maybe(endpoint),
  udp: fc.constantFrom(0, 1, 2, 3),
})
const iceText = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('a', 'Z', '0', '+', '/'), minLength: min, maxLength: max })
const ice = record({
  ufrag: iceText(4, 32),
  pwd: iceText(22, 64),
  fingerprint: bytes(32),
  candidates: few(endpoint, 8),
})

const putProof = kinds({
  1: record({ key: bytes(32), signature: bytes(64) }),
  2: fc.constant({ reserved: 0 }),
})
const header = letter.map((whole) => decode(letterHeaderCodec, encode(letterHeaderCodec, whole)))
const tombstone = record({ header, digest: bytes(32), preimage: bytes(16), proof: putProof })
const deposit = record({ letter, proof: putProof })
const possession = kinds({
  0: fc.constant({}),
  1: record({ hash: bytes(32) }),
  2: tombstone,
  3: fc.constant({}),
})
const recoveryRecord = record({
  body: record({
    version,
    suite,
    writer: bytes(1_312),
    number: u32,
    expiry: u32,
    nonce: bytes(24),
    sealed: opaque(0, 5_000),
  }),
  signature: bytes(2_420),
})
const recoveryEntry = record({ type: u8, body: opaque(0, 300) })
const recoveredContact = record({
  version,
  accountId: bytes(32),
  name: text(64),
  state: fc.constantFrom(1, 2, 3, 4),
  note: text(512),
  pin: maybe(record({ number: u32, hash: bytes(32) })),
  pinSource: fc.constantFrom(1, 2, 3),
  verified: fc.boolean(),
  suspended: fc.boolean(),
  favourite: fc.boolean(),
  direct: fc.constantFrom(1, 2),
  addedAt: u64,
  muted: fc.boolean(),
  pinned: fc.boolean(),
  timer: u32,
  lamport: u64,
})
const recoveryChunk = record({
  version,
  number: u32,
  index: u16,
  count: u16,
  deviceId: bytes(16),
  cardNumber: u32,
  entries: few(recoveryEntry, 4_096),
})
const cardRecord = kinds({ 1: accountCard, 2: prekeyCard, 3: policy, 4: recoveryRecord })
const cardVersion = record({ number: u32, hash: bytes(32) })
const provenPrekey = record({ prekey: oneTimePrekey, place: u8, path: exactly(POOL_HEIGHT, 32) })
const sliceBody = record({
  card: bytes(32),
  number: u32,
  slice: u8,
  root: bytes(32),
  count: u16,
  token: bytes(16),
  prekeys: few(provenPrekey, SLICE_PREKEYS_MAX, 1),
})
const prekeySlice = record({ body: sliceBody, signature })
const takePrekey = record({ card: bytes(32), hour: u32, stamp: record({ bits: u8, nonce: bytes(16) }) })
const prekeyBundle = record({ card: prekeyCard, oneTime: maybe(provenPrekey) })
const sliceReport = record({ number: u32, slice: u8, root: bytes(32), left: u32 })
const request = kinds({
  1: record({ letter, proof: putProof, rung }),
  2: cardRecord,
  3: record({ key: bytes(32) }),
  4: record({ address: bytes(32), proof: ownerProof }),
  5: record({ address: bytes(32), cursor }),
  6: record({ address: bytes(32), ids: few(bytes(32), 64, 1) }),
  7: record({ tombstones: few(tombstone, 64, 1) }),
  8: record({ address: bytes(32) }),
  9: record({ target: bytes(32) }),
  10: record({ nonce: bytes(16), ids: few(bytes(32), 256, 1) }),
  11: record({ salt: bytes(16), after: u32, boxes: few(record({ address: bytes(32), digest: bytes(16) }), 512, 1) }),
  12: record({
    address: bytes(32),
    after: u32,
    from: bytes(32),
    upto: bytes(32),
    dead: few(bytes(32), 1_024),
    policy: maybe(cardVersion),
  }),
  13: record({ letter, proof: putProof, rung }),
  14: fc.constant({}),
  15: record({ address: bytes(32), ids: few(bytes(32), 64, 1) }),
  16: prekeySlice,
  17: takePrekey,
  18: record({ card: bytes(32), token: bytes(16) }),
})
const answer = kinds({
  0: fc.constant({}),
  1: receipt,
  2: cardRecord,
  3: listing,
  4: record({ letters: few(deposit, 64) }),
  5: record({ proofs: few(possession, 256) }),
  6: record({ places: few(u16, 512) }),
  7: record({
    wanted: few(u16, 1_024),
    dead: few(tombstone, 256),
    more: fc.boolean(),
    policy: maybe(policy),
    policyWanted: fc.boolean(),
  }),
  8: prekeyBundle,
  9: sliceReport,
})
const response = record({
  status: fc.integer({ min: 0, max: 10 }),
  answer,
  closer: few(peerRecord, 20),
})

const grant = record({
  firstEpoch: u32,
  addresses: few(bytes(32), 53),
  laneSeed: bytes(32),
  peerId: text(128),
  multiaddrs: few(text(255), 8),
})
const content = record({
  version,
  id: bytes(16),
  preimage: bytes(16),
  sentAt: u64,
  kind: u8,
  body: opaque(0, 300),
  extensions: few(record({ type: u16, data: opaque(0, 40) }), 16),
})

const avatar = maybe(record({ type: fc.constantFrom(1, 2, 3), data: opaque(1, 500) }))
const saidOrNot = fc.constantFrom(0, 1, 2)

const peerAddress = fc
  .integer({ min: 1, max: 65_535 })
  .map((port) => `/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooW${port}`.replaceAll('0', '1'))
const invite = record({ version, accountId: bytes(32), addresses: few(peerAddress, 8), token: maybe(bytes(16)) })
const safetySide = record({ accountId: bytes(32), devices: bytes(32) })

const prekeyIds = record({ signedPrekeyId: u32, kemPrekeyId: u32, oneTimeId: maybe(u32), cardHash: bytes(32) })
const deviceIdentity = record({
  suite,
  accountId: bytes(32),
  deviceId: bytes(16),
  signingKey: publicKey,
  identityKey: bytes(32),
})
const transcript = record({
  suite,
  initiatorAccount: bytes(32),
  responderAccount: bytes(32),
  initiatorDevice: bytes(32),
  responderDevice: bytes(32),
  initiatorCard: bytes(32),
  prekeys: prekeyIds,
  signedPrekey: bytes(32),
  oneTimePrekey: bytes(32),
  kemPrekey: bytes(1_568),
  kemCiphertext: bytes(1_568),
  ephemeral: bytes(32),
})

const headerKeys = record({ key: bytes(32), tagKey: bytes(16) })
const skipped = few(record({ n: u32, key: bytes(32), at: u64 }), 2_000)
const sessionKeys = record({
  root: bytes(32),
  ratchetSecret: maybe(bytes(32)),
  ratchetPeer: maybe(bytes(32)),
  kemSeed: maybe(bytes(64)),
  kemPeer: maybe(bytes(1_184)),
  confirmSeed: maybe(bytes(64)),
  confirmPeer: maybe(bytes(1_568)),
  nextSending: headerKeys,
  nextReceiving: headerKeys,
  turns: u32,
  previous: u32,
  sending: maybe(
    record({
      turn: u32,
      header: headerKeys,
      chainKey: bytes(32),
      next: u32,
      previous: u32,
      opening: maybe(opaque(0, 2_688)),
    }),
  ),
  receiving: maybe(record({ turn: u32, header: headerKeys, chainKey: bytes(32), next: u32, skipped })),
  old: few(record({ turn: u32, tagKey: bytes(16), headerKey: maybe(bytes(32)), skipped, closedAt: u64 }), 5),
})
const party = record({ accountId: bytes(32), deviceId: bytes(16) })
const session = record({
  version,
  suite,
  id: bytes(32),
  role: fc.constantFrom('initiator', 'responder'),
  status: fc.constantFrom(...SESSION_STATUSES),
  local: party,
  peer: party,
  oneTime: fc.boolean(),
  confirmed: fc.boolean(),
  createdAt: u64,
  sentAt: u64,
  receivedAt: u64,
  sent: u32,
  received: u32,
  initial: record({ ephemeral: bytes(32), hash: bytes(32), prefix: maybe(bytes(INITIAL_PREFIX_BYTES)) }),
  keys: maybe(sessionKeys),
})
const sessionBook = record({
  version,
  peer: party,
  entries: fc.array(record({ state: session, rival: maybe(bytes(32)) }), { maxLength: 2 }),
})

const sample = (name: string, codec: unknown, arbitrary: fc.Arbitrary<unknown>): WireSample => ({
  name,
  codec: codec as Codec<unknown>,
  arbitrary,
})

/** Every decoder of the wire that bytes of a peer or of the disk can reach. */
export const WIRE_SAMPLES: readonly WireSample[] = [
  sample('hybrid public key', hybridPublicKeyCodec, publicKey),
  sample('device certificate', deviceCertificateCodec, certificate),
  sample('successor', successorCodec, successor),
  sample('account card', accountCardCodec, accountCard),
  sample('prekey card', prekeyCardCodec, prekeyCard),
  sample('one-time prekey', oneTimePrekeyCodec, oneTimePrekey),
  sample('peer record', peerRecordCodec, peerRecord),
  sample('letter', letterCodec, letter),
  sample('put proof', putProofCodec, putProof),
  sample('receipt', receiptCodec, receipt),
  sample('letter header', letterHeaderCodec, header),
  sample('deposit', depositCodec, deposit),
  sample('tombstone', tombstoneCodec, tombstone),
  sample('possession', possessionCodec, possession),
  sample('prekey slice', prekeySliceCodec, prekeySlice),
  sample('take prekey', takePrekeyCodec, takePrekey),
  sample('prekey bundle', prekeyBundleCodec, prekeyBundle),
  sample('slice report', sliceReportCodec, sliceReport),
  sample('policy', policyCodec, policy),
  sample('recovery record', recoveryRecordCodec, recoveryRecord),
  sample('recovery entry', recoveryEntryCodec, recoveryEntry),
  sample('recovery chunk', recoveryChunkCodec, recoveryChunk),
  sample('recovered contact', recoveredContactCodec, recoveredContact),
  sample('recovered setting', recoveredSettingCodec, record({ name: text(64), value: text(4_096) })),
  sample('owner proof', ownerProofCodec, ownerProof),
  sample('listing', listingCodec, listing),
  sample('cursor', cursorCodec, cursor),
  sample('card record', cardRecordCodec, cardRecord),
  sample('holder client frame', holderClientFrameCodec, record({ id: u32, request })),
  sample(
    'holder server frame',
    holderServerFrameCodec,
    kinds({
      1: record({ challenge: bytes(32), puzzle: bytes(16) }),
      2: record({ id: u32, response }),
      3: deposit,
    }),
  ),
  sample(
    'direct frame',
    directFrameCodec,
    kinds({
      1: record({ envelope: opaque(1, 2_000) }),
      2: record({ acks: few(record({ id: bytes(32), preimage: bytes(16) }), 64, 1) }),
      4: record({ envelope: opaque(1, 2_000) }),
      5: record({}),
    }),
  ),
  sample(
    'upgrade frame',
    upgradeFrameCodec,
    kinds({ 1: terms, 2: terms, 3: record({ rung: fc.constantFrom(1, 2, 3) }), 4: record({ ice: maybe(ice) }) }),
  ),
  sample('content', contentCodec, content),
  sample('grant', grantCodec, grant),
  sample('text body', textBodyCodec, record({ text: text(10_000), replyTo: maybe(bytes(16)) })),
  sample('receipt body', receiptBodyCodec, record({ delivered: few(bytes(16), 256), read: few(bytes(16), 256) })),
  sample('contact request body', contactRequestBodyCodec, record({ grant, note: text(512), token: maybe(bytes(16)) })),
  sample('contact accept body', contactAcceptBodyCodec, record({ grant })),
  sample('grant body', grantBodyCodec, record({ grant })),
  sample(
    'part body',
    partBodyCodec,
    record({ whole: bytes(16), kind: u8, index: u16, count: u16, bytes: opaque(1, 500) }),
  ),
  sample('reaction body', reactionBodyCodec, record({ target: bytes(16), emoji: text(32) })),
  sample('edit body', editBodyCodec, record({ target: bytes(16), text: text(10_000) })),
  sample('delete body', deleteBodyCodec, record({ targets: few(bytes(16), 64, 1) })),
  sample('profile body', profileBodyCodec, record({ number: u32, name: text(64), bio: text(512), avatar })),
  sample('timer body', timerBodyCodec, record({ seconds: u32 })),
  sample('live body', liveBodyCodec, record({ typing: saidOrNot, presence: saidOrNot })),
  sample('invite', inviteCodec, invite),
  sample('safety code', safetyQrCodec, record({ version, self: safetySide, peer: safetySide })),
  sample('initial prekey ids', initialPrekeyIdsCodec, prekeyIds),
  sample('device identity', deviceIdentityCodec, deviceIdentity),
  sample('transcript', transcriptCodec, transcript),
  sample('session book', sessionBookCodec, sessionBook),
]

/** The sample of that name. */
export function wireSample(name: string): WireSample {
  const found = WIRE_SAMPLES.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no wire sample called ${name}`)
  return found
}
