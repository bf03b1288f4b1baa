import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withMessage, withNewestPage, withOlderPage, withoutMessages } from '../../../src/web/state/merge.ts'
import { messageView } from '../support/fake-api.ts'

const run = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => messageView(from + at))
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => Number.parseInt(id, 16))

describe('pages over what is known', () => {
  test('LS-10 whatever was read before, paging back gives every message once and in order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 15 }),
        (total, size, arrived) => {
          const all = run(0, total)
          const page = (list: typeof all, before: number) => list.slice(Math.max(0, before - size), before).toReversed()
          let known = withNewestPage([], page(all, total), total <= size).messages
          // Some arrive while the user pages back.
          const later = run(0, total + arrived)
          let before = total - known.length
          while (before > 0) {
            known = withOlderPage(known, page(later, before))
            before -= size
          }
          const { messages, joined } = withNewestPage(known, page(later, later.length), later.length <= size)
          if (joined) expect(ids(messages)).toEqual(ids(later))
          else expect(arrived >= size).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('the newest page wins over what it covers: changed ones change, vanished ones go', () => {
    const known = run(0, 6)
    const page = [messageView(6), messageView(5, { text: 'edited' }), messageView(3)]
    const { messages } = withNewestPage(known, page, false)
    expect(ids(messages)).toEqual([0, 1, 2, 3, 5, 6])
    expect(messages[4]?.text).toBe('edited')
  })

  test('a page that does not touch what is known leaves no hole: only the page stays', () => {
    const { messages, joined } = withNewestPage(run(0, 3), run(50, 60).toReversed(), false)
    expect(joined).toBe(false)
    expect(ids(messages)[0]).toBe(50)
  })

  test('a message read again takes its place, one that is not in the thread gets none', () => {
    const known = run(0, 3)
    expect(withMessage(known, messageView(1, { status: 'delivered' }))[1]?.status).toBe('delivered')
    expect(withMessage(known, messageView(9))).toBe(known)
    expect(ids(withoutMessages(known, new Set([messageView(1).id])))).toEqual([0, 2])
  })
})
