/**
 * Looks in the network for what the 24 words bring back, until it is found or certainly not there. Nothing of this account leaves before
 * the network was asked: the account's card waits (`accountHeld`), and no recovery record is written over the one that is looked for.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { DAY_MS, MINUTE_MS } from '../../lib/time.ts'
import { equal } from '../../lib/bytes.ts'
import type { OwnRecovery } from '../../store/recovery.ts'
import { RECOVERY_STATE } from '../../store/recovery.ts'
import type { RecoveryChange, RecoveryDeps } from './ports.ts'
import { readRecovery } from './read.ts'
import type { RecoveryFound } from './read.ts'
import { Rounds } from './rounds.ts'
import type { Next } from './rounds.ts'
import { passesOurs, shownCard } from './shown-card.ts'
import type { CardFound } from './shown-card.ts'

/**
 * For this long a network that says it has nothing is asked again: who has just joined knows few peers, and they need not be those that
 * have it.
 */
const SEARCH_MS = DAY_MS
/** How often it is asked again when it said so. */
const ASK_AGAIN_MS = 5 * MINUTE_MS
/** … and how soon when peers have come meanwhile. */
const NEW_PEERS_MS = 30_000

/** What a search has come to so far. */
export interface Recovered {
  readonly contacts: number
  readonly settings: boolean
}

const NOTHING: Recovered = { contacts: 0, settings: false }

export class RecoverySearch implements Startable {
  readonly #deps: RecoveryDeps
  readonly #onEnd: () => void
  readonly #rounds: Rounds
  #recovered = NOTHING
  #waiting: (() => void)[] = []
  #answered = false
  /** The network has answered, and there may be more of it. */
  #unfinished = false

  /** `onEnd`: the search is over, or brought something. */
  constructor(deps: RecoveryDeps, onEnd: () => void) {
    this.#deps = deps
    this.#onEnd = onEnd
    this.#rounds = new Rounds({ ...deps, work: async (signal) => this.#round(signal) })
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve()
    await this.#rounds.stop()
  }

  hurry(): void {
    this.#rounds.hurry()
    if (this.#unfinished) this.#rounds.within(NEW_PEERS_MS)
  }

  /** There is something to be looked for (again). */
  again(): void {
    this.#rounds.within(0)
  }

  /** What was found, as soon as the network has answered, or after `limitMs`. The search goes on. */
  async recovered(limitMs: number): Promise<Recovered> {
    if (!this.#answered) {
      await new Promise<void>((resolve) => {
        const cancel = this.#deps.clock.after(limitMs, resolve)
        this.#waiting.push(() => {
          cancel()
          resolve()
        })
      })
    }
    return this.#recovered
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const own = await this.#deps.store.recovery.own()
    if (own?.state !== RECOVERY_STATE.searching) {
      this.#conclude()
      return 'never'
    }
    const found = await readRecovery(this.#deps, own.secret, signal)
    // The card last: ours goes out next, and what others have put out by now is to be seen.
    const asks = !own.asked || (await this.#tellsOfLaterCard(found))
    const card = asks ? await shownCard(this.#deps, own.accountId, signal) : undefined
    signal.throwIfAborted()
    if (card?.kind === 'unheard' || found.kind === 'unheard') return 'again'
    const over = await this.#deps.journal.commit(async () => this.#take(found, card))
    this.#unfinished = !over
    this.#conclude()
    this.#onEnd()
    return over ? 'never' : ASK_AGAIN_MS
  }

  #conclude(): void {
    this.#answered = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** A record's word about the card is a reason to ask for the card, and no more: who writes records signs no card. */
  async #tellsOfLaterCard(found: RecoveryFound): Promise<boolean> {
    const { accounts, devices } = this.#deps.store
    const [account, device] = [await accounts.own(), await devices.own()]
    if (found.kind !== 'found' || account === undefined || device === undefined) return false
    return !equal(found.head.deviceId, device.deviceId) && found.head.cardNumber >= account.number
  }

  /** What the network said, as one change. True where there is nothing more to look for. */
  async #take(found: RecoveryFound, card: CardFound | undefined): Promise<RecoveryChange<boolean>> {
    const own = await this.#deps.store.recovery.own()
    if (own?.state !== RECOVERY_STATE.searching) return { ops: [], facts: [], result: true }
    if (card?.kind === 'card' && card.card.body.successor !== undefined) return this.#replaced(own)
    const { ops: overtaken, signAgain } = await this.#overtaken(own, card)
    const asked = { ...own, asked: true, signAgain }
    if (found.kind !== 'found') return this.#nothing(asked, overtaken)
    // Who has written records is no empty home any more: what turns up later needs the user's word.
    const sure = own.publishedAt === 0
    const restoring = await this.#deps.home.restoreOps(found.content, { since: own.since, sure })
    const state = found.whole || this.#isOver(own) ? RECOVERY_STATE.settled : RECOVERY_STATE.searching
    const number = Math.max(own.number, found.number)
    const next: OwnRecovery = { ...asked, state, number, chunks: found.head.count }
    const { contacts, settings } = restoring
    const isNews = contacts > 0 || settings || state === RECOVERY_STATE.settled
    return {
      ops: [...overtaken, ...restoring.ops, ...this.#deps.store.recovery.put(next)],
      facts: isNews ? [{ type: 'recovery:found', data: { contacts, settings, whole: found.whole } }] : [],
      result: state === RECOVERY_STATE.settled,
      done: () => {
        this.#recovered = {
          contacts: this.#recovered.contacts + contacts,
          settings: this.#recovered.settings || settings,
        }
        restoring.done()
      },
    }
  }

