/** Homes as older programs wrote them, packed into one file each (`make-home.ts`). */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export const PASSPHRASE = 'the passphrase of before'
/** What was said to each contact. */
export const TEXTS: readonly (readonly string[])[] = [
  ['good morning', 'Žluťoučký kůň', 'see you at the lake'],
  ['東京タワー', 'ok 👍'],
]

/** Lays the home down in `directory`. */
export function unpack(fixture: string, directory: string): void {
  const path = new URL(`fixtures/${fixture}.home.gz`, import.meta.url)
  const packed = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as Record<string, string>
  for (const [name, content] of Object.entries(packed)) {
    const file = join(directory, name)
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, Buffer.from(content, 'base64'), { mode: 0o600 })
  }
}
