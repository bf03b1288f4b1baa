/**
 * STUN's Binding method (RFC 8489) and nothing else: "where do you see me coming from". No credentials, no other attribute:
 * nobody relies on the answer, it is a candidate that is tried.
 */
import { concat, equal } from '../lib/bytes.ts'
import type { Rng } from '../lib/rng.ts'

/** What a router shows of somebody: 4 or 16 bytes, and a port. */
export interface StunAddress {
  readonly ip: Uint8Array
  readonly port: number
}

/** What every path carries whole (RFC 8489 §6.1). */
export const STUN_BYTES_MAX = 548
export const STUN_TRANSACTION_BYTES = 12
const HEAD_BYTES = 20
const COOKIE = Uint8Array.of(0x21, 0x12, 0xa4, 0x42)
const REQUEST = 0x0001
const SUCCESS = 0x0101
const XOR_MAPPED_ADDRESS = 0x0020
/** Attribute types below it have to be understood by who reads them. */
const OPTIONAL_FROM = 0x8000
const FAMILY_4 = 1
const FAMILY_6 = 2
const ATTRIBUTES_MAX = 32

interface Message {
  readonly type: number
  readonly transaction: Uint8Array
  readonly attributes: readonly { readonly type: number; readonly value: Uint8Array }[]
}

/** A Binding request without attributes: 20 bytes. */
export function stunRequest(rng: Rng): { readonly transaction: Uint8Array; readonly bytes: Uint8Array } {
  const transaction = rng.bytes(STUN_TRANSACTION_BYTES)
  return { transaction, bytes: message(REQUEST, transaction, new Uint8Array(0)) }
}

/** The transaction of a Binding request that can be answered; `undefined` for anything else. */
export function stunRequestIn(bytes: Uint8Array): Uint8Array | undefined {
  const request = parse(bytes)
  const understood = request?.attributes.every(({ type }) => type >= OPTIONAL_FROM) === true
  return request?.type === REQUEST && understood ? request.transaction : undefined
}

/** The answer: 32 bytes to IPv4, 44 to IPv6. */
export function stunAnswer(transaction: Uint8Array, { ip, port }: StunAddress): Uint8Array {
  const family = ip.length === 4 ? FAMILY_4 : FAMILY_6
  const value = concat(Uint8Array.of(0, family), masked(u16(port), transaction), masked(ip, transaction))
  return message(SUCCESS, transaction, concat(u16(XOR_MAPPED_ADDRESS), u16(value.length), value))
}

/** What the answer to this transaction says; `undefined` where it is not one. */
export function stunAnswerIn(bytes: Uint8Array, transaction: Uint8Array): StunAddress | undefined {
  const answer = parse(bytes)
  if (answer?.type !== SUCCESS || !equal(answer.transaction, transaction)) return undefined
  const value = answer.attributes.find(({ type }) => type === XOR_MAPPED_ADDRESS)?.value
  if (value === undefined || value.length !== (value[1] === FAMILY_4 ? 8 : 20)) return undefined
  if (value[1] !== FAMILY_4 && value[1] !== FAMILY_6) return undefined
  const port = number(masked(value.subarray(2, 4), transaction), 0)
  return port === 0 ? undefined : { ip: masked(value.subarray(4), transaction), port }
}

function parse(bytes: Uint8Array): Message | undefined {
  if (bytes.length < HEAD_BYTES || bytes.length > STUN_BYTES_MAX || bytes.length % 4 !== 0) return undefined
  if (number(bytes, 2) !== bytes.length - HEAD_BYTES || !equal(bytes.subarray(4, 8), COOKIE)) return undefined
  const attributes = []
  for (let at = HEAD_BYTES; at < bytes.length;) {
    const end = at + 4 + number(bytes, at + 2)
    if (end > bytes.length || attributes.length === ATTRIBUTES_MAX) return undefined
    attributes.push({ type: number(bytes, at), value: bytes.subarray(at + 4, end) })
    at = Math.ceil(end / 4) * 4
  }
  return { type: number(bytes, 0), transaction: Uint8Array.from(bytes.subarray(8, HEAD_BYTES)), attributes }
}

function message(type: number, transaction: Uint8Array, attributes: Uint8Array): Uint8Array {
  return concat(u16(type), u16(attributes.length), COOKIE, transaction, attributes)
}

/** Exclusive or with the cookie and the transaction (RFC 8489 §14.2), so that routers which rewrite addresses in passing do not. */
function masked(bytes: Uint8Array, transaction: Uint8Array): Uint8Array {
  const mask = concat(COOKIE, transaction)
  return Uint8Array.from(bytes, (byte, i) => byte ^ (mask[i] ?? 0))
}

function number(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
