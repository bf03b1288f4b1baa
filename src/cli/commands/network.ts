import type { Command } from 'commander'
import type { KeyView, PrekeysView, StatusView } from '../../api/application/account.ts'
import type { MailboxView, NetView, ZoneView } from '../../api/application/network.ts'
import type { Context, Register } from '../context.ts'
import { fields, safeLine, table, when } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

/** The daemon and the network around it. */
export const registerNetwork: Register = (program, open) => {
  program
    .command('status')
    .description('how the daemon is')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print(await (await context.client()).status(), statusText)
    })
  program
    .command('peers')
    .description('whom it is connected to')
    .action(async (_options: object, self: Command) => peers(open(self)))
  const net = program.command('net').description('the way to others and back')
  net
    .command('check')
    .description('whether others reach this machine, by what, and what could be done')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print(await (await context.client()).net(), netText)
    })
  net
    .command('zone')
    .description('who stands near this device, where its mail is put, and what lies here for others')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print(await (await context.client()).zone(), (view) => zoneText(context, view))
    })
  const key = program.command('key').description('keys in the network')
  key
    .command('get <who>')
    .description('look an account up')
    .action(async (who: string, _options: object, self: Command) => {
      const context = open(self)
      const client = await context.client()
      const accountId = await resolveAccount(client, who)
      context.print(await context.patiently('looking the account up', client.lookup(accountId)), keyText)
    })
  const prekey = program.command('prekey').description('what others begin sessions with')
  prekey
    .command('status')
    .description('how many one-time prekeys are left, and where')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print(await (await context.client()).prekeys(), prekeysText)
    })
  prekey
    .command('rotate')
    .description('replace the signed and the last-resort prekey now')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      const work = (await context.client()).rotatePrekeys()
      context.done(await context.patiently('making prekeys', work), prekeysText)
    })
  const mailbox = program.command('mailbox').description('mail that waits at holders')
  mailbox
    .command('status')
    .description('what waits, what is unread, and whether everything was looked through')
    .action(async (_options: object, self: Command) => {
      const context = open(self)
      context.print(await (await context.client()).mailbox(), mailboxText)
    })
}

function statusText(status: StatusView): string {
  const { holder, mailbox, outbox } = status
  return fields({
    state: status.state,
    network: status.network,
    account: status.accountId,
    device: status.deviceId,
    peer: status.peerId,
    addresses: status.addresses.length === 0 ? null : status.addresses.join(' '),
    reachable: reachText(status),
    peers: status.peers,
    outbox: `${outbox.waiting} waiting`,
    mailbox: `${mailbox.unread} unread, last sweep ${sweepText(mailbox)}`,
    holder: holder.serving ? `${holder.records} records, ${holder.bytes} bytes for others` : 'not serving',
    uptime: `${status.uptimeSeconds} s`,
    version: status.version,
  })
}

function reachText({ reach }: StatusView): string {
  if (reach.reachability === 'public') return 'yes, others dial this machine'
  if (reach.reachability === 'unknown') return 'not known yet'
  return reach.relays === 0 ? 'no, and no relay yet (sotto net check)' : `over ${reach.relays} relays`
}

const MAPPINGS: Readonly<Record<NetView['mapping'], string>> = {
  unknown: 'not known',
  'endpoint-independent': 'the same for all peers',
  'per-destination': 'another for each peer',
}

function netText(view: NetView): string {
  const { serves, peers } = view
  const relay = serves.relay
    ? `, ${serves.reservations} peers reachable through us, ${serves.circuits} connections`
    : ''
  const list = (texts: readonly string[]): string | null => (texts.length === 0 ? null : texts.join(' '))
  const head = fields({
    reachable: view.reachability,
    role: view.role,
    told: list(view.addresses),
    'dialled by others': list(view.verified),
    'tried in vain': list(view.unproved),
    'seen from outside': view.observed,
    'port outside': MAPPINGS[view.mapping],
    relays: list(view.relays.map(({ peerId, expiresAt }) => `${peerId} (until ${when(expiresAt)})`)),
    'for others': `${serves.holder ? 'holds mail' : 'holds no mail'}, ${serves.relay ? 'relays' : 'does not relay'}${relay}`,
    peers: `${peers.connected}, of them ${peers.holders} holders, ${peers.relayed} over a relay`,
  })
  return [safeLine(view.summary), head, ...view.hints.map((hint) => `→ ${safeLine(hint)}`)].join('\n')
}

