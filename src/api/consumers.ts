/**
 * Readers that the daemon remembers belong to the token that made them: what one program acknowledges must not make another miss
 * it. The owner's own tokens see all of them; each other token has names of its own, kept as `NAME@TOKEN`.
 */
import { ConflictError, LimitError, NotFoundError } from '../lib/errors.ts'
import type { Application } from './application/application.ts'
import type { ConsumerView, EventsPart } from './application/events.ts'
import type { Caller } from './tokens.ts'

/** Of one token below `admin`. */
const OWN_MAX = 8
/** The daemon's own: the program of `hooks.onMessage` (see `on-message.ts`). */
const RESERVED = 'hook'

type Part = Pick<EventsPart, 'consumers' | 'consumer' | 'acknowledge' | 'removeConsumer'>

/** The application as a caller may use it. */
export function ownConsumers(application: Application, caller: Pick<Caller, 'id' | 'scope'>): Application {
  const part = caller.scope === 'admin' ? owners(application) : others(application, caller.id)
  return Object.assign(Object.create(application) as Application, part)
}

function owners(application: Application): Part {
  const free = (name: string): string => {
    if (name === RESERVED) throw new ConflictError('this consumer is the daemon’s own; take another name')
    return name
  }
  return {
    consumers: async () => application.consumers(),
    consumer: async (name, input) => application.consumer(free(name), input),
    acknowledge: async (name, number) => application.acknowledge(free(name), number),
    removeConsumer: async (name) => application.removeConsumer(free(name)),
  }
}

function others(application: Application, token: string): Part {
  const end = `@${token}`
  const kept = (name: string): string => {
    if (name.includes('@')) throw new NotFoundError('no such consumer')
    return name + end
  }
  const shown = (view: ConsumerView): ConsumerView => ({ ...view, name: view.name.slice(0, -end.length) })
  const own = async (): Promise<readonly ConsumerView[]> =>
    (await application.consumers()).filter(({ name }) => name.endsWith(end))
  return {
    consumers: async () => (await own()).map(shown),
    async consumer(name, input) {
      const all = await own()
      const isNew = all.every((view) => view.name !== kept(name))
      if (isNew && all.length >= OWN_MAX) throw new LimitError(`a token has at most ${OWN_MAX} consumers; remove one`)
      return shown(await application.consumer(kept(name), input))
    },
    acknowledge: async (name, number) => shown(await application.acknowledge(kept(name), number)),
    removeConsumer: async (name) => application.removeConsumer(kept(name)),
  }
}
