/** What one copy of a 4 KiB letter is on the wire: by the product's codec. */
import { encode } from '../../../src/wire/codec.ts'
import { depositCodec, LETTER_KIND } from '../../../src/wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../../src/wire/padding.ts'

const SIZE_CLASS = 1

export const COPY_BYTES = encode(depositCodec, {
  letter: {
    version: 1,
    kind: LETTER_KIND.lane,
    address: new Uint8Array(32),
    lane: new Uint8Array(16),
    expiry: 0,
    sizeClass: SIZE_CLASS,
    commitment: new Uint8Array(32),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: new Uint8Array(SIZE_CLASSES_BYTES[SIZE_CLASS]),
  },
  proof: { kind: LETTER_KIND.lane, body: { key: new Uint8Array(32), signature: new Uint8Array(64) } },
}).length
