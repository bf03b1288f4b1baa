import { z } from 'zod'
import type { MailboxView, NetView, PeerView, ZoneView } from '../application/network.ts'
import { count, time, viewOf } from './view.ts'

/** A place in the key space: 64 hexadecimal digits. */
const position = z.string().regex(/^[0-9a-f]{64}$/)
const addresses = z.array(z.string())

export const peerView = viewOf<PeerView>()(
  z.object({
    peerId: z.string(),
    address: z.string(),
    direction: z.enum(['inbound', 'outbound']),
    roundTripMs: z.number().nullable(),
    streams: count,
    holder: z.boolean(),
    encryption: z.string(),
  }),
)

export const netView = viewOf<NetView>()(
  z.object({
    role: z.string(),
    reachability: z.enum(['unknown', 'public', 'behind-nat']),
    summary: z.string(),
    addresses,
    listening: addresses,
    verified: addresses,
    unproved: addresses,
    mapping: z.enum(['unknown', 'endpoint-independent', 'per-destination']),
    observed: z.string().nullable(),
    relays: z.array(z.object({ peerId: z.string(), expiresAt: time })),
    serves: z.object({ holder: z.boolean(), relay: z.boolean(), reservations: count, circuits: count }),
    peers: z.object({ connected: count, holders: count, relayed: count }),
    hints: z.array(z.string()),
  }),
)

export const mailboxView = viewOf<MailboxView>()(
  z.object({
    waiting: count,
    unread: count,
    lastSweepAt: time.nullable(),
    complete: z.boolean(),
    answers: count,
    holders: z.array(z.object({ peerId: z.string(), waiting: count })),
  }),
)

export const zoneView = viewOf<ZoneView>()(
  z.object({
    self: position,
    holders: z.array(z.object({ peerId: z.string(), position, connected: z.boolean(), holdsForUs: z.boolean() })),
    mailboxes: z.array(position),
    held: z.object({
      serving: z.boolean(),
      letters: count,
      bytes: count,
      bytesMax: count,
      mailboxes: count,
      cards: count,
    }),
  }),
)
