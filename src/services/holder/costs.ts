/** Entries, letters and bytes that cost as much as one plain request, measured: 0.03 ms, 0.1 ms, and the line. */
export const ENTRIES_PER_COST = 8
export const LETTERS_PER_COST = 4
/** Tombstones that are read for a digest. */
export const READS_PER_COST = 32
export const BYTES_PER_COST = 16_384
