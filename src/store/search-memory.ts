/** What of the search index lies in memory while the vault is open: the newest messages' words, and what segments there are. */
import type { Manifest, Recent } from './search-records.ts'
import type { Columns } from './search-segment.ts'

export interface SearchMemory {
  /** Of the database, when this was read. */
  readonly generation: number
  /** Raised whenever the segments change. */
  version: number
  manifest: Manifest
  /** The next indexing's number. */
  next: number
  readonly recent: Map<number, Recent>
  /** Words of all recent messages together. */
  recentWords: number
  /** While an old home is indexed: by contact (hex), from which order on its messages are. */
  readonly frontiers: Map<string, number>
  /** Of segments that were asked once. */
  readonly columns: Map<number, Columns>
}

export function remember(memory: SearchMemory, recent: Recent): void {
  memory.recent.set(recent.number, recent)
  memory.recentWords += recent.words.length
}

export function forget(memory: SearchMemory, number: number): void {
  memory.recentWords -= memory.recent.get(number)?.words.length ?? 0
  memory.recent.delete(number)
}

export function changeManifest(memory: SearchMemory, change: Partial<Manifest>): void {
  memory.manifest = { ...memory.manifest, ...change }
  memory.version++
  const left = new Set(memory.manifest.segments.map(({ number }) => number))
  for (const number of memory.columns.keys()) if (!left.has(number)) memory.columns.delete(number)
}
