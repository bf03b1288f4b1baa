/** What is true now, for the local API. */
import type { LiveEvent, LivePart } from '../../api/application/live.ts'
import { encodeAccountId, parseAccountId } from '../../protocol/account-id.ts'
import type { LiveSignal } from '../../services/live/ports.ts'
import type { Daemon } from '../daemon.ts'
import { prefetchFor } from './messages.ts'
import { roomsOf } from './rooms.ts'

export function livePart(daemon: Daemon): LivePart {
  return {
    async setTyping(accountId, typing) {
      const contact = parseAccountId(accountId)
      if (typing) await prefetchFor(daemon, contact)
      await roomsOf(daemon).live.setTyping(contact, typing)
    },
    onLive: (listener) =>
      daemon.onLive((signal) => {
        listener(eventOf(signal))
      }),
  }
}

function eventOf(signal: LiveSignal): LiveEvent {
  return { ...signal, contact: encodeAccountId(signal.contact) }
}
