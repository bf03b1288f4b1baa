/** Contacts, for the local API. */
import type { ContactChange, ContactsPart, ContactView, VerifyView } from '../../api/application/contacts.ts'
import { toHex } from '../../lib/bytes.ts'
import { NotFoundError, UsageError } from '../../lib/errors.ts'
import { DAY_MS } from '../../lib/time.ts'
import { encodeAccountId, parseAccountId } from '../../protocol/account-id.ts'
import { formatSafetyNumber, safetyNumber, safetyQr } from '../../protocol/safety-number.ts'
import { hiddenWays } from '../../services/contacts/meetings.ts'
import { CONTACT_DIRECT, PIN_SOURCE } from '../../store/records.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Contact } from '../../store/records.ts'
import type { Store } from '../../store/store.ts'
import { encodeInvite, encodeSafetyQr, parseInvite } from '../../wire/invite.ts'
import { hiddenSelf } from '../base.ts'
import type { Daemon } from '../daemon.ts'
import { TOKEN_PREFIX } from '../upkeep.ts'
import { contactView } from '../contact-view.ts'
import { prefetch, roomsOf } from './rooms.ts'

/** An invite's one-time token is good for a week. */
const TOKEN_LIFE_MS = 7 * DAY_MS
const NAME_BYTES_MAX = 64
/** How long an invite waits for holders to take the policy that has its lane; without it the guest pays a stamp. */
const INVITE_PUBLISH_MS = 3_000

/** One-time tokens that are out at a time: each keeps a lane of the intro box open. */
const TOKENS_MAX = 64

