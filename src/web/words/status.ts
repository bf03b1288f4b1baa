/** The state of a message in words and an icon: what the API says, and nothing beyond it. */
import type { MessageView } from '../../api/application/messages.ts'

export type StatusIcon = 'clock' | 'tray' | 'check' | 'checks' | 'cross' | 'undo'

export interface StatusWords {
  readonly icon: StatusIcon
  /** Next to the icon. */
  readonly short: string
  /** For those who ask. */
  readonly long: string
}

type Known = Pick<MessageView, 'status' | 'stored' | 'storedOf' | 'path'>

export function statusWords({ status, stored, storedOf, path }: Known): StatusWords {
  switch (status) {
    case 'queued':
      return { icon: 'clock', short: 'queued', long: 'Kept on this device until it can be sent.' }
    case 'stored': {
      const of = storedOf > 0 ? ` ${stored}/${storedOf}` : ''
      const long =
        storedOf > 0 ? `${stored} of ${storedOf} holders proved that they keep it, sealed.` : 'Kept by holders.'
      return { icon: 'tray', short: `stored${of}`, long }
    }
    case 'delivered':
      return {
        icon: 'check',
        short: 'delivered',
        long: `The other device has it${path === 'none' ? '' : `: it went ${PATHS[path]}`}.`,
      }
    case 'read':
      return { icon: 'checks', short: 'read', long: 'The other side says that it was read.' }
    case 'expired':
      return {
        icon: 'cross',
        short: 'expired',
        long: 'It was not fetched in time, and is no longer kept for delivery.',
      }
    case 'failed':
      return { icon: 'cross', short: 'failed', long: 'It cannot be delivered.' }
    case 'taken-back':
      return { icon: 'undo', short: 'taken back', long: 'You took it back before it was delivered.' }
  }
}

const PATHS = { direct: 'directly', mailbox: 'through holders' } as const
