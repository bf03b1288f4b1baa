/** Reads an account's recovery records out of the network. Believes what the account's own secret opens, and nothing else. */
import { eachBounded } from '../../lib/bounded.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { openRecovery, recoveryAddressOf } from '../../protocol/recovery-rules.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import type { RecoveryChunk } from '../../wire/recovery.ts'
import { contentOf } from './entries.ts'
import type { RecoveryContent, RecoveryNetwork } from './ports.ts'

/** Chunks asked for at once. */
const CHUNKS_AT_ONCE = 4

export interface ReadDeps {
  readonly crypto: CryptoProvider
  readonly network: RecoveryNetwork
}

/** What a holder of the highest number showed; `unheard` where too few have answered to know. */
export type ChunkFound =
  | { readonly kind: 'found'; readonly chunk: RecoveryChunk }
  | { readonly kind: 'none' | 'unheard' }

export type RecoveryFound =
  | { readonly kind: 'none' | 'unheard' }
  | {
      readonly kind: 'found'
      readonly head: RecoveryChunk
      readonly content: RecoveryContent
      /** The highest number of any of its chunks. */
      readonly number: number
      /** Every chunk is there, none of an older snapshot than the head. */
      readonly whole: boolean
    }

export async function readChunk(
  { crypto, network }: ReadDeps,
  secret: Uint8Array,
  index: number,
  signal: AbortSignal,
): Promise<ChunkFound> {
  const { record, complete } = await network.fetch(recoveryAddressOf(crypto, secret, index), signal)
  const chunk = record?.kind === CARD_KIND.recovery ? openRecovery(crypto, secret, index, record.body) : undefined
  if (chunk !== undefined) return { kind: 'found', chunk }
  return { kind: complete ? 'none' : 'unheard' }
}

/** The newest snapshot, as far as the network has it: chunks that are missing or old are left out or taken as they are. */
export async function readRecovery(deps: ReadDeps, secret: Uint8Array, signal: AbortSignal): Promise<RecoveryFound> {
  const first = await readChunk(deps, secret, 0, signal)
  if (first.kind !== 'found') return first
  const head = first.chunk
  const chunks: (RecoveryChunk | undefined)[] = [head]
  const others = Array.from({ length: head.count - 1 }, (_, i) => i + 1)
  await eachBounded(others, CHUNKS_AT_ONCE, async (index) => {
    const found = await readChunk(deps, secret, index, signal)
    chunks[index] = found.kind === 'found' ? found.chunk : undefined
  })
  const there = chunks.filter((chunk) => chunk !== undefined)
  // Of a contact that moved from one chunk to another meanwhile, the newer word counts.
  const newestFirst = [...there].sort((a, b) => b.number - a.number)
  return {
    kind: 'found',
    head,
    content: contentOf(newestFirst.flatMap(({ entries }) => entries)),
    number: Math.max(...there.map(({ number }) => number)),
    whole: there.length === head.count && there.every(({ number }) => number >= head.number),
  }
}
