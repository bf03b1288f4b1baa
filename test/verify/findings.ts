/** What can be learnt from what holders keep: looked for on real disks, after real messages. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { selectProvider } from '../../src/crypto/select.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { parseAccountId } from '../../src/protocol/account-id.ts'
import type { Letter } from '../../src/wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'
import { canary, searchTrees } from '../support/canary.ts'
import { befriend, startNetwork, Testbed } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { lettersOnDisk } from '../support/holder-disk.ts'

/** A text of each size class, and some of the smallest. */
const TEXT_LENGTHS = [0, 0, 0, 0, 500, 1_500, 3_000, 6_000, 14_000, 40_000]
/** Six standard deviations of χ² with 255 degrees of freedom: random bytes go beyond once in 10⁸ runs. */
const CHI_SQUARE = { mean: 255, tolerance: 6 * Math.sqrt(2 * 255) } as const

export interface Leak {
  readonly what: string
  readonly where: string
}

export interface Findings {
  readonly files: number
  readonly bytes: number
  /** Distinct letters on the holders' disks. */
  readonly letters: number
  /** Ciphertext sizes that occur. */
  readonly sizesBytes: readonly number[]
  /** Pearson's χ² of the ciphertexts' bytes against the uniform distribution. */
  readonly chiSquare: number
  readonly leaks: readonly Leak[]
}

/** Starts the network, has Alice write to an absent Bob, and searches. */
export async function verifyBlind(daemons: number): Promise<Findings> {
  const bed = new Testbed()
  try {
    // A holder notes the peer ids of the holders around it, whoever they belong to (`store/peer-notes`). Those of people who
    // hold nothing have no reason to lie anywhere.
    const [alice, bob] = await startNetwork(bed, daemons - 2, ['alice', 'bob'], ['--no-holder'])
    if (alice === undefined || bob === undefined) throw new TypeError('two people were asked for')
    const names = (await Promise.all([alice, bob].map(namesOf))).flat()
    const secret = await correspond(alice, bob)
    // What a holder notes for its next start is written when it leaves.
    await bed.daemons[1]?.stop()
    return await search(bed, names, secret)
  } finally {
    await bed.close()
  }
}

/** The text that must not be found. */
async function correspond(alice: Daemon, bob: Daemon): Promise<string> {
  const secret = canary()
  await befriend(alice, bob)
  const to = await bob.accountId()
  const direct = await alice.send(to, `${secret} while you are there`)
  await alice.reaches(direct.id, 'delivered')
  await bob.stop()
  const sent = await Promise.all(TEXT_LENGTHS.map((length) => alice.send(to, secret + 'x'.repeat(length))))
  for (const { id } of sent) await alice.reaches(id, 'stored', 60_000)
  return secret
}

async function search(bed: Testbed, names: readonly Name[], secret: string): Promise<Findings> {
  const letters = await collect(bed)
  const everywhere = searchTrees([bed.root], secret)
  const held = bed.daemons.map(({ home }) => join(home, 'held')).filter(existsSync)
  const sizesBytes = [...new Set(letters.map(({ ciphertext }) => ciphertext.length))].sort((a, b) => a - b)
  const chiSquare = chiSquareOf(letters.map(({ ciphertext }) => ciphertext))
  const leaks = [
    ...everywhere.found.map(({ file, form }) => ({ what: `the text (${form})`, where: file })),
    ...names.flatMap(({ what, text }) => searchTrees(held, text).found.map(({ file }) => ({ what, where: file }))),
    ...sizesBytes.filter(isNoClass).map((size) => ({ what: `a size of ${size} bytes`, where: 'a letter' })),
    ...(Math.abs(chiSquare - CHI_SQUARE.mean) > CHI_SQUARE.tolerance ? [{ what: 'a pattern', where: 'letters' }] : []),
    ...(letters.length < TEXT_LENGTHS.length ? [{ what: 'nothing to look at', where: 'the holders' }] : []),
  ]
  return { files: everywhere.files, bytes: everywhere.bytes, letters: letters.length, sizesBytes, chiSquare, leaks }
}

async function collect(bed: Testbed): Promise<readonly Letter[]> {
  const crypto = selectProvider(undefined)
  const disks = await Promise.all(bed.daemons.map(({ home }) => lettersOnDisk(home, crypto)))
  return [...new Map(disks.flatMap((disk) => [...disk])).values()]
}

interface Name {
  readonly what: string
  readonly text: string
}

/** What would tie a letter to a person: the peer at both ends, and the account, which stands in public cards as bytes only. */
async function namesOf(person: Daemon): Promise<readonly Name[]> {
  const id = await person.accountId()
  return [
    { what: `${person.name}'s peer id`, text: person.peerId },
    { what: `${person.name}'s account id`, text: id },
    { what: `${person.name}'s account id in hexadecimal`, text: toHex(parseAccountId(id)) },
  ]
}

const isNoClass = (bytes: number): boolean => !SIZE_CLASSES_BYTES.some((size) => size === bytes)

/** Σ (observed − expected)² / expected over the 256 values of a byte. */
export function chiSquareOf(texts: readonly Uint8Array[]): number {
  const counts = new Float64Array(256)
  let total = 0
  for (const text of texts) {
    total += text.length
    for (const byte of text) counts[byte] = (counts[byte] ?? 0) + 1
  }
  const expected = total / 256
  return total === 0 ? Infinity : counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}
