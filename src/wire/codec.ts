/**
 * The combinator codec: the only place where bytes become objects. TLS presentation language (RFC 8446 §3, RFC 9420 §2)
 * with fixed-width lengths, big-endian, no padding, no alternatives: every value has exactly one encoding, and
 * `decode` accepts nothing that does not encode back to the same bytes.
 *
 * A decoder throws {@link CodecError} and nothing else. Lengths are checked against their cap, and against the bytes
 * that are really there, before anything is allocated.
 */
import { CodecError } from '../lib/errors.ts'
import { fromUtf8, utf8Into } from '../lib/bytes.ts'

/** How a value is written and read. */
export interface Codec<T> {
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}
/** The type that a codec carries. */
export type Coded<C> = C extends Codec<infer T> ? T : never

/** Enough for a letter of the largest class in its frame; a structure that is larger grows a copy of its own. */
const SCRATCH_BYTES = 96 * 1_024
/** The working copy that the next writer takes; undefined while one has it, since writing may encode a part for itself. */
let scratch: Uint8Array | undefined = new Uint8Array(SCRATCH_BYTES)

/** Grows as it is written to. One encoding at a time writes into the shared scratch: most structures cost no allocation but the result. */
export class Writer {
  #bytes: Uint8Array
  #length = 0
  #shared: Uint8Array | undefined

  constructor() {
    this.#shared = scratch
    this.#bytes = scratch ?? new Uint8Array(256)
    scratch = undefined
  }

  uint(value: number, width: 1 | 2 | 4): void {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * width)) throw new CodecError('integer out of range')
    const at = this.#grow(width)
    for (let i = width - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) this.#bytes[at + i] = rest % 256
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** At most `max` bytes of UTF-8 after their length. Unpaired surrogates become U+FFFD. */
  text(value: string, max: number, width: 1 | 2 | 4): void {
    const room = Math.min(value.length * 3, max)
    const at = this.#grow(width + room)
    const length = utf8Into(value, this.#bytes.subarray(at + width, at + width + room))
    this.#length = at
    if (length === undefined) throw new CodecError('length out of bounds')
    this.uint(length, width)
    this.#length += length
  }

  /** Makes room for `count` more bytes; where they begin. */
  #grow(count: number): number {
    const at = this.#length
    const end = at + count
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes.fill(0, 0, at)
      this.#bytes = grown
    }
    this.#length = end
    return at
  }

  /** What was written, as an array of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Wipes the working copy, which may have held secrets, and leaves it to the next writer. To be called in any case. */
  release(): void {
    this.#bytes.fill(0, 0, this.#length)
    if (this.#shared !== undefined) scratch = this.#shared
    this.#shared = undefined
  }
}

/** Walks over bytes and never past them. */
export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  uint(width: 1 | 2 | 4): number {
    const at = this.#skip(width)
    let value = 0
    for (let i = at; i < at + width; i++) value = value * 256 + (this.#bytes[i] ?? 0)
    return value
  }

  /** A copy: what is decoded never aliases the input. */
  raw(length: number): Uint8Array {
    const at = this.#skip(length)
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + length)
  }

  /** The next bytes without a copy: for what keeps none of them. */
  view(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Steps over `length` bytes; where they began. */
  #skip(length: number): number {
    if (length > this.remaining) throw new CodecError('truncated')
    const at = this.#at
    this.#at += length
    return at
  }
}

/** The one encoding of `value`. Throws {@link CodecError} when the value is outside what the codec allows. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer()
  try {
    codec.write(writer, value)
    return writer.finish()
  } finally {
    writer.release()
  }
}

/** The value that `bytes` encode, all of them. Throws {@link CodecError}. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes)
  const value = codec.read(reader)
  if (reader.remaining !== 0) throw new CodecError('trailing bytes')
  return value
}

/** The value, or `undefined` where the bytes are not its encoding. */
export function tryDecode<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  try {
    return decode(codec, bytes)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

const uint = (width: 1 | 2 | 4): Codec<number> => ({
  write: (writer, value) => {
    writer.uint(value, width)
  },
  read: (reader) => reader.uint(width),
})
export const u8 = uint(1)
export const u16 = uint(2)
export const u32 = uint(4)

/** 64 bits on the wire, at most 2^53 − 1 in the program: times in ms, counters. */
export const u64: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value) || value < 0) throw new CodecError('integer out of range')
    writer.uint(Math.floor(value / 2 ** 32), 4)
    writer.uint(value % 2 ** 32, 4)
  },
  read(reader) {
    const value = reader.uint(4) * 2 ** 32 + reader.uint(4)
    if (!Number.isSafeInteger(value)) throw new CodecError('integer out of range')
    return value
  },
}

/** One byte, 0 or 1. */
export const bool: Codec<boolean> = {
  write: (writer, value) => {
    writer.uint(value ? 1 : 0, 1)
  },
  read(reader) {
    const value = reader.uint(1)
    if (value > 1) throw new CodecError('reserved value')
    return value === 1
  },
}

/** One byte that has to be this value: versions, suites, kinds. */
export function constant<const N extends number>(expected: N): Codec<N> {
  return {
    write: (writer) => {
      writer.uint(expected, 1)
    },
    read(reader) {
      if (reader.uint(1) !== expected) throw new CodecError('unsupported version or kind')
      return expected
    },
  }
}

