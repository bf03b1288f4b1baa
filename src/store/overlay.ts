/** Changes that were taken on but are not on the disk yet, for reads to see. */
import { compare } from '../lib/bytes.ts'
import type { Entry, StoreOp, WalkRange } from './changes.ts'

/** The newest pending change of a key; without `value` it deletes. */
export interface Change {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly op: StoreOp
}

export class Overlay {
  readonly #changes = new Map<string, Change>()

  add(ops: readonly StoreOp[]): void {
    for (const op of ops) {
      this.#changes.set(nameOf(op.key), { key: op.key, value: op.type === 'put' ? op.value : undefined, op })
    }
  }

  /** Forgets the changes, except for keys that a later one changes again. */
  remove(ops: readonly StoreOp[]): void {
    for (const op of ops) {
      const name = nameOf(op.key)
      if (this.#changes.get(name)?.op === op) this.#changes.delete(name)
    }
  }

  clear(): void {
    this.#changes.clear()
  }

  find(key: Uint8Array): Change | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(nameOf(key))
  }

  /** The pending changes in the range, in the order of the walk. */
  within(range: WalkRange): readonly Change[] {
    const { gte, lt } = range
    const inside = [...this.#changes.values()].filter(
      ({ key }) => (gte === undefined || compare(key, gte) >= 0) && (lt === undefined || compare(key, lt) < 0),
    )
    return inside.sort((a, b) => walkOrder(a.key, b.key, range))
  }
}

/** The disk's entries and the pending changes as one walk: a change stands for what the disk has under its key. */
export async function* merge(
  changes: readonly Change[],
  next: () => Promise<Entry | undefined>,
  range: WalkRange,
): AsyncGenerator<Entry> {
  let left = range.limit === undefined || range.limit < 0 ? Number.POSITIVE_INFINITY : range.limit
  let at = 0
  let entry = left > 0 ? await next() : undefined
  while (left > 0) {
    const change = changes[at]
    if (change === undefined && entry === undefined) return
    const order = change === undefined ? 1 : entry === undefined ? -1 : walkOrder(change.key, entry[0], range)
    const chosen = order <= 0 ? pendingEntry(change) : entry
    if (order <= 0) at++
    if (order >= 0) entry = await next()
    if (chosen === undefined) continue
    left--
    yield chosen
  }
}

function pendingEntry(change: Change | undefined): Entry | undefined {
  return change?.value === undefined ? undefined : [change.key, change.value]
}

function walkOrder(a: Uint8Array, b: Uint8Array, range: WalkRange): number {
  return range.reverse === true ? compare(b, a) : compare(a, b)
}

/** Stored keys are short: one character a byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
