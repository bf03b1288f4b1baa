import { z } from 'zod'
import type { CreatedIdentity, IdentityView, KeyView, PrekeysView, StatusView } from '../application/account.ts'
import { account, count, id16, time, viewOf } from './view.ts'

export const statusView = viewOf<StatusView>()(
  z.object({
    version: z.string(),
    network: z.string(),
    state: z.enum(['empty', 'locked', 'ready', 'joining']),
    accountId: account.nullable(),
    deviceId: id16.nullable(),
    peerId: z.string(),
    addresses: z.array(z.string()),
    peers: count,
    reach: z.object({ reachability: z.enum(['unknown', 'public', 'behind-nat']), relays: count }),
    holder: z.object({ serving: z.boolean(), records: count, bytes: count }),
    outbox: z.object({ waiting: count }),
    mailbox: z.object({ lastSweepAt: time.nullable(), complete: z.boolean(), unread: count }),
    uptimeSeconds: count,
  }),
)

export const identityView = viewOf<IdentityView>()(
  z.object({
    accountId: account,
    deviceId: id16,
    cardNumber: count,
    devices: z.array(z.object({ deviceId: id16, expiresAt: time, self: z.boolean() })),
  }),
)

const created = { accountId: account, identity: identityView, phrase: z.string() }
/** Both have the account id at the top, too, for scripts. */
export const createdIdentityView = viewOf<CreatedIdentity & { readonly accountId: string }>()(
  z.object({
    ...created,
    recovered: z.object({ card: z.boolean(), contacts: count, settings: z.boolean() }).nullable(),
  }),
)
export const rotatedIdentityView = z.object(created)

export const prekeysView = viewOf<PrekeysView>()(
  z.object({
    number: count,
    total: count,
    target: count,
    slices: z.array(z.object({ holder: z.string().nullable(), left: count, placed: z.boolean() })),
    createdAt: time.nullable(),
    lastRotatedAt: time.nullable(),
    used: count,
    lastResortUses: count,
  }),
)

export const keyView = viewOf<KeyView>()(
  z.object({
    accountId: account,
    suite: count,
    number: count,
    expiresAt: time,
    devices: z.array(z.object({ deviceId: id16, expiresAt: time })),
    sizes: z.object({ ed25519: count, mldsa65: count, x25519: count, kem: count }),
    successor: account.nullable(),
  }),
)
export const publishedView = z.object({ receipts: count })
/** What the first message to a contact needs is here, for so many of its devices. */
export const sessionView = z.object({ accountId: account, devices: count })
