/** Checks of what a running daemon says of itself. Pure. */
import type { IdentityView, PrekeysView, StatusView } from '../../api/application/account.ts'
import type { MessageView } from '../../api/application/messages.ts'
import type { MailboxView, NetView } from '../../api/application/network.ts'
import { ok, fail, warn } from './check.ts'
import type { Check } from './check.ts'

const DAY_MS = 86_400_000
const CERTIFICATE_SOON_MS = 7 * DAY_MS
const SWEEP_LATE_MS = 3_600_000
/** What two good clocks may differ by, with the way in between. */
const CLOCK_OFF_MS = 2 * 60_000

export function versionCheck(daemon: string, own: string): Check {
  return daemon === own
    ? ok('version', `daemon and command line are ${own}`)
    : warn('version', `the daemon is ${daemon}, the command line ${own}`, 'start the daemon again')
}

export function accountCheck(status: StatusView): Check {
  switch (status.state) {
    case 'empty':
      return warn('account', 'this home has none', 'make one: sotto init')
    case 'locked':
      return warn('account', 'the keys are sealed', 'open them: sotto unlock')
    case 'joining':
      return warn('account', 'open, but no peer is connected', 'see: sotto net check')
    case 'ready':
      return ok('account', 'open and connected')
  }
}

export function reachCheck(net: NetView): Check {
  const { connected, holders, relayed } = net.peers
  const peers = `${connected} peers, ${holders} holders`
  if (connected === 0) return fail('network', 'no peer is connected', net.hints[0] ?? 'look at the line')
  if (net.reachability === 'public') return ok('network', `others dial this machine; ${peers}`)
  if (net.reachability === 'unknown')
    return ok('network', `${peers}; not known yet whether others can dial this machine`)
  const relays = net.relays.length
  return relays === 0
    ? warn(
        'network',
        `nobody can dial this machine, and no relay carries connections; ${peers}`,
        'see: sotto net check',
      )
    : ok('network', `reached over ${relays} relays; ${peers}, ${relayed} over a relay`)
}

export function mailboxCheck(mailbox: MailboxView, nowMs: number): Check {
  const { lastSweepAt, complete, waiting } = mailbox
  if (lastSweepAt === null)
    return warn('mailbox', 'not looked through yet', 'wait a minute, then: sotto mailbox status')
  const ageMs = nowMs - Date.parse(lastSweepAt)
  const age = `looked through ${Math.max(0, Math.round(ageMs / 60_000))} minutes ago`
  if (!complete) return warn('mailbox', `${age}, too few holders answered`, 'mail may come later; see: sotto net check')
  if (ageMs > SWEEP_LATE_MS) return warn('mailbox', age, 'see: sotto net check')
  return ok('mailbox', waiting === 0 ? age : `${age}, ${waiting} letters wait`)
}

/** The device's certificate, which its card carries. */
export function cardCheck(identity: IdentityView, nowMs: number): Check {
  const own = identity.devices.find(({ self }) => self)
  const leftMs = own === undefined ? Number.NaN : Date.parse(own.expiresAt) - nowMs
  if (Number.isNaN(leftMs)) return fail('card', 'this device is not on the account’s card', 'see: sotto id show')
  const days = Math.floor(leftMs / DAY_MS)
  if (leftMs <= 0) return fail('card', 'this device’s certificate has run out', 'make it anew: sotto id publish')
  if (leftMs < CERTIFICATE_SOON_MS)
    return warn('card', `valid for ${days} more days`, 'it is renewed by itself while the daemon is open and connected')
  return ok('card', `valid for ${days} more days`)
}

export function prekeysCheck({ total, target }: PrekeysView): Check {
  const detail = `${total} of ${target} one-time prekeys left`
  return total * 10 >= target
    ? ok('prekeys', detail)
    : warn('prekeys', detail, 'new ones go out while the daemon is connected; see: sotto prekey status')
}

/** Nothing comes before it was written: what does tells of a clock that is off, ours or the writer's. */
export function clockCheck(received: readonly MessageView[]): Check {
  const direct = received.filter(({ outgoing, path }) => !outgoing && path === 'direct')
  if (direct.length === 0) return ok('clock', 'nothing to compare it with yet')
  const early = direct.filter((each) => Date.parse(each.sentAt) - Date.parse(each.committedAt) > CLOCK_OFF_MS)
  if (early.length === 0) return ok('clock', 'agrees with what contacts wrote')
  const writers = new Set(early.map(({ contact }) => contact)).size
  return warn(
    'clock',
    `messages of ${writers} contacts come from the future`,
    'this clock is behind, or theirs is ahead: set it by the network (timedatectl set-ntp true)',
  )
}
