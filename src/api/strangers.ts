/** What may be sent to somebody who has not said yes (AP-18): a few things a minute, whatever they are and whatever token asks. */
import type { Clock } from '../lib/clock.ts'
import { NotFoundError, RateError } from '../lib/errors.ts'
import { ExpiringMap } from '../lib/expiring-map.ts'
import { RateLimiter } from '../lib/rate-limiter.ts'
import type { Application } from './application/application.ts'

const MINUTE_MS = 60_000
const KNOWN_MAX = 4_096

/** The same application, with a limit on what is sent in conversations that the other side has not accepted. */
export function limitStrangers(application: Application, perMinute: number, clock: Clock): Application {
  const buckets = new RateLimiter({ perSecond: perMinute / 60, burst: perMinute }, clock)
  const accepted = new ExpiringMap<string, true>(clock, MINUTE_MS, KNOWN_MAX)
  const isStranger = async (accountId: string): Promise<boolean> => {
    if (accepted.get(accountId) === true) return false
    // Who is no contact at all is for the work to refuse.
    const state = await application.contact(accountId).then(
      (contact) => contact.state,
      (error: unknown) => {
        if (error instanceof NotFoundError) return undefined
        throw error
      },
    )
    if (state === 'accepted') accepted.set(accountId, true)
    return state === 'requested'
  }
  const take = async (accountId: string): Promise<void> => {
    if ((await isStranger(accountId)) && !buckets.take(accountId))
      throw new RateError('too many messages to somebody who has not accepted yet', buckets.retryAfterMs(accountId))
  }
  const takeFor = async (messageId: string): Promise<void> => take((await application.message(messageId)).contact)
  const limited: Limited = {
    async send(accountId, input) {
      await take(accountId)
      return application.send(accountId, input)
    },
    async editMessage(id, input) {
      await takeFor(id)
      return application.editMessage(id, input)
    },
    async react(id, input) {
      await takeFor(id)
      return application.react(id, input)
    },
    async deleteMessage(id, input) {
      if (input.for === 'both') await takeFor(id)
      await application.deleteMessage(id, input)
    },
    async updateConversation(accountId, change) {
      // The contact is told of a timer, and of nothing else.
      if (change.timerSeconds !== undefined) await take(accountId)
      return application.updateConversation(accountId, change)
    },
  }
  return Object.assign(Object.create(application) as Application, limited)
}

type Limited = Pick<Application, 'send' | 'editMessage' | 'react' | 'deleteMessage' | 'updateConversation'>