function zoneText(context: Context, { self, holders, mailboxes, held }: ZoneView): string {
  const start = (position: string): string => `${position.slice(0, 12)}…`
  const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`
  const lies = `${held.letters} letters in ${held.mailboxes} mailboxes, ${held.cards} cards`
  const head = fields({
    'this device': start(self),
    'our mail': mailboxes.length === 0 ? null : mailboxes.map(start).join(' '),
    'for others': held.serving ? `${lies}; ${mib(held.bytes)} of ${mib(held.bytesMax)}` : 'holds nothing',
  })
  const rows = holders.map((holder) => [
    start(holder.position),
    holder.connected ? 'connected' : '',
    holder.holdsForUs ? 'ours' : '',
    holder.peerId,
  ])
  return rows.length === 0 ? head : [head, context.table(['POSITION', 'LINK', 'MAIL', 'HOLDER'], rows)].join('\n')
}

function sweepText({ lastSweepAt, complete }: Pick<MailboxView, 'lastSweepAt' | 'complete'>): string {
  if (lastSweepAt === null) return 'never'
  return `${when(lastSweepAt)}${complete ? '' : ' (incomplete)'}`
}

async function peers(context: Context): Promise<void> {
  const client = await context.client()
  context.print({ items: await client.peers() }, ({ items }) => {
    const rows = items.map((peer) => [
      peer.peerId,
      peer.direction,
      peer.roundTripMs === null ? '–' : `${peer.roundTripMs} ms`,
      peer.holder ? 'holder' : '',
      peer.encryption,
      peer.address,
    ])
    return rows.length === 0 ? 'no peers' : context.table(['PEER', 'DIRECTION', 'RTT', 'ROLE', 'LINK', 'ADDRESS'], rows)
  })
}

function prekeysText(view: PrekeysView): string {
  const head = fields({
    prekeys: `${view.total} of ${view.target} left`,
    card: `number ${view.number}`,
    made: view.createdAt === null ? null : when(view.createdAt),
    rotated: view.lastRotatedAt === null ? null : when(view.lastRotatedAt),
    used: `${view.used}, and ${view.lastResortUses} without one`,
  })
  const rows = view.slices.map(({ holder, left, placed }) => [String(left), placed ? 'yes' : 'no', holder ?? '–'])
  return [head, table(['LEFT', 'PLACED', 'HOLDER'], rows)].join('\n')
}

function mailboxText(view: MailboxView): string {
  const head = fields({
    waiting: `${view.waiting} at holders, not taken in yet`,
    unread: view.unread,
    'last sweep': `${sweepText(view)}, ${view.answers} answers`,
  })
  const rows = view.holders.map(({ peerId, waiting }) => [String(waiting), peerId])
  return rows.length === 0 ? head : [head, table(['WAITING', 'HOLDER'], rows)].join('\n')
}

function keyText(view: KeyView): string {
  const devices = view.devices.map(({ deviceId, expiresAt }) => `  ${deviceId}, certified until ${when(expiresAt)}`)
  const { sizes } = view
  const head = fields({
    account: view.accountId,
    suite: view.suite,
    card: `number ${view.number}, until ${when(view.expiresAt)}`,
    keys: `Ed25519 ${sizes.ed25519}, ML-DSA-65 ${sizes.mldsa65}, X25519 ${sizes.x25519}, ML-KEM ${sizes.kem} bytes`,
    successor: view.successor,
  })
  return [head, 'devices:', ...devices].join('\n')
}
