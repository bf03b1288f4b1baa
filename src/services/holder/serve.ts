/** The holder: answers every verb, never throws for what a peer sent. The specification is README.md beside this file. */
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { LimitError, nameOf } from '../../lib/errors.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import { SecurityLog } from '../../lib/security-log.ts'
import { DAY_MS } from '../../lib/time.ts'
import { ANSWER_KIND, CLOSER_PEERS_MAX, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../wire/holder.ts'
import { placement } from '../../protocol/replicas.ts'
import type { HolderCaller, HolderHandler } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import { ExpirySweeper } from './expire.ts'
import type { Desk } from './desk.ts'
import { MailRoom } from './mail-room.ts'
import { drop, get, list, open, subscribe } from './mailbox-access.ts'
import { Policies } from './policies.ts'
import { PrekeyQuotas } from './prekey-quotas.ts'
import { askSlice, putSlice, takePrekey } from './prekey-slices.ts'
import { getCard, putCard } from './put-card.ts'
import { putLetter } from './put-letter.ts'
import { prove } from './prove.ts'
import { DEFAULT_QUOTAS, Quotas } from './quotas.ts'
import type { QuotaLimits } from './quotas.ts'
import { reconcile, sync } from './reconcile.ts'
import { Subscriptions } from './subscriptions.ts'
import { tomb } from './tomb.ts'

/** Closer peers that go with an answer that was not asked for them. */
const CLOSER_BY_THE_WAY = 8
/** Letters dropped by their owners that are remembered. */
const DROPPED_MAX = 65_536
/**
 * What costs far more than a plain request, and is charged when it is done: of one peer one at a time, or all that it has under way
 * would be done before the first of it is charged.
 */
const COSTLY: ReadonlySet<number> = new Set([
  HOLDER_VERB.list,
  HOLDER_VERB.get,
  HOLDER_VERB.prove,
  HOLDER_VERB.sync,
  HOLDER_VERB.reconcile,
])
const COSTLY_WAITING_MAX = 8_192

export class HolderService implements Startable {
  readonly #desk: Desk
  readonly #sweeper: ExpirySweeper
  readonly #costly = new KeyedQueue(COSTLY_WAITING_MAX)
  readonly #underWay = new Set<Promise<unknown>>()
  #stopped = false

  constructor(deps: HolderDeps, limits: QuotaLimits = DEFAULT_QUOTAS) {
    const quotas = new Quotas(deps.held.usage, deps.clock, limits)
    this.#desk = {
      ...deps,
      quotas,
      policies: new Policies(deps),
      prekeyQuotas: new PrekeyQuotas(deps.clock),
      subscriptions: new Subscriptions(),
      room: new MailRoom(deps, quotas),
      security: new SecurityLog(deps.log, deps.clock),
      dropped: new ExpiringMap(deps.clock, DAY_MS, DROPPED_MAX),
    }
    this.#sweeper = new ExpirySweeper(deps)
  }

  start(): void {
    this.#stopped = false
    this.#sweeper.start()
  }

  /** Resolves when nothing works on the disk any more; from now on callers are sent to others. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#sweeper.stop()
    await Promise.all(this.#underWay)
  }

  /** What `net` calls for each request that a peer sends. */
  readonly handle: HolderHandler = async (caller, request) => {
    if (this.#stopped) return this.#respond(outcome(HOLDER_STATUS.full, undefined))
    const work = this.#handle(caller, request)
    this.#underWay.add(work)
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
    }
  }

  async #handle(caller: HolderCaller, request: HolderRequest): Promise<HolderResponse> {
    try {
      if (!COSTLY.has(request.kind)) return await this.#answer(caller, request)
      return await this.#costly.run(caller.peerId, async () => this.#answer(caller, request))
    } catch (error) {
      // Shed load is no fault, and a line for each of its requests would be one.
      if (error instanceof LimitError) return this.#respond(outcome(HOLDER_STATUS.rate, undefined))
      this.#desk.log.error('a request failed', { verb: request.kind, error: nameOf(error) })
      return this.#respond(outcome(HOLDER_STATUS.full, undefined))
    }
  }

  async #answer(caller: HolderCaller, request: HolderRequest): Promise<HolderResponse> {
    if (!this.#desk.quotas.takeRequest(caller)) return this.#respond(outcome(HOLDER_STATUS.rate, undefined))
    if (request.kind === HOLDER_VERB.find) return this.#found(request.body.target)
    return this.#respond(await this.#dispatch(caller, request))
  }

  async #dispatch(caller: HolderCaller, request: Exclude<HolderRequest, { kind: 9 }>): Promise<Outcome> {
    const desk = this.#desk
    switch (request.kind) {
      case HOLDER_VERB.put:
        return putLetter(desk, caller, request.body, 'put')
      case HOLDER_VERB.copy:
        return putLetter(desk, caller, request.body, 'copy')
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
      case HOLDER_VERB.subscribe:
        return subscribe(desk, caller, request.body.address)
      case HOLDER_VERB.drop:
        return drop(desk, caller, request.body.address, request.body.ids)
      case HOLDER_VERB.prove:
        return prove(desk, caller, request.body)
      case HOLDER_VERB.sync:
        return sync(desk, caller, request.body)
      case HOLDER_VERB.reconcile:
        return reconcile(desk, caller, request.body)
      case HOLDER_VERB.leaving:
        return this.#leaving(caller)
      case HOLDER_VERB.putSlice:
        return putSlice(desk, caller, request.body)
      case HOLDER_VERB.takePrekey:
        return takePrekey(desk, caller, request.body)
      case HOLDER_VERB.askSlice:
        return askSlice(desk, request.body.card, request.body.token)
      // no default
    }
  }

  #leaving(caller: HolderCaller): Outcome {
    if (!this.#desk.quotas.takeLeaving(caller)) return outcome(HOLDER_STATUS.rate, undefined)
    this.#desk.onLeaving(caller.peerId)
    return outcome(HOLDER_STATUS.ok, undefined)
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
