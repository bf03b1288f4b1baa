/** Bytes of UTF-8 that still fit. */
export const bytesLeft = (text: string, max: number): number => max - new TextEncoder().encode(text).length
