import { ConflictError, SottoError, StorageError } from '../lib/errors.ts'

/** Of an account's home: what is held for others is mended (`held-open.ts`). */
const DAMAGED =
  'the database is damaged: bring back a copy of this home, or restore the account in a new one with its phrase'

/** What LevelDB or the file system threw, as one of the causes that the program knows. */
export function storageError(error: unknown): SottoError {
  if (error instanceof SottoError) return error
  const chain = causes(error)
  const codes = chain.map((cause) => (cause as { readonly code?: unknown }).code)
  if (codes.includes('LEVEL_LOCKED')) return new ConflictError('another daemon uses this home', { cause: error })
  if (codes.includes('ENOSPC') || codes.includes('EDQUOT') || chain.some(saysFull)) {
    return new StorageError('the disk is full', { cause: error })
  }
  if (codes.includes('LEVEL_CORRUPTION')) return new StorageError(DAMAGED, { cause: error })
  if (codes.includes('EACCES') || codes.includes('EPERM') || codes.includes('EROFS')) {
    return new StorageError('the directory cannot be written', { cause: error })
  }
  return new StorageError('the disk failed', { cause: error })
}

/** Whether it was files that are not what was written, or that are not there. */
export function isDamage(error: unknown): boolean {
  return causes(error).some((cause) => {
    const { code } = cause as { readonly code?: unknown }
    // LevelDB maps files into memory: one that was cut short does not fit its own index.
    return (
      code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && /\.(ldb|sst): invalid argument/i.test(cause.message))
    )
  })
}

function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let cause = error; cause instanceof Error && chain.length < 8; cause = cause.cause) chain.push(cause)
  return chain
}

/** LevelDB hands on strerror's text, not the number. */
function saysFull(error: Error): boolean {
  return /no space left on device|quota exceeded|file too large/i.test(error.message)
}
