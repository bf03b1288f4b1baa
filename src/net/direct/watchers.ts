/** Whoever wants to know what happens on direct streams. */
import { nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { DirectFrame } from '../../wire/direct.ts'
import type { DirectListener } from '../ports.ts'

/** A conversation with the peer (frames went both ways) runs over a relay; or it is not to hear from us any more. */
export type DirectPeerListener = (peerId: string) => void
/** A stream to the peer is there, one more or the first; or none is any more. */
export type DirectStreamListener = (peerId: string, open: boolean) => void

export class DirectWatchers {
  readonly frame: DirectListener[] = []
  readonly stream: DirectStreamListener[] = []
  readonly relayed: DirectPeerListener[] = []
  readonly cut: DirectPeerListener[] = []
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  tellStream(peerId: string, open: boolean): void {
    for (const listener of this.stream) listener(peerId, open)
  }

  tellRelayed(peerId: string): void {
    for (const listener of this.relayed) listener(peerId)
  }

  tellCut(peerId: string): void {
    for (const listener of this.cut) listener(peerId)
  }

  /** Resolves when all of them are done with the frame. Never rejects. */
  async tellFrame(peerId: string, frame: DirectFrame): Promise<void> {
    for (const listener of this.frame) {
      try {
        await listener(peerId, frame)
      } catch (error) {
        this.#log.error('a frame was not taken', { error: nameOf(error) })
      }
    }
  }
}
