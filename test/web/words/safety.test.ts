import { describe, expect, test } from 'vitest'
import { encodeSafetyQr } from '../../../src/wire/invite.ts'
import { COMPARE_WORDS, compareCodes } from '../../../src/web/words/safety.ts'

const side = (account: number, devices: number) => ({
  accountId: new Uint8Array(32).fill(account),
  devices: new Uint8Array(32).fill(devices),
})
const code = (self: ReturnType<typeof side>, peer: ReturnType<typeof side>) => encodeSafetyQr({ self, peer })
const own = code(side(1, 10), side(2, 20))

describe('ID-30 safety codes beside each other', () => {
  test('each side’s code belongs to the other’s', () => {
    expect(compareCodes(own, code(side(2, 20), side(1, 10)))).toBe('match')
    expect(compareCodes(own, ` ${code(side(2, 20), side(1, 10))}\n`)).toBe('match')
  })
  test('somebody in the middle, or another contact’s code, is told loudly', () => {
    expect(compareCodes(own, code(side(9, 20), side(1, 10)))).toBe('mismatch')
    expect(compareCodes(own, code(side(2, 20), side(9, 10)))).toBe('mismatch')
    expect(COMPARE_WORDS.mismatch).toMatch(/NOT/)
  })
  test('an old device list is no alarm, and the own code and other texts are no match', () => {
    expect(compareCodes(own, code(side(2, 21), side(1, 10)))).toBe('devices-differ')
    expect(compareCodes(own, own)).toBe('own')
    expect(compareCodes(own, 'sotto:abc')).toBe('no-code')
    expect(compareCodes(own, `${own}A`)).toBe('no-code')
    expect(compareCodes(own, 'sotto-verify:!!')).toBe('no-code')
  })
})
