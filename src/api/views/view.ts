/**
 * What answers look like, as schemas: for the OpenAPI document and for the tests that hold answers against it. The daemon does not
 * check what it says itself; that schema and interface are the same is the compiler's to see.
 */
import { z } from 'zod'

type Writable<T> = T extends readonly (infer E)[]
  ? Writable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T

/** A schema of the interface `T`: compiles only where each takes the values of the other. */
export function viewOf<T>() {
  return <S extends z.ZodType<T>>(schema: Writable<T> extends z.output<S> ? S : never): S => schema
}

/** ISO 8601, UTC, to the millisecond. */
export const time = z.iso.datetime({ precision: 3 })
export const account = z.string().regex(/^sotto1[02-9ac-hj-np-z]{58}$/)
/** A message or a device. */
export const id16 = z.string().regex(/^[0-9a-f]{32}$/)
export const count = z.number().int().min(0)
