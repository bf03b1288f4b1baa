/**
 * Finds accounts by their id and keeps the pins of contacts fresh (protocol §2). A pin never expires and never goes back;
 * what contradicts it suspends the contact. The network is asked again when an hour has passed since the last time.
 */
import { equal, toHex } from '../../lib/bytes.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { IdentityChangedError, nameOf, NetworkError, NotFoundError } from '../../lib/errors.ts'
import { accountId as accountIdOf } from '../../protocol/account-id.ts'
import { consequenceOf, judgeByMemory, judgeCard, type PinMemory, type TrustVerdict } from '../../protocol/trust.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Contact } from '../../store/records.ts'
import type { AccountCard } from '../../wire/card.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { followed, formerContact, prekeysInForce, successorContact, suspended } from './follow.ts'
import { isAbsence, type LookupContext, lookupAccount, lookupPrekeys } from './lookup.ts'
import type { ChangeLog, ContactBook, ContactChange, ResolvedAccount } from './ports.ts'

/** How long an answer of the network is good for. */
export const FRESH_MS = 60 * 60_000
/** The same where it had no prekeys to begin a session with. */
const EMPTY_FRESH_MS = 10_000
/** After this an account counts as not found: the user waits for it. */
export const RESOLVE_MS = 9_000
/** Accounts of strangers kept in memory. */
const STRANGERS_MAX = 1_000
/** Successions followed in a row. */
const HOPS_MAX = 4

export interface DirectoryComponents extends LookupContext {
  readonly contacts: ContactBook
  /** What is remembered of the pin of a contact that was brought back without its card. */
  readonly remembers?: (accountId: Uint8Array) => Promise<PinMemory | undefined>
  /** What else belongs into the batch that suspends a contact: its sessions. */
  readonly onSuspend?: (accountId: Uint8Array) => Promise<readonly StoreOp[]>
  /** Newer cards of a contact were taken in: whatever waits for them may go. */
  readonly onFollow?: (accountId: Uint8Array) => void
  readonly journal: ChangeLog
}

export class Directory {
  readonly #c: DirectoryComponents
  readonly #strangers: ExpiringMap<string, ResolvedAccount>
  readonly #running = new Map<string, Promise<ResolvedAccount>>()
  readonly #stop = new AbortController()

  constructor(components: DirectoryComponents) {
    this.#c = components
    this.#strangers = new ExpiringMap(components.clock, FRESH_MS, STRANGERS_MAX)
  }

  /**
   * The account's cards: from the pin where it was checked within the hour, else from the network, and from the pin all the
   * same where the network is silent. `refresh` asks the network in any case. Where the account has a successor, that
   * one is the answer (compare `accountId`).
   *
   * Throws NotFoundError within 10 s where nobody knows the account, NetworkError where there is no network to
   * ask, IdentityChangedError where the account contradicts its pin.
   */
  async resolve(accountId: Uint8Array, options: { readonly refresh?: boolean } = {}): Promise<ResolvedAccount> {
    return this.#resolve(accountId, options.refresh ?? false, 0)
  }

  /** Calls off what is under way; for the end of the daemon. */
  stop(): void {
    this.#stop.abort()
  }

