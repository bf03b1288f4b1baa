/**
 * The recovery phrase: 24 English words of BIP-39 (256 bits and an 8-bit checksum), from which the account's keys
 * follow.
 *
 *     seed = PBKDF2-HMAC-SHA-512(NFKD(phrase), "mnemonic", 2,048 passes, 64 bytes)      (BIP-39, empty passphrase)
 *     key  = HKDF-SHA-512(seed, salt "sotto phrase v1", info "account ed25519" or "account ml-dsa-65", 32 bytes)
 *
 * A phrase is a string because people type it; strings cannot be wiped, so hold one no longer than the call.
 */

import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { utf8, wipe } from '../lib/bytes.ts'
import { UsageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import type { HybridSeeds } from './hybrid.ts'
import type { CryptoProvider } from './provider.ts'

/** Words of a phrase. */
export const PHRASE_WORDS = 24

const ENTROPY_BYTES = 32
const PBKDF2_ITERATIONS = 2_048 // fixed by BIP-39; 256 random bits need no stretching
const SEED_BYTES = 64
const BIP39_SALT = utf8('mnemonic')
const HKDF_SALT = utf8('sotto phrase v1')
const KNOWN_WORDS: ReadonlySet<string> = new Set(wordlist)

/** A fresh phrase: 24 words, lower case, one space between. */
export function newPhrase(rng: Rng): string {
  const entropy = rng.bytes(ENTROPY_BYTES)
  const phrase = entropyToMnemonic(entropy, wordlist)
  wipe(entropy)
  return phrase
}

/** Whether this is a phrase, however it is spaced and capitalised. */
export function phraseIsValid(words: string): boolean {
  return faultOf(normalised(words)) === undefined
}

/**
 * The account's signing seeds. Throws {@link UsageError} that names the check which failed and the place of the word,
 * never a word. Case and white space do not matter.
 */
export async function accountSeeds(provider: CryptoProvider, phrase: string): Promise<HybridSeeds> {
  const words = normalised(phrase)
  const fault = faultOf(words)
  if (fault !== undefined) throw new UsageError(fault)
  const password = utf8(words.join(' '))
  const seed = await provider.pbkdf2Sha512(password, BIP39_SALT, PBKDF2_ITERATIONS, SEED_BYTES)
  const derive = (info: string) => provider.hkdfSha512(seed, HKDF_SALT, utf8(info), 32)
  const seeds = { ed25519: derive('account ed25519'), mldsa65: derive('account ml-dsa-65') }
  wipe(password, seed)
  return seeds
}

function normalised(phrase: string): readonly string[] {
  const text = phrase.normalize('NFKD').toLowerCase().trim()
  return text === '' ? [] : text.split(/\s+/)
}

function faultOf(words: readonly string[]): string | undefined {
  if (words.length !== PHRASE_WORDS) return `the recovery phrase has ${PHRASE_WORDS} words, not ${words.length}`
  const unknown = words.findIndex((word) => !KNOWN_WORDS.has(word))
  if (unknown >= 0) return `word ${unknown + 1} of the recovery phrase is not in the BIP-39 English word list`
  return checksumHolds(words)
    ? undefined
    : 'the checksum of the recovery phrase does not match: a word is wrong or out of place'
}

function checksumHolds(words: readonly string[]): boolean {
  try {
    wipe(mnemonicToEntropy(words.join(' '), wordlist))
    return true
  } catch {
    return false // length and words were checked: what is left to throw is the checksum
  }
}
