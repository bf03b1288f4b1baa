import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { formerHolder } from '../../../src/daemon/former-holder.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger as log } from '../../../src/lib/log.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { letterId } from '../../../src/protocol/mailbox-rules.ts'
import { Database } from '../../../src/store/database.ts'
import { HeldStore } from '../../../src/store/held.ts'
import type { Letter } from '../../../src/wire/letter.ts'

test('I5 what was held before the role was switched off runs out all the same', async () => {
  const home = await mkdtemp(join(tmpdir(), 'sotto-former-'))
  const path = join(home, 'held')
  const rng = seededRng(4)
  const clock = new VirtualClock()
  try {
    const letter: Letter = {
      version: 1,
      kind: 2,
      address: rng.bytes(32),
      lane: new Uint8Array(16),
      expiry: Math.floor(clock.now() / HOUR_MS) + 2,
      sizeClass: 0,
      commitment: rng.bytes(32),
      stamp: { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: rng.bytes(2_048),
    }
    const id = letterId(crypto, letter)
    const before = await Database.open(path)
    const stored = await HeldStore.open(before, crypto, rng)
    assert.equal(await stored.putLetter(id, { letter, proof: { kind: 2, body: { reserved: 0 } }, rung: 0 }), 'stored')
    await before.close()
    const former = await formerHolder(path, { clock, crypto, rng, log })
    await former.start()
    await clock.advance(3 * HOUR_MS)
    await former.stop()
    const database = await Database.open(path)
    const held = await HeldStore.open(database, crypto, rng)
    assert.equal(await held.stateOf(id), undefined)
    await database.close()
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
