/** What the search index keeps, as plain values with their codecs. `README.md` says how it hangs together. */
import { constant, fixed, list, oneOf, opaque, packed, struct, text, u32, u64, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { TEXT_WORDS_MAX, WORD_BYTES_MAX } from './search-words.ts'

/** Which indexing of a message holds: whatever else is found of it is of a text that is gone. */
export const placeCodec = struct({ version: constant(1), number: u64 })

/** A message that stands in no segment yet. `number` orders what was indexed and is never given twice. */
export const recentCodec = struct({
  version: constant(1),
  number: u64,
  id: fixed(16),
  contact: fixed(32),
  committedAt: u64,
  order: u64,
  words: list(text(WORD_BYTES_MAX), TEXT_WORDS_MAX),
})
export type Recent = Coded<typeof recentCodec>

/** Messages of one segment at most. */
export const SEGMENT_DOCS_MAX = 131_072
/** Where a segment's messages stand, oldest first: committedAt, order and number u64, index of the contact u32. */
export const DOC_BYTES = 28
export const columnsCodec = struct({
  version: constant(1),
  contacts: list(fixed(32), SEGMENT_DOCS_MAX),
  docs: packed(DOC_BYTES, SEGMENT_DOCS_MAX),
})

/** The ids of as many of a segment's messages lie together: a page of results opens few of them. */
export const IDS_PER_BLOCK = 256
export const ID_BYTES = 16
export const idsCodec = struct({ version: constant(1), ids: packed(ID_BYTES, IDS_PER_BLOCK) })

/** The words of one shelf in one segment, sorted, each with its messages: differences of ascending places, LEB128. */
export const shelfCodec = struct({
  version: constant(1),
  words: list(struct({ word: text(WORD_BYTES_MAX), docs: opaque(4 * SEGMENT_DOCS_MAX) }), 2 ** 24),
  /** Zeros, so that sizes say less. */
  padding: opaque(2 ** 24),
})
export type Shelf = Coded<typeof shelfCodec>

export const SEARCH_STATE = { building: 1, built: 2, clearing: 3 } as const
const segmentCodec = struct({ number: u32, docs: u32 })
export type SegmentName = Coded<typeof segmentCodec>
export const manifestCodec = struct({
  version: constant(1),
  state: oneOf(1, 2, 3),
  /** The next segment's, and the next indexing's. */
  nextSegment: u32,
  nextNumber: u64,
  segments: list(segmentCodec, 65_535),
})
export type Manifest = Coded<typeof manifestCodec>

/** How far an old conversation is indexed: messages of this order and later are. */
export const frontierCodec = struct({ version: constant(1), contact: fixed(32), from: u64 })
export const goneCodec = struct({ version: u8, number: u64 })
