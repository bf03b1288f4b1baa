import { readFile } from 'node:fs/promises'
import { packageFile } from '../lib/own-files.ts'

/** Of this program, as package.json has it. */
export async function ownVersion(): Promise<string> {
  const text = await readFile(packageFile('package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
