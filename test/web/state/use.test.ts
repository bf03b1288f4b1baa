import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Store } from '../../../src/web/state/store.ts'
import { USE_EVERY_MS, watchUse } from '../../../src/web/state/use.ts'
import { fakeApi } from '../support/fake-api.ts'

describe('the user is here', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('AP-35 keys and pointers are told every 30 s at most, and only to a daemon that is open to the tab', async () => {
    const api = fakeApi()
    const store = new Store(api)
    const end = watchUse(store, window)
    const uses = () => api.calls.filter((call) => call === 'use').length
    const press = () => {
      window.dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }))
      window.dispatchEvent(new Event('pointermove'))
    }
    press()
    expect(uses()).toBe(0)
    store.door.value = 'in'
    await store.readAll()
    store.link.value = 'live'
    for (let times = 0; times < 5; times++) press()
    expect(uses()).toBe(1)
    vi.advanceTimersByTime(USE_EVERY_MS - 1)
    press()
    expect(uses()).toBe(1)
    vi.advanceTimersByTime(1)
    document.dispatchEvent(new Event('visibilitychange'))
    expect(uses()).toBe(2)
    vi.advanceTimersByTime(USE_EVERY_MS)
    store.link.value = 'away'
    press()
    end()
    store.link.value = 'live'
    press()
    expect(uses()).toBe(2)
  })
})
