/** The network around this device, for the local API. */
import type { MailboxView, NetView, NetworkPart, PeerView, ZoneView } from '../../api/application/network.ts'
import { toHex } from '../../lib/bytes.ts'
import type { Daemon } from '../daemon.ts'
import { netView } from '../net-view.ts'
import { mailboxView } from '../views.ts'
import { roomsOf } from './rooms.ts'

/** Neighbours that the picture of the zone shows. */
const NEIGHBOURS_MAX = 64

export function networkPart(daemon: Daemon): NetworkPart {
  return {
    async mailbox(): Promise<MailboxView> {
      const { mailbox, conversations } = roomsOf(daemon)
      return mailboxView(mailbox.reader.lastSweep, mailbox.reader.pending, await conversations.all())
    },

    async net(): Promise<NetView> {
      const { host, profile } = daemon.base
      return netView({
        status: host.reach(),
        role: daemon.role,
        addresses: host.addresses(),
        listening: host.listening(),
        peers: host.peers(),
        holding: daemon.heldUsage().serving,
        nextDoor: profile.privateAddresses,
      })
    },

    async peers(): Promise<readonly PeerView[]> {
      return daemon.base.host.peers().map((peer) => ({
        peerId: peer.id,
        address: peer.address,
        direction: peer.direction,
        roundTripMs: peer.roundTripMs ?? null,
        streams: peer.streams,
        holder: peer.holder,
        encryption: peer.link,
      }))
    },

    async zone(): Promise<ZoneView> {
      const { host, mail } = daemon.base
      const position = (peerId: string): Uint8Array => mail.peers.position(peerId) ?? new Uint8Array(32)
      const self = position(host.routing.self().id)
      const mailbox = daemon.rooms?.mailbox
      const connected = new Set(host.peers().map(({ id }) => id))
      const ours = mailbox?.reader.pending.holders
      return {
        self: toHex(self),
        holders: host.routing.known(self, NEIGHBOURS_MAX).map(({ id }) => ({
          peerId: id,
          position: toHex(position(id)),
          connected: connected.has(id),
          holdsForUs: ours?.has(id) ?? false,
        })),
        mailboxes: mailbox?.positions().map(toHex) ?? [],
        held: daemon.heldForOthers(),
      }
    },
  }
}
