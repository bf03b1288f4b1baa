/** The holder: answers every verb, never throws for what a peer sent. The specification is README.md beside this file. */
import type { Startable } from '../../lib/lifecycle.ts'
import { LimitError, nameOf } from '../../lib/errors.ts'
import { ANSWER_KIND, CLOSER_PEERS_MAX, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../wire/holder.ts'
import { placement } from '../../protocol/replicas.ts'
import type { HolderCaller, HolderHandler } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import { ExpirySweeper } from './expire.ts'
import { get, list, open, subscribe, tomb } from './mailbox-access.ts'
import type { AccessDesk } from './mailbox-access.ts'
import { Policies } from './policies.ts'
import { getCard, putCard } from './put-card.ts'
import { putLetter } from './put-letter.ts'
import type { LetterDesk } from './put-letter.ts'
import { DEFAULT_QUOTAS, Quotas } from './quotas.ts'
import type { QuotaLimits } from './quotas.ts'
import { Subscriptions } from './subscriptions.ts'

/** Closer peers that go with an answer that was not asked for them. */
const CLOSER_BY_THE_WAY = 8

export class HolderService implements Startable {
  readonly #desk: LetterDesk & AccessDesk
  readonly #sweeper: ExpirySweeper

  constructor(deps: HolderDeps, limits: QuotaLimits = DEFAULT_QUOTAS) {
    this.#desk = {
      ...deps,
      quotas: new Quotas(deps.held.usage, deps.clock, limits),
      policies: new Policies(deps),
      subscriptions: new Subscriptions(),
    }
    this.#sweeper = new ExpirySweeper(deps)
  }

  start(): void {
    this.#sweeper.start()
  }

  async stop(): Promise<void> {
    await this.#sweeper.stop()
  }

  /** What `net` calls for each request that a peer sends. */
  readonly handle: HolderHandler = async (caller, request) => {
    try {
      if (!this.#desk.quotas.takeRequest(caller)) return this.#respond(outcome(HOLDER_STATUS.rate, undefined))
      if (request.kind === HOLDER_VERB.find) return this.#found(request.body.target)
      return this.#respond(await this.#dispatch(caller, request))
    } catch (error) {
      // Shed load is no fault, and a line for each of its requests would be one.
      if (error instanceof LimitError) return this.#respond(outcome(HOLDER_STATUS.rate, undefined))
      this.#desk.log.error('a request failed', { verb: request.kind, error: nameOf(error) })
      return this.#respond(outcome(HOLDER_STATUS.full, undefined))
    }
  }

  async #dispatch(caller: HolderCaller, request: Exclude<HolderRequest, { kind: 9 }>): Promise<Outcome> {
    const desk = this.#desk
    switch (request.kind) {
      case HOLDER_VERB.put:
        return putLetter(desk, caller, request.body.letter, request.body.proof)
      case HOLDER_VERB.putCard:
        return putCard(desk, caller, request.body)
      case HOLDER_VERB.getCard:
        return getCard(desk, caller, request.body.key)
      case HOLDER_VERB.open:
        return open(desk, caller, request.body.address, request.body.proof)
      case HOLDER_VERB.list:
        return list(desk, caller, request.body.address, request.body.cursor)
      case HOLDER_VERB.get:
        return get(desk, caller, request.body.address, request.body.ids)
      case HOLDER_VERB.tomb:
        return tomb(desk, caller, request.body.tombstones)
      default:
        return subscribe(desk, caller, request.body.address)
    }
  }

  #respond({ status, answer, about }: Outcome): HolderResponse {
    const { crypto, routing } = this.#desk
    const closer = about === undefined ? [] : routing.known(placement(crypto, about), CLOSER_BY_THE_WAY)
    return { status, answer, closer: closer.slice(0, CLOSER_BY_THE_WAY) }
  }

  #found(target: Uint8Array): HolderResponse {
    const closer = this.#desk.routing.known(target, CLOSER_PEERS_MAX).slice(0, CLOSER_PEERS_MAX)
    return { status: HOLDER_STATUS.ok, answer: { kind: ANSWER_KIND.empty, body: {} }, closer }
  }
}
