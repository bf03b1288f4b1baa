/** What the keepers of a peer list do with it; each has a key of their own, and the file goes from one to the next. */
import { readFile, writeFile } from 'node:fs/promises'
import { fromSystemError } from './api/errors.ts'
import { selectProvider } from './crypto/select.ts'
import { equal, fromHex, toHex } from './lib/bytes.ts'
import { systemClock } from './lib/clock.ts'
import { UsageError } from './lib/errors.ts'
import { systemRng } from './lib/rng.ts'
import { DAY_MS } from './lib/time.ts'
import { formatPeerList, listKeysOf, parsePeerList } from './peer-list.ts'
import { loadProfile } from './profile.ts'
import { verifyPeerList } from './protocol/peer-list.ts'
import type { ListSignature, SignedList } from './protocol/peer-list.ts'
import { keyRotationBytes, peerListBytes } from './wire/peer-list.ts'

const SEED_BYTES = 32

/** Makes a key in a file of its own (0600) and gives the public one in hex. Throws where the file is there already. */
export async function makeListKey(file: string): Promise<string> {
  const seed = systemRng.bytes(SEED_BYTES)
  try {
    await writeFile(file, `${toHex(seed)}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw fromSystemError(error, 'cannot write the key')
  }
  return toHex(selectProvider(undefined).ed25519PublicKey(seed))
}

/** An unsigned list: the first of a network, or the next after `before` with its rotations. */
export async function newPeerList(input: {
  readonly network: string
  readonly peers: readonly string[]
  readonly days: number
  readonly before?: string | undefined
}): Promise<string> {
  const before = input.before === undefined ? undefined : parsePeerList(await readText(input.before))
  const issuedAt = systemClock.now()
  const list = {
    network: input.network,
    sequence: (before?.list.sequence ?? 0) + 1,
    issuedAt,
    expiresAt: issuedAt + input.days * DAY_MS,
    peers: input.peers,
  }
  const made = { rotations: before?.rotations ?? [], list, signatures: [] }
  return formatPeerList(parsePeerList(formatPeerList(made)))
}

/** The list with one more rotation, to `keys` (hex); it and the list are to be signed anew. */
export async function rotateListKeys(file: string, keys: readonly string[]): Promise<string> {
  const before = parsePeerList(await readText(file))
  const { network, sequence } = before.list
  const rotation = { network, number: before.rotations.length + 1, keys: keys.map(publicKey), signatures: [] }
  const list = { ...before.list, sequence: sequence + 1 }
  return formatPeerList({ rotations: [...before.rotations, rotation], list, signatures: [] })
}

/** The list signed with one more key: its body, and the last rotation where that is new. Signing twice is signing once. */
export async function signPeerList(file: string, keyFile: string): Promise<string> {
  const signed = parsePeerList(await readText(file))
  const seed = fromHex((await readText(keyFile)).trim())
  if (seed?.length !== SEED_BYTES) throw new UsageError('this is no key file: sotto peer-list key makes one')
  const crypto = selectProvider(undefined)
  const key = crypto.ed25519PublicKey(seed)
  const add = (all: readonly ListSignature[], message: Uint8Array): readonly ListSignature[] => [
    ...all.filter((each) => !equal(each.key, key)),
    { key, signature: crypto.ed25519Sign(seed, message) },
  ]
  const rotations = signed.rotations.map((each, index) => {
    const { network, number, keys } = each
    if (index < signed.rotations.length - 1) return each
    return { ...each, signatures: add(each.signatures, keyRotationBytes({ network, number, keys })) }
  })
  return formatPeerList({
    rotations,
    list: signed.list,
    signatures: add(signed.signatures, peerListBytes(signed.list, rotations)),
  })
}

/** Checks the file as a daemon of that network does. Throws UsageError, VerificationError. */
export async function checkPeerList(file: string, network: string): Promise<SignedList> {
  const profile = await loadProfile(network)
  const signed = parsePeerList(await readText(file))
  const rules = { network: profile.name, keys: listKeysOf(profile), now: systemClock.now() }
  verifyPeerList(selectProvider(undefined), signed, rules)
  return signed
}

function publicKey(text: string): Uint8Array {
  const key = fromHex(text)
  if (key?.length !== 32) throw new UsageError('a public key has 64 hex digits; sotto peer-list key shows it')
  return key
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fromSystemError(error, 'cannot read the file')
  })
}
