/** The solution of the puzzle under one's own peer id: worked out once, kept in a file, checked whenever it is read. */
import { nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { NO_PUZZLE, PUZZLE_NONCE_BYTES, puzzleChallenge, puzzleHolds } from '../../protocol/id-puzzle.ts'
import { readWholeFile, writeFileAtomically } from '../../store/atomic-file.ts'
import type { StampSolver } from '../ports.ts'

export interface OwnPuzzle {
  readonly crypto: CryptoProvider
  readonly solver: StampSolver
  readonly log: Logger
  /** 16 bytes, beside the peer's key. */
  readonly file: string
  readonly network: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The network's price; at 0 nothing is worked out, read or written. */
  readonly bits: number
}

/**
 * The 16 bytes that a holder greets with. What stands in the file serves if it solves the puzzle of this key on this network; else it is
 * worked out in the background (14 s of a core at 13 bits) and written. Rejects with the signal's reason only.
 */
export async function ownPuzzle(puzzle: OwnPuzzle, signal: AbortSignal): Promise<Uint8Array> {
  const { crypto, solver, network, publicKey, bits } = puzzle
  if (bits === 0) return NO_PUZZLE
  const challenge = puzzleChallenge(crypto, network, publicKey)
  const kept = await readKept(puzzle)
  if (kept !== undefined && (await puzzleHolds(crypto, challenge, kept, bits))) return kept
  const nonce = await solver.solve(challenge, bits, signal)
  await keep(puzzle, nonce)
  return nonce
}

/** A file that cannot be read costs the work again, and no more. */
async function readKept({ file }: OwnPuzzle): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readWholeFile(file)
    return bytes.length === PUZZLE_NONCE_BYTES ? bytes : undefined
  } catch {
    return undefined
  }
}

async function keep({ file, log }: OwnPuzzle, nonce: Uint8Array): Promise<void> {
  try {
    await writeFileAtomically(file, nonce)
  } catch (error) {
    log.warn('the solved puzzle cannot be written and will be worked out again', { error: nameOf(error) })
  }
}
