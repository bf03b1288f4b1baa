/** The account and the daemon as a whole, for the local API. */
import type {
  AccountPart,
  CreatedIdentity,
  IdentityView,
  KeyView,
  PrekeysView,
  StatusView,
} from '../../api/application/account.ts'
import { toHex } from '../../lib/bytes.ts'
import { NotFoundError } from '../../lib/errors.ts'
import { encodeAccountId, parseAccountId } from '../../protocol/account-id.ts'
import type { Daemon } from '../daemon.ts'
import { publishNow } from '../upkeep.ts'
import { identityView, isoOrNull, keyView, prekeysView } from '../views.ts'
import { roomsOf } from './rooms.ts'

export function accountPart(daemon: Daemon): AccountPart {
  const part: AccountPart = {
    async status(): Promise<StatusView> {
      const { host, profile } = daemon.base
      const rooms = daemon.rooms
      const sweep = rooms?.mailbox.reader.lastSweep
      const held = daemon.heldUsage()
      const conversations = (await rooms?.conversations.all()) ?? []
      return {
        version: daemon.version,
        network: profile.name,
        state: daemon.state(),
        accountId: rooms === undefined ? null : encodeAccountId(rooms.account.accountId),
        deviceId: rooms === undefined ? null : toHex(rooms.account.deviceId),
        peerId: host.peerId,
        addresses: host.addresses(),
        peers: new Set(host.peers().map(({ id }) => id)).size,
        reach: { reachability: host.reach().reachability, relays: host.reach().relays.length },
        holder: held,
        outbox: { waiting: rooms?.outbox.queue.waiting ?? 0 },
        mailbox: {
          lastSweepAt: isoOrNull(sweep?.at ?? 0),
          complete: sweep?.complete ?? false,
          unread: conversations.reduce((sum, { unread }) => sum + unread, 0),
        },
        uptimeSeconds: daemon.uptimeSeconds(),
      }
    },

    async createIdentity(input: { passphrase: string; phrase?: string }): Promise<CreatedIdentity> {
      const { phrase, recovered } = await daemon.create(input)
      return { identity: await part.identity(), phrase, recovered: recovered ?? null }
    },

    async unlock(passphrase: string): Promise<IdentityView> {
      await daemon.unlock(passphrase)
      return part.identity()
    },

    async lock(): Promise<void> {
      await daemon.lock()
    },

    async identity(): Promise<IdentityView> {
      const rooms = roomsOf(daemon)
      const own = await rooms.store.accounts.own()
      if (own === undefined) throw new NotFoundError('this home has no account yet: run sotto init')
      return identityView(own, rooms.account.deviceId)
    },

    async rotateIdentity(input: { passphrase: string }): Promise<{ identity: IdentityView; phrase: string }> {
      const phrase = await daemon.rotate(input.passphrase)
      return { identity: await part.identity(), phrase }
    },

    async publishIdentity(): Promise<{ receipts: number }> {
      return { receipts: await publishNow(daemon.base, roomsOf(daemon)) }
    },

    async prekeys(): Promise<PrekeysView> {
      return prekeysView(await roomsOf(daemon).pool.status())
    },

    async rotatePrekeys(): Promise<PrekeysView> {
      const rooms = roomsOf(daemon)
      await rooms.cards.rotate()
      return prekeysView(await rooms.pool.status())
    },

    async lookup(accountId: string): Promise<KeyView> {
      const resolved = await roomsOf(daemon).directory.resolve(parseAccountId(accountId))
      return keyView(daemon.base.crypto, resolved.account)
    },
  }
  return part
}