export function contactsPart(daemon: Daemon): ContactsPart {
  return {
    async invite(input: { token: boolean }): Promise<{ link: string }> {
      const rooms = roomsOf(daemon)
      const { base } = daemon
      const token = input.token ? base.rng.bytes(16) : undefined
      if (token !== undefined) {
        const until = String(base.clock.now() + TOKEN_LIFE_MS)
        await rooms.journal.commit(async () => ({
          ops: [...(await surplusTokens(rooms.store)), ...rooms.store.settings.put(TOKEN_PREFIX + toHex(token), until)],
          facts: [],
          result: undefined,
        }))
        // Who is quick with the link is to find the lane open.
        await rooms.policies.publishSoon(INVITE_PUBLISH_MS)
      }
      const ways = base.host.joining.waysIn()
      const addresses = base.neverDirect ? hiddenWays(ways, base.host.routing.self(), hiddenSelf(base)) : ways
      return { link: encodeInvite({ version: 1, accountId: rooms.account.accountId, addresses, token }) }
    },

    async contacts(): Promise<readonly ContactView[]> {
      return Promise.all((await roomsOf(daemon).contacts.all()).map(async (contact) => viewOf(daemon, contact)))
    },

    async contact(accountId: string): Promise<ContactView> {
      return viewOf(daemon, await contactOf(daemon, accountId))
    },

    async addContact(input: {
      target: string
      name?: string
      note?: string
      source?: 'network' | 'invite' | 'qr'
    }): Promise<ContactView> {
      const rooms = roomsOf(daemon)
      const invite = input.target.trim().startsWith('sotto:') ? parseInvite(input.target) : undefined
      // Who made the invite would see where the dials come from.
      if (invite !== undefined && !daemon.base.neverDirect) await daemon.join(invite.addresses)
      const accountId = invite?.accountId ?? parseAccountId(input.target.trim())
      const find = async () => rooms.directory.resolve(accountId)
      const resolved = await (invite === undefined ? find() : daemon.patiently(find))
      // What the request is sealed with is fetched while it is being written down.
      for (const prekeys of resolved.prekeys) prefetch(daemon, resolved.accountId, prekeys)
      const added = await rooms.contacts.add({
        accountId: resolved.accountId,
        name: checkedName(input.name ?? ''),
        note: input.note ?? '',
        source: PIN_SOURCE[input.source ?? (invite === undefined ? 'network' : 'invite')],
        token: invite?.token,
        resolved,
      })
      return viewOf(daemon, added)
    },

    async acceptContact(accountId: string, input: { name?: string }): Promise<ContactView> {
      const rooms = roomsOf(daemon)
      const id = parseAccountId(accountId)
      const accepted = await rooms.contacts.accept(id, input.name === undefined ? undefined : checkedName(input.name))
      // The card behind the request is pinned as soon as the network shows it.
      daemon.inBackground(rooms.directory.resolve(id, { refresh: true }))
      return viewOf(daemon, accepted)
    },

    async updateContact(accountId: string, input: ContactChange): Promise<ContactView> {
      const { direct, ...rest } = input
      if (input.name !== undefined) checkedName(input.name)
      const { contacts } = roomsOf(daemon)
      const id = parseAccountId(accountId)
      if (direct !== undefined) await contacts.setDirect(id, CONTACT_DIRECT[direct])
      return viewOf(daemon, await contacts.rename(id, rest))
    },

    async blockContact(accountId: string): Promise<ContactView> {
      return viewOf(daemon, await roomsOf(daemon).contacts.block(parseAccountId(accountId)))
    },

    async unblockContact(accountId: string): Promise<ContactView> {
      return viewOf(daemon, await roomsOf(daemon).contacts.unblock(parseAccountId(accountId)))
    },

    async removeContact(accountId: string): Promise<void> {
      await roomsOf(daemon).contacts.remove(parseAccountId(accountId))
    },

    async safetyNumber(accountId: string): Promise<VerifyView> {
      const rooms = roomsOf(daemon)
      const contact = await contactOf(daemon, accountId)
      const pinned = contact.pinned ?? (await rooms.directory.resolve(contact.accountId)).account
      const own = await rooms.store.accounts.own()
      if (own === undefined) throw new NotFoundError('this home has no account yet: run sotto init')
      const { crypto } = daemon.base
      return {
        accountId: encodeAccountId(contact.accountId),
        digits: formatSafetyNumber(safetyNumber(crypto, own.accountId, contact.accountId)),
        qr: encodeSafetyQr(safetyQr(crypto, own.card, pinned)),
        verified: contact.verified,
      }
    },

    async verifyContact(
      accountId: string,
      input: { verified?: boolean; acceptChange?: boolean },
    ): Promise<ContactView> {
      const rooms = roomsOf(daemon)
      const id = parseAccountId(accountId)
      if (input.acceptChange === true) {
        await rooms.contacts.acceptChange(id)
        await rooms.directory.resolve(id, { refresh: true })
        rooms.outbox.hurry(id)
      }
      const contact =
        input.verified === undefined
          ? await rooms.contacts.require(id)
          : await rooms.contacts.setVerified(id, input.verified)
      return viewOf(daemon, contact)
    },
  }
}

/** Makes room for one more token: the oldest are forgotten. Whoever has such a link works a little first, as without one. */
async function surplusTokens(store: Store): Promise<readonly StoreOp[]> {
  const tokens = [...(await store.settings.all())].filter(([name]) => name.startsWith(TOKEN_PREFIX))
  const oldestFirst = tokens.sort(([, one], [, other]) => Number(one) - Number(other))
  return oldestFirst
    .slice(0, Math.max(0, tokens.length + 1 - TOKENS_MAX))
    .flatMap(([name]) => store.settings.delete(name))
}

async function contactOf(daemon: Daemon, accountId: string): Promise<Contact> {
  return roomsOf(daemon).contacts.require(parseAccountId(accountId))
}

async function viewOf(daemon: Daemon, contact: Contact): Promise<ContactView> {
  const { profiles, live } = roomsOf(daemon)
  const { accountId } = contact
  return contactView(contact, { profile: await profiles.lineOf(accountId), ...live.presenceOf(accountId) })
}

function checkedName(name: string): string {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new UsageError('a name has at most 64 bytes')
  return name
}
