/** Work and memory with a bound: so many jobs side by side, so many items at once, so many entries kept. */

/** Runs `job` for every item, at most `most` side by side. Rejects with the first failure, once the others are over. */
export async function eachBounded<T>(items: Iterable<T>, most: number, job: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]()
  const worker = async (first: T): Promise<void> => {
    await job(first)
    for (let next = rest.next(); next.done !== true; next = rest.next()) await job(next.value)
  }
  const workers: Promise<void>[] = []
  while (workers.length < most) {
    const next = rest.next()
    if (next.done === true) break
    workers.push(worker(next.value))
  }
  const ended = await Promise.allSettled(workers)
  for (const end of ended) if (end.status === 'rejected') throw end.reason
}

/** The items in runs of at most `size`. */
export function runsOf<T>(items: readonly T[], size: number): T[][] {
  const runs: T[][] = []
  for (let at = 0; at < items.length; at += size) runs.push(items.slice(at, at + size))
  return runs
}

/** Removes the entries that were set first until no more than `sizeMax` are left. */
export function dropOldest(map: Map<unknown, unknown>, sizeMax: number): void {
  if (map.size <= sizeMax) return
  for (const key of map.keys()) {
    map.delete(key)
    if (map.size <= sizeMax) return
  }
}
