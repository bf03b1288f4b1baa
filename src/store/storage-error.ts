import { ConflictError, SottoError, StorageError } from '../lib/errors.ts'

/** What LevelDB or the file system threw, as one of the causes that the program knows. */
export function storageError(error: unknown): SottoError {
  if (error instanceof SottoError) return error
  const chain = causes(error)
  const codes = chain.map((cause) => (cause as { readonly code?: unknown }).code)
  if (codes.includes('LEVEL_LOCKED')) return new ConflictError('another daemon uses this home', { cause: error })
  if (codes.includes('ENOSPC') || codes.includes('EDQUOT') || chain.some(saysFull)) {
    return new StorageError('the disk is full', { cause: error })
  }
  if (codes.includes('LEVEL_CORRUPTION')) return new StorageError('the database is damaged', { cause: error })
  if (codes.includes('EACCES') || codes.includes('EPERM') || codes.includes('EROFS')) {
    return new StorageError('the directory cannot be written', { cause: error })
  }
  return new StorageError('the disk failed', { cause: error })
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
