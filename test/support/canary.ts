/** A text that must not be found anywhere, and the search for it: as it is, in other encodings, and in pieces. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Compression may cut a text into runs; a run of this length of random letters is no accident. */
const PIECE_BYTES = 12

/** 32 random bytes as 64 letters: no two canaries share a piece. */
export function canary(): string {
  return `canary${randomBytes(32).toString('hex')}`
}

interface Form {
  readonly name: string
  readonly bytes: Buffer
}

/** How a text may lie on a disk: plain, UTF-16, hexadecimal, base64 at each of its three offsets. */
export function formsOf(text: string): readonly Form[] {
  const plain = Buffer.from(text, 'utf8')
  const forms: Form[] = [
    { name: 'utf16le', bytes: Buffer.from(text, 'utf16le') },
    { name: 'utf16be', bytes: Buffer.from(text, 'utf16le').swap16() },
    { name: 'hex', bytes: Buffer.from(plain.toString('hex')) },
    { name: 'HEX', bytes: Buffer.from(plain.toString('hex').toUpperCase()) },
    { name: 'reversed', bytes: Buffer.from(plain).reverse() },
  ]
  for (let at = 0; at + PIECE_BYTES <= plain.length; at += PIECE_BYTES) {
    forms.push({ name: `plain at ${at}`, bytes: plain.subarray(at, at + PIECE_BYTES) })
  }
  for (const offset of [0, 1, 2]) {
    // The first and last group of four depend on what stands beside the text.
    const encoded = Buffer.concat([Buffer.alloc(offset), plain])
      .toString('base64')
      .replaceAll('=', '')
    const certain = encoded.slice(4, -4)
    forms.push({ name: `base64 at ${offset}`, bytes: Buffer.from(certain) })
    forms.push({
      name: `base64url at ${offset}`,
      bytes: Buffer.from(certain.replaceAll('+', '-').replaceAll('/', '_')),
    })
  }
  return forms
}

export interface Sighting {
  readonly file: string
  readonly form: string
}
export interface Search {
  readonly files: number
  readonly bytes: number
  readonly found: readonly Sighting[]
}

/** Every file under the directories, whole. Files that vanish during the walk (LevelDB compaction) are passed over. */
export function searchTrees(directories: readonly string[], text: string): Search {
  const forms = formsOf(text)
  const found: Sighting[] = []
  let files = 0
  let bytes = 0
  for (const file of directories.flatMap(filesUnder)) {
    const content = read(file)
    if (content === undefined) continue
    files++
    bytes += content.length
    for (const form of forms) if (content.includes(form.bytes)) found.push({ file, form: form.name })
    for (const form of forms)
      if (file.includes(form.bytes.toString('latin1'))) found.push({ file, form: `name, ${form.name}` })
  }
  return { files, bytes, found }
}

function filesUnder(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
