/** The disks of everybody, looked at while they run, and what each of them must never show (quality §1). */
import type { ApiDaemon } from '../support/api-daemon.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import type { HeldIds } from '../support/holder-disk.ts'
import { SMALL_DISK_BYTES } from './network.ts'
import { HOUR_MS } from '../../src/lib/time.ts'

/** I5: how long after its expiry a letter may still lie there. */
const KEPT_HOURS = 24
/** I4: nothing that peers do may take more memory than this. */
const MEMORY_BYTES_MAX = 640 * 1_048_576
/** I2: from so many tombstones on a letter has to go everywhere. */
const TOMBSTONES = 3

export type Violation = (what: string) => void

/** Reads each disk once, however often it is asked for. */
export class Disks {
  readonly #read = new Map<string, Promise<HeldIds>>()

  async of(daemon: ApiDaemon): Promise<HeldIds> {
    const known = this.#read.get(daemon.name) ?? heldOnDisk(daemon.home)
    this.#read.set(daemon.name, known)
    return known
  }
}

/** I4, I5: no disk above its quota, nothing kept past its time, no daemon that grows without end. */
export async function checkBounds(
  daemons: readonly ApiDaemon[],
  small: ReadonlySet<string>,
  disks: Disks,
  violation: Violation,
): Promise<void> {
  for (const daemon of daemons) {
    const { letterBytes, firstExpiryHour } = await disks.of(daemon)
    if (small.has(daemon.name) && letterBytes > SMALL_DISK_BYTES)
      violation(`I4 ${daemon.name} holds ${letterBytes} bytes of letters, of ${SMALL_DISK_BYTES}`)
    if ((firstExpiryHour + KEPT_HOURS) * HOUR_MS < Date.now()) violation(`I5 ${daemon.name} holds an expired letter`)
    const { memoryBytes } = daemon
    if (memoryBytes > MEMORY_BYTES_MAX)
      violation(`I4 ${daemon.name} has ${Math.round(memoryBytes / 1_048_576)} MiB of memory`)
  }
}

/** I2: letters that somebody still holds though three others have their tombstones. */
export async function undead(daemons: readonly ApiDaemon[]): Promise<readonly string[]> {
  const disks = new Disks()
  const held = await inTurn(daemons, async (daemon) => ({ daemon, ids: await disks.of(daemon) }))
  const dead = new Map<string, number>()
  for (const { ids } of held) for (const id of ids.tombstones) dead.set(id, (dead.get(id) ?? 0) + 1)
  return held.flatMap(({ daemon, ids }) =>
    [...ids.letters]
      .filter((id) => (dead.get(id) ?? 0) >= TOMBSTONES)
      .map((id) => `I2 ${daemon.name} holds ${id.slice(0, 12)}, deleted at ${dead.get(id)}`),
  )
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}
