/**
 * One queue of events in virtual time. Whatever an event sets going that waits for nothing but promises runs before the next
 * event; ties go by the order in which they were asked for. Nothing real is waited for, so one seed has one history.
 */
import { seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import type { Clock } from '../../src/lib/clock.ts'

interface Entry {
  readonly at: number
  readonly order: number
  action: (() => void) | undefined
}

/** Events between two looks at the event loop: Node drains promises between two immediates of one round. */
const ROUND = 64

/** Dice, from a seed of their own. */
export class Dice {
  readonly rng: Rng
  #words: Uint32Array = new Uint32Array(0)
  #at = 0

  constructor(seed: number) {
    this.rng = seededRng(seed)
  }

  /** In [0, 1). */
  unit(): number {
    if (this.#at === this.#words.length) {
      this.#words = new Uint32Array(this.rng.bytes(1_024).buffer)
      this.#at = 0
    }
    return (this.#words[this.#at++] ?? 0) / 2 ** 32
  }

  chance(share: number): boolean {
    return share > 0 && this.unit() < share
  }

  below(bound: number): number {
    return Math.floor(this.unit() * bound)
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit())
  }

  /** Shape below 1: many short times and a few very long ones. */
  weibull(scale: number, shape: number): number {
    return scale * (-Math.log(1 - this.unit())) ** (1 / shape)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  shuffled<T>(from: readonly T[]): T[] {
    const all = [...from]
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[all[i], all[j]] = [all[j] as T, all[i] as T]
    }
    return all
  }
}

export class Scheduler {
  #now: number
  #order = 0
  readonly #heap: Entry[] = []
  /** Everything that went in or out of the product's code: see README. */
  events = 0
  /** A hash over what happened, for comparing two runs. */
  hash = 0x811c9dc5
  onFault: (error: unknown) => void = () => {}

  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  /** Something went in or out of the product's code. */
  count(kind: number): void {
    this.events++
    this.hash = Math.imul(this.hash ^ kind, 0x01000193) >>> 0
    this.hash = Math.imul(this.hash ^ (this.#now & 0xffffffff), 0x01000193) >>> 0
  }

  at(time: number, action: () => void): () => void {
    const entry: Entry = { at: Math.max(this.#now, time), order: this.#order++, action }
    this.#push(entry)
    return () => {
      entry.action = undefined
    }
  }

  after(delayMs: number, action: () => void): () => void {
    return this.at(this.#now + delayMs, action)
  }

  /** Runs events until `done` says so or time `end` is reached; true where `done` said so. */
  async run(end: number, done: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let over = false
      const step = (): void => {
        if (over) return
        try {
          if (done()) return finish(true)
          if (!this.#step(end)) {
            this.#now = Math.max(this.#now, end)
            finish(false)
          }
        } catch (error) {
          over = true
          reject(error)
        }
      }
      const finish = (result: boolean): void => {
        over = true
        resolve(result)
      }
      const round = (): void => {
        step()
        if (over) return
        for (let i = 1; i < ROUND; i++) setImmediate(step)
        setImmediate(round)
      }
      setImmediate(round)
    })
  }

  #step(end: number): boolean {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.at > end) return false
      this.#pop()
      const { action } = first
      if (action === undefined) continue
      this.#now = first.at
      action()
      return true
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const up = (at - 1) >> 1
      const above = heap[up] as Entry
      if (!before(entry, above)) break
      heap[at] = above
      at = up
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Entry
    const { length } = heap
    if (length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= length) break
      if (down + 1 < length && before(heap[down + 1] as Entry, heap[down] as Entry)) down++
      const below = heap[down] as Entry
      if (!before(below, last)) break
      heap[at] = below
      at = down
    }
    heap[at] = last
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** What one process takes for the time: it may be wrong, and after the process died nothing fires. */
export class ProcessClock implements Clock {
  readonly #scheduler: Scheduler
  readonly #skew: () => number
  dead = false

  constructor(scheduler: Scheduler, skew: () => number) {
    this.#scheduler = scheduler
    this.#skew = skew
  }

  now(): number {
    return Math.floor(this.#scheduler.now() + this.#skew())
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#scheduler.after(Math.max(0, delayMs), () => {
      if (this.dead) return
      this.#scheduler.count(1)
      action()
    })
  }
}