  #isOver(own: OwnRecovery): boolean {
    return this.#deps.clock.now() - own.since >= SEARCH_MS
  }

  #nothing(own: OwnRecovery, overtaken: RecoveryChange<never>['ops']): RecoveryChange<boolean> {
    const over = this.#isOver(own)
    const state = over ? RECOVERY_STATE.none : RECOVERY_STATE.searching
    return {
      ops: [...overtaken, ...this.#deps.store.recovery.put({ ...own, state })],
      facts: over ? [{ type: 'recovery:none', data: {} }] : [],
      result: over,
    }
  }

  /** These are words of before a rotation: the account has gone on under others, and nothing is said in its name. */
  #replaced(own: OwnRecovery): RecoveryChange<boolean> {
    this.#deps.log.warn('the account of these words has a successor')
    return {
      ops: this.#deps.store.recovery.put({ ...own, state: RECOVERY_STATE.replaced }),
      facts: [{ type: 'recovery:replaced', data: {} }],
      result: true,
    }
  }

  /**
   * Another device's verified card contradicts ours or is later. Where ours was never out (the clock was wrong when it was made), the next
   * unlock makes another, for that takes the account key: its number leaves a gap to the one that is shown, over which no chain is asked
   * for. Where ours was out, the account has gone on without this device.
   */
  async #overtaken(
    own: OwnRecovery,
    card: CardFound | undefined,
  ): Promise<{ readonly ops: RecoveryChange<never>['ops']; readonly signAgain: boolean }> {
    const { accounts, devices } = this.#deps.store
    const [account, device] = [await accounts.own(), await devices.own()]
    const { signAgain } = own
    if (account === undefined || device === undefined || card?.kind !== 'card') return { ops: [], signAgain }
    if (!passesOurs(this.#deps, account, device.deviceId, card.card)) return { ops: [], signAgain }
    const shown = card.card.body.number
    if (account.publishedAt > 0) {
      this.#deps.log.warn('the account went on without this device')
      return { ops: accounts.put({ ...account, number: Math.max(shown, account.number) }), signAgain: false }
    }
    this.#deps.log.warn('the network knows a later account card: lock and unlock to sign a new one')
    const number = Math.max(shown, account.card.body.number, account.number - 1) + 1
    return { ops: accounts.put({ ...account, number }), signAgain: true }
  }
}
