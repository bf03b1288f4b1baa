/** What the parts of the application share: the rooms behind the passphrase, or the reason why there are none. */
import { LockedError, NotFoundError } from '../../lib/errors.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { Daemon } from '../daemon.ts'
import type { UnlockedRooms } from '../build-rooms.ts'

/** Throws NotFoundError where the home has no account, LockedError while its keys are sealed. */
export function roomsOf(daemon: Daemon): UnlockedRooms {
  const { rooms } = daemon
  if (rooms !== undefined) return rooms
  if (daemon.state() === 'empty') throw new NotFoundError('this home has no account yet: run sotto init')
  throw new LockedError('the keys are sealed: run sotto unlock')
}

/** Fetches ahead what a session with a device begins with. */
export function prefetch(daemon: Daemon, accountId: Uint8Array, prekeys: PrekeyCard): void {
  const { deviceId } = prekeys.body.certificate.body
  const fetching = roomsOf(daemon).sessions.prepare({ accountId }, { deviceId, prekeys })
  if (fetching !== undefined) daemon.inBackground(fetching)
}
