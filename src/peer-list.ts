/**
 * The signed list of peers to join by, as a file: read by the daemon at its start, made by the network's keepers
 * (`sotto peer-list`). `bootstrap/README.md` has format and rules. A list that is not believed keeps no daemon from starting.
 */
import { constants, open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { z } from 'zod'
import type { CryptoProvider } from './crypto/provider.ts'
import { fromHex, toHex } from './lib/bytes.ts'
import { UsageError, VerificationError, messageOf, nameOf } from './lib/errors.ts'
import type { Logger } from './lib/log.ts'
import type { NetworkProfile } from './lib/network-profile.ts'
import { verifyKeepers, verifyPeerList } from './protocol/peer-list.ts'
import type { SignedList } from './protocol/peer-list.ts'
import { LIST_KEYS_MAX, LISTED_PEERS_MAX, LISTED_PEERS_MIN, ROTATIONS_MAX } from './wire/peer-list.ts'

const FILE_BYTES_MAX = 262_144

const hex = (bytes: number) =>
  z
    .string()
    .length(2 * bytes)
    .transform((text, context) => {
      const value = fromHex(text)
      if (value === undefined) context.addIssue({ code: 'custom', message: 'is not lower-case hex' })
      return value ?? new Uint8Array(bytes)
    })
const network = z.string().regex(/^[a-z0-9-]{1,32}$/)
const signatures = z.array(z.strictObject({ key: hex(32), signature: hex(64) })).max(LIST_KEYS_MAX)
const time = z.iso.datetime().transform((text) => Date.parse(text))
const LISTED = /^\/(ip4|ip6|dns4|dns6)\/[^/\s]+\/tcp\/[0-9]{1,5}\/p2p\/[1-9A-HJ-NP-Za-km-z]{40,64}$/

const fileSchema = z.strictObject({
  version: z.literal(1),
  rotations: z
    .array(
      z.strictObject({
        network,
        number: z.number().int().min(1).max(ROTATIONS_MAX),
        keys: z.array(hex(32)).min(1).max(LIST_KEYS_MAX),
        signatures,
      }),
    )
    .max(ROTATIONS_MAX)
    .default([]),
  list: z.strictObject({
    network,
    sequence: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    issuedAt: time,
    expiresAt: time,
    peers: z.array(z.string().max(255).regex(LISTED)).min(LISTED_PEERS_MIN).max(LISTED_PEERS_MAX),
  }),
  signatures,
})

/** The list that the text spells. Throws UsageError that says where it is wrong. */
export function parsePeerList(text: string): SignedList {
  let value: unknown
  try {
    value = text.length > FILE_BYTES_MAX ? undefined : JSON.parse(text)
  } catch (error) {
    throw new UsageError('the peer list is not JSON', { cause: error })
  }
  const result = fileSchema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`)
  throw new UsageError(`the peer list has ${faults.length} fault(s): ${faults.join('; ')}`)
}

/** The file's text. */
export function formatPeerList({ rotations, list, signatures }: SignedList): string {
  const signed = (all: SignedList['signatures']) =>
    all.map(({ key, signature }) => ({ key: toHex(key), signature: toHex(signature) }))
  const file = {
    version: 1,
    rotations: rotations.map((each) => ({ ...each, keys: each.keys.map(toHex), signatures: signed(each.signatures) })),
    list: {
      ...list,
      issuedAt: new Date(list.issuedAt).toISOString(),
      expiresAt: new Date(list.expiresAt).toISOString(),
    },
    signatures: signed(signatures),
  }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** The keys of a profile. */
export function listKeysOf(profile: Pick<NetworkProfile, 'listKeys'>): readonly Uint8Array[] {
  return profile.listKeys.map((text) => fromHex(text)).filter((key) => key?.length === 32) as Uint8Array[]
}

export interface PeerListSource {
  readonly home: string
  /** As the settings name it; `peers.json` in the home where they do not. */
  readonly file: string | undefined
  readonly profile: NetworkProfile
  readonly crypto: Pick<CryptoProvider, 'ed25519Verify'>
  readonly now: number
  readonly log: Logger
}

/**
 * The listed peers: those of the file where it is believed, and then it is remembered; else those of the list believed last,
 * however old: the peers prove their ids. Throws UsageError where a file that the settings name cannot be read.
 */
export async function listedPeers(source: PeerListSource): Promise<readonly string[]> {
  const { home, file, profile, crypto, now, log } = source
  const rules = { network: profile.name, keys: listKeysOf(profile), now }
  const kept = join(home, 'peers.accepted.json')
  const known = await readKept(kept, profile.name)
  const text = await readText(file ?? join(home, 'peers.json'))
  if (text === undefined) {
    if (file !== undefined) throw new UsageError('the peer list that the settings name cannot be read')
    return stillBelieved(known, source)
  }
  try {
    const offered = parsePeerList(text)
    verifyPeerList(crypto, offered, { ...rules, known })
    await keep(kept, formatPeerList(offered), log)
    return offered.list.peers
  } catch (error) {
    if (!(error instanceof VerificationError || error instanceof UsageError)) throw error
    log.warn('the peer list was not accepted', { reason: messageOf(error) })
    return stillBelieved(known, source)
  }
}

/**
 * The list accepted last; `undefined` where there is none for this network. Nothing is asked of it but its form: it was verified
 * before it was kept, and neither a clock that is wrong now nor other keys in the profile make an older one acceptable.
 */
async function readKept(file: string, network: string): Promise<SignedList | undefined> {
  try {
    const signed = parsePeerList((await readText(file)) ?? '')
    return signed.list.network === network ? signed : undefined
  } catch {
    return undefined
  }
}

/** Its peers, where the profile's keys still stand for it. */
function stillBelieved(known: SignedList | undefined, { profile, crypto }: PeerListSource): readonly string[] {
  if (known === undefined) return []
  try {
    verifyKeepers(crypto, known, { network: profile.name, keys: listKeysOf(profile) })
    return known.list.peers
  } catch {
    return []
  }
}

/** A byte more than a list may have at most, and without waiting at a pipe; `undefined` where nothing can be read. */
async function readText(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    return await textOf(handle.createReadStream({ end: FILE_BYTES_MAX }))
  } catch {
    return undefined
  }
}

/** A full or read-only disk costs the memory of this list, and not the start. */
async function keep(file: string, text: string, log: Logger): Promise<void> {
  const draft = `${file}.new`
  try {
    await rm(draft, { force: true })
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
    await rename(draft, file)
  } catch (error) {
    log.warn('the accepted peer list cannot be kept', { error: nameOf(error) })
  }
}