/** One byte out of a list; every other value is reserved and refused. */
export function oneOf<const N extends number>(...allowed: readonly N[]): Codec<N> {
  const check = (value: number): N => {
    const found = allowed.find((candidate) => candidate === value)
    if (found === undefined) throw new CodecError('reserved value')
    return found
  }
  return {
    write: (writer, value) => {
      writer.uint(check(value), 1)
    },
    read: (reader) => check(reader.uint(1)),
  }
}

/** Exactly `length` bytes, no length on the wire. */
export function fixed(length: number): Codec<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length !== length) throw new CodecError('wrong length')
      writer.raw(value)
    },
    read: (reader) => reader.raw(length),
  }
}

const lengthWidth = (max: number): 1 | 2 | 4 => (max < 2 ** 8 ? 1 : max < 2 ** 16 ? 2 : 4)

/** Up to `max` bytes after their length, which takes 1, 2 or 4 bytes by `max`. */
export function opaque(max: number, min = 0): Codec<Uint8Array> {
  const width = lengthWidth(max)
  const check = (length: number): number => {
    if (length > max || length < min) throw new CodecError('length out of bounds')
    return length
  }
  return {
    write(writer, value) {
      writer.uint(check(value.length), width)
      writer.raw(value)
    },
    read: (reader) => reader.raw(check(reader.uint(width))),
  }
}

/** UTF-8 text of up to `maxBytes` bytes, well formed. */
export function text(maxBytes: number): Codec<string> {
  const width = lengthWidth(maxBytes)
  return {
    write: (writer, value) => {
      writer.text(value, maxBytes, width)
    },
    read(reader) {
      const length = reader.uint(width)
      if (length > maxBytes) throw new CodecError('length out of bounds')
      const value = fromUtf8(reader.view(length))
      if (value === undefined) throw new CodecError('not UTF-8')
      return value
    },
  }
}

/** Up to `max` items after their count. */
export function list<T>(item: Codec<T>, max: number, min = 0): Codec<readonly T[]> {
  const width = lengthWidth(max)
  const check = (count: number): number => {
    if (count > max || count < min) throw new CodecError('count out of bounds')
    return count
  }
  return {
    write(writer, values) {
      writer.uint(check(values.length), width)
      for (const value of values) item.write(writer, value)
    },
    read(reader) {
      const count = check(reader.uint(width))
      const values: T[] = []
      for (let i = 0; i < count; i++) values.push(item.read(reader))
      return values
    },
  }
}

/**
 * Up to `max` items of `itemBytes` each after their count, on the wire as {@link list} has them, in the program one after another in
 * one array: for lists that are carried and compared far more often than an item of them is looked at.
 */
export function packed(itemBytes: number, max: number, min = 0): Codec<Uint8Array> {
  const width = lengthWidth(max)
  const check = (count: number): number => {
    if (!Number.isInteger(count) || count > max || count < min) throw new CodecError('count out of bounds')
    return count
  }
  return {
    write(writer, value) {
      writer.uint(check(value.length / itemBytes), width)
      writer.raw(value)
    },
    read: (reader) => reader.raw(check(reader.uint(width)) * itemBytes),
  }
}

/** A presence byte, then the value. */
export function optional<T>(item: Codec<T>): Codec<T | undefined> {
  return {
    write(writer, value) {
      bool.write(writer, value !== undefined)
      if (value !== undefined) item.write(writer, value)
    },
    read: (reader) => (bool.read(reader) ? item.read(reader) : undefined),
  }
}

// `any` is the one type that lets a codec of anything stand here: Codec<T> is invariant in T.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyCodec = Codec<any>
type StructOf<F> = { readonly [K in keyof F]: Coded<F[K]> }

/** The fields one after another, in the order in which they are listed. */
export function struct<const F extends Record<string, AnyCodec>>(fields: F): Codec<StructOf<F>> {
  const entries = Object.entries(fields)
  return {
    write(writer, value) {
      for (const [name, codec] of entries) codec.write(writer, (value as Record<string, unknown>)[name])
    },
    read(reader) {
      const value: Record<string, unknown> = {}
      for (const [name, codec] of entries) value[name] = codec.read(reader)
      return value as StructOf<F>
    },
  }
}

type Variant<C extends Record<number, AnyCodec>> = {
  readonly [K in keyof C & number]: { readonly kind: K; readonly body: Coded<C[K]> }
}[keyof C & number]

/** One byte `kind`, then that kind's body; an unlisted kind is refused. */
export function variant<const C extends Record<number, AnyCodec>>(cases: C): Codec<Variant<C>> {
  const find = (kind: number): Codec<unknown> => {
    const codec = Object.hasOwn(cases, kind) ? (cases[kind] as Codec<unknown>) : undefined
    if (codec === undefined) throw new CodecError('unsupported version or kind')
    return codec
  }
  return {
    write(writer, value) {
      writer.uint(value.kind, 1)
      find(value.kind).write(writer, value.body)
    },
    read(reader) {
      const kind = reader.uint(1)
      return { kind, body: find(kind).read(reader) } as unknown as Variant<C>
    },
  }
}

/** A codec of the same bytes for another shape. `from` may throw {@link CodecError}. */
export function mapped<A, B>(codec: Codec<A>, to: (wire: A) => B, from: (value: B) => A): Codec<B> {
  return {
    write: (writer, value) => {
      codec.write(writer, from(value))
    },
    read: (reader) => to(codec.read(reader)),
  }
}
