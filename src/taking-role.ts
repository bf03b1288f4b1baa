/** When a peer begins to hold for others (protocol §4): after a while, since who comes and goes loses what it took, and with its id paid for. */
import type { Clock } from './lib/clock.ts'
import { sleep } from './lib/clock.ts'
import { nameOf } from './lib/errors.ts'
import type { Part } from './lib/lifecycle.ts'
import type { Logger } from './lib/log.ts'
import type { NetworkProfile } from './lib/network-profile.ts'

export interface TakingRole {
  readonly profile: Pick<NetworkProfile, 'holderUptimeMs' | 'puzzleBits'>
  readonly clock: Clock
  readonly log: Logger
  /** The solution of the puzzle under our id; it may take long. */
  readonly puzzle: (signal: AbortSignal) => Promise<Uint8Array>
  /** Takes on the role, greeting with the solution. */
  readonly take: (puzzle: Uint8Array) => Promise<void>
}

/** The start waits for nothing, but where the network asks for neither time nor price the role is there when it is over. */
export function takingRole({ profile, clock, log, puzzle, take }: TakingRole): Part['part'] {
  const stopped = new AbortController()
  const { signal } = stopped
  const taken = async (): Promise<void> => {
    const [solution] = await Promise.all([puzzle(signal), sleep(clock, profile.holderUptimeMs, signal)])
    signal.throwIfAborted()
    await take(solution)
  }
  const inBackground = async (): Promise<void> => {
    try {
      await taken()
      log.info('holds mail for others')
    } catch (error) {
      if (!signal.aborted) log.error('the holder role could not be taken on', { error: nameOf(error) })
    }
  }
  return {
    start: async () => {
      if (profile.holderUptimeMs === 0 && profile.puzzleBits === 0) await take(await puzzle(signal))
      else void inBackground()
    },
    stop: () => {
      stopped.abort()
    },
  }
}
