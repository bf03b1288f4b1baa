/** Both backends side by side, for tests that must hold on each. */

import { readFileSync } from 'node:fs'
import assert from 'node:assert/strict'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import type { CryptoProvider } from '../../../src/crypto/provider.ts'

export const BACKENDS: readonly CryptoProvider[] = [nativeProvider, nobleProvider]
export const EMPTY = new Uint8Array(0)

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

/** Asserts that both backends give the same value, and returns it. */
export async function agree<T>(call: (provider: CryptoProvider) => T): Promise<Awaited<T>> {
  const [native, noble] = BACKENDS as readonly [CryptoProvider, CryptoProvider]
  const value = await call(native)
  assert.deepEqual(await call(noble), value)
  return value
}

/** Asserts that both throw an error of this name, with one message. */
export async function bothThrow(name: string, call: (provider: CryptoProvider) => unknown): Promise<void> {
  const messages = new Set<string>()
  for (const provider of BACKENDS) {
    const error = await thrownBy(() => call(provider))
    assert.equal(error?.name, name, provider.name)
    messages.add(error.message)
  }
  assert.equal(messages.size, 1)
}

async function thrownBy(call: () => unknown): Promise<Error | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
}

/** A file of published vectors, see test/vectors/README.md. */
export function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
}

export function flipped(bytes: Uint8Array, index: number, mask = 1): Uint8Array {
  return bytes.with(index, (bytes[index] ?? 0) ^ mask)
}
