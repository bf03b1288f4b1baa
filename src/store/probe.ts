import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Room for a new log and table. */
const PROBE_BYTES = 1_024 * 1_024

/** Throws the file system's error where `directory` does not take a megabyte, synced. */
export async function probeDirectory(directory: string): Promise<void> {
  const path = join(directory, 'probe.tmp')
  try {
    const file = await open(path, 'w', 0o600)
    try {
      await file.writeFile(new Uint8Array(PROBE_BYTES))
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}
