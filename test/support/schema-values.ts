/** Values made from a JSON schema: such as fit it, such as nearly do, and such as nobody should send. */
import fc from 'fast-check'

export interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly [key: string]: unknown
}

/** Texts that have broken programs before. */
const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\u202e\u200b\ufeff',
  '😀'.repeat(70),
  'a'.repeat(5_000),
  '__proto__',
  'constructor',
  '../../../../etc/passwd',
  "'; DROP TABLE messages; --",
  '${jndi:ldap://x/}',
  '<script>alert(1)</script>',
  '%00%0a%0d',
  'null',
  '-1',
  '1e400',
  '9007199254740993',
  '0x10',
  'NaN',
  '\r\nX-Injected: yes',
  '[object Object]',
]

const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -0,
  -1,
  1.5,
  2 ** 53,
  1e308,
  [],
  {},
  [[[[[[[[]]]]]]]],
  { toString: null },
  { valueOf: 1 },
  { length: -1 },
  Array.from({ length: 300 }, () => 0),
]

const hostileText = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...HOSTILE_VALUES),
  hostileText,
  fc.jsonValue({ maxDepth: 4 }),
)

/** @param known texts that mean something here; one that fits the schema is preferred to a random one. */
export function fitting(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => fitting(choice, known)))
  if (schema.allOf !== undefined) return fitting(Object.assign({}, ...schema.allOf) as Schema, known)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'object':
      return fittingObject(schema, known)
    case 'array':
      return fc.array(fitting(schema.items ?? {}, known), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      })
    case 'string':
      return fittingText(schema, known)
    case 'integer':
      return fc.integer(bounds(schema))
    case 'number':
      return fc.oneof(
        fc.integer(bounds(schema)),
        fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true }),
      )
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function bounds({ minimum = 0, maximum = 1_000_000 }: Schema): { min: number; max: number } {
  return { min: Math.ceil(minimum), max: Math.floor(Math.max(minimum, maximum)) }
}

function fittingObject({ properties = {}, required = [] }: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, fitting(field, known)]))
  return fc.record(fields, { requiredKeys: required as never[] })
}

function fittingText(
  { pattern, minLength = 0, maxLength = 400 }: Schema,
  known: readonly string[],
): fc.Arbitrary<unknown> {
  const longest = Math.max(minLength, Math.min(maxLength, 400))
  const expression = new RegExp(pattern ?? '', 'u')
  const fit = known.filter((text) => expression.test(text) && text.length >= minLength && text.length <= longest)
  const plain = fc.string({ minLength, maxLength: Math.min(longest, minLength + 40), unit: 'grapheme' })
  const made = pattern === undefined ? plain : fc.stringMatching(expression).map((text) => text.slice(0, longest))
  const weight = pattern === undefined ? 1 : 6
  return fit.length === 0
    ? made
    : fc.oneof({ arbitrary: fc.constantFrom(...fit), weight }, { arbitrary: made, weight: 1 })
}

/** A value that fits, with one thing about it changed. */
export function nearly(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  return fc
    .tuple(fitting(schema, known), hostileValue, fc.nat(1_000), hostileText)
    .map(([value, wrong, dice, name]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong
      const fields = Object.entries(value)
      const at = fields.length === 0 ? 0 : dice % fields.length
      if (dice % 4 === 0) return Object.fromEntries(fields.filter((_, i) => i !== at))
      if (dice % 4 === 1 || fields.length === 0) return Object.fromEntries([...fields, [name, wrong]])
      return Object.fromEntries(fields.map(([key, field], i) => [key, i === at ? wrong : field]))
    })
}

/** Something that fits mostly, and often does not. */
export function any(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: fitting(schema, known), weight: 5 },
    { arbitrary: nearly(schema, known), weight: 4 },
    { arbitrary: hostileValue, weight: 1 },
  )
}

/** The same for what stands in a URL or a header: text. */
export function anyText(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  return fc.oneof({ arbitrary: fitting(schema, known).map(text), weight: 6 }, { arbitrary: hostileText, weight: 1 })
}