  async #resolve(accountId: Uint8Array, refresh: boolean, hops: number): Promise<ResolvedAccount> {
    if (hops > HOPS_MAX) throw new NotFoundError('the account was rotated too many times to be followed')
    const name = toHex(accountId)
    const known = await this.#known(accountId)
    const next = known && this.#successor(known.account)
    if (next !== undefined && (await this.#known(next)) !== undefined) return this.#resolve(next, refresh, hops + 1)
    if (known !== undefined && next === undefined && !refresh && this.#isFresh(known)) return known
    const running = this.#running.get(name) ?? this.#ask(accountId, known)
    this.#running.set(name, running)
    try {
      const resolved = await running
      const followed = this.#successor(resolved.account)
      return followed === undefined ? resolved : await this.#resolve(followed, false, hops + 1)
    } finally {
      this.#running.delete(name)
    }
  }

  /** What is pinned or remembered. Throws IdentityChangedError for a suspended contact. */
  async #known(accountId: Uint8Array): Promise<ResolvedAccount | undefined> {
    const contact = await this.#c.contacts.get(accountId)
    if (contact?.changed !== undefined) throw identityChanged()
    if (contact?.pinned !== undefined) return this.#resolvedOf(contact, contact.pinned)
    return this.#strangers.get(toHex(accountId))
  }

  #resolvedOf(contact: Contact, account: AccountCard): ResolvedAccount {
    const prekeys = contact.devices.flatMap((device) => (device.prekeys === undefined ? [] : [device.prekeys]))
    const { accountId, checkedAt } = contact
    return { accountId, account, prekeys: this.#inForce(prekeys), checkedAt }
  }

  #inForce(prekeys: readonly PrekeyCard[]): readonly PrekeyCard[] {
    return prekeys.filter((card) => prekeysInForce(card, this.#c.clock.now()))
  }

  #isFresh(known: ResolvedAccount): boolean {
    const age = this.#c.clock.now() - known.checkedAt
    return age >= 0 && age < (known.prekeys.length > 0 ? FRESH_MS : EMPTY_FRESH_MS)
  }

  #successor(card: AccountCard): Uint8Array | undefined {
    return card.body.successor && accountIdOf(this.#c.crypto, card.body.successor.account)
  }

  /** Asks the network within the time there is, and writes down what it said. */
  async #ask(accountId: Uint8Array, known: ResolvedAccount | undefined): Promise<ResolvedAccount> {
    const deadline = new AbortController()
    const cancel = this.#c.clock.after(RESOLVE_MS, () => {
      deadline.abort()
    })
    const signal = AbortSignal.any([deadline.signal, this.#stop.signal])
    try {
      const card = await this.#card(accountId, known, signal)
      if (card === undefined) return known ?? refuse(new NotFoundError('nobody in the network knows this account'))
      const fetched = await this.#gather(accountId, newest(card, known), signal)
      const next = this.#successor(fetched.account)
      const following = next === undefined ? undefined : await this.#follower(next, signal)
      return await this.#take(fetched, card, following)
    } finally {
      cancel()
    }
  }

  async #card(
    accountId: Uint8Array,
    known: ResolvedAccount | undefined,
    signal: AbortSignal,
  ): Promise<AccountCard | undefined> {
    try {
      return await lookupAccount(this.#c, accountId, signal)
    } catch (error) {
      if (!isAbsence(error)) throw error
      this.#c.log.debug('the network did not answer for an account', { error: nameOf(error) })
      if (known === undefined && error instanceof NetworkError) throw error
      return undefined
    }
  }

  async #gather(accountId: Uint8Array, account: AccountCard, signal: AbortSignal): Promise<ResolvedAccount> {
    const prekeys = await lookupPrekeys(this.#c, account, signal)
    return { accountId, account, prekeys, checkedAt: this.#c.clock.now() }
  }

  /** The account that follows. Both are written together, so it has to be there. */
  async #follower(accountId: Uint8Array, signal: AbortSignal): Promise<ResolvedAccount> {
    const card = await this.#card(accountId, undefined, signal)
    if (card === undefined)
      throw new NotFoundError('the account was rotated, and its new card is not in the network yet')
    return this.#gather(accountId, card, signal)
  }

  /** Judges `offered` beside the pin as it is now, and writes what follows from it. */
  async #take(
    fetched: ResolvedAccount,
    offered: AccountCard,
    following: ResolvedAccount | undefined,
  ): Promise<ResolvedAccount> {
    const outcome = await this.#c.journal.commit(async (): Promise<ContactChange<ResolvedAccount | undefined>> => {
      const contact = await this.#c.contacts.get(fetched.accountId)
      if (contact === undefined) return { ops: [], facts: [], result: this.#remember(fetched, offered, following) }
      const verdict = await this.#judge(contact, offered)
      if (contact.pinned === undefined && verdict.kind === 'older') {
        throw new NotFoundError('the network has only an older card of this account than the one that was known')
      }
      if (consequenceOf(verdict) === 'suspend') return this.#suspend(contact, offered, verdict)
      // The pin may have gone on while we asked: it keeps its place before anything older.
      const pinned = contact.pinned
      const card = pinned && pinned.body.number > fetched.account.body.number ? pinned : fetched.account
      const next = followed(contact, { ...fetched, account: card })
      const successor = following && (await this.#succeed(next, following))
      return {
        ops: successor?.ops ?? this.#c.contacts.put(next),
        facts: [...factsOf(contact, card, verdict), ...(successor?.facts ?? [])],
        result: this.#resolvedOf(next, card),
        done: () => {
          this.#c.onFollow?.((following ?? fetched).accountId)
        },
      }
    })
    if (outcome === undefined) throw identityChanged()
    return outcome
  }

  async #judge({ accountId, pinned }: Contact, offered: AccountCard): Promise<TrustVerdict> {
    const memory = pinned === undefined ? await this.#c.remembers?.(accountId) : undefined
    if (memory === undefined) return judgeCard(this.#c.crypto, pinned, offered)
    return judgeByMemory(this.#c.crypto, memory, offered)
  }

  /** A stranger's cards, kept in memory. `undefined` where they contradict what was there. */
  #remember(
    fetched: ResolvedAccount,
    offered: AccountCard,
    following: ResolvedAccount | undefined,
  ): ResolvedAccount | undefined {
    const name = toHex(fetched.accountId)
    const before = this.#strangers.get(name)
    if (consequenceOf(judgeCard(this.#c.crypto, before?.account, offered)) === 'suspend') return undefined
    const known = (before?.prekeys ?? []).filter((old) => !fetched.prekeys.some((fresh) => supersedes(fresh, old)))
    const fresh = fetched.prekeys.filter((card) => !known.some((old) => supersedes(old, card)))
    const account = newest(fetched.account, before)
    const resolved = { ...fetched, account, prekeys: this.#inForce([...known, ...fresh]) }
    if (following !== undefined && this.#remember(following, following.account, undefined) === undefined)
      return undefined
    this.#strangers.set(name, resolved)
    return resolved
  }

  async #suspend(contact: Contact, card: AccountCard, verdict: TrustVerdict): Promise<ContactChange<undefined>> {
    const why = verdict.kind === 'changed' ? verdict.why : verdict.kind
    this.#c.log.warn('a contact’s identity contradicts its pin', { why })
    const data = { contact: toHex(contact.accountId), why }
    return {
      ops: [
        ...this.#c.contacts.put(suspended(contact, card)),
        ...((await this.#c.onSuspend?.(contact.accountId)) ?? []),
      ],
      facts: [{ type: 'contact:changed', data }],
      result: undefined,
    }
  }

  /** The successor becomes a contact in the old one's place, unless it is one already. */
  async #succeed(contact: Contact, next: ResolvedAccount): Promise<Omit<ContactChange<undefined>, 'result'>> {
    if ((await this.#c.contacts.get(next.accountId)) !== undefined)
      return { ops: this.#c.contacts.put(contact), facts: [] }
    const data = { contact: toHex(contact.accountId), successor: toHex(next.accountId) }
    return {
      ops: [...this.#c.contacts.put(formerContact(contact)), ...this.#c.contacts.put(successorContact(contact, next))],
      facts: [{ type: 'contact:succeeded', data }],
    }
  }
}

function newest(card: AccountCard, known: ResolvedAccount | undefined): AccountCard {
  return known !== undefined && known.account.body.number > card.body.number ? known.account : card
}

/** Whether `a` is of the same device as `b` and not older. */
function supersedes(a: PrekeyCard, b: PrekeyCard): boolean {
  const same = equal(a.body.certificate.body.deviceId, b.body.certificate.body.deviceId)
  return same && a.body.number >= b.body.number
}

function factsOf(contact: Contact, card: AccountCard, verdict: TrustVerdict): ContactChange<never>['facts'] {
  const data = { contact: toHex(contact.accountId), number: card.body.number }
  if (verdict.kind === 'first') return [{ type: 'contact:pinned', data: { ...data, source: contact.pinSource } }]
  if (consequenceOf(verdict) !== 'notice' || !('devices' in verdict)) return []
  const { added, removed } = verdict.devices
  if (added.length + removed.length === 0) return []
  return [{ type: 'contact:devices-changed', data: { ...data, added: added.length, removed: removed.length } }]
}

function identityChanged(): IdentityChangedError {
  return new IdentityChangedError('this account is not the one you knew: compare safety numbers before you go on')
}

function refuse(error: Error): never {
  throw error
}
