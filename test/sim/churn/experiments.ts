/** Which experiments the study is made of, and what each found. */
import { deliver, UPTIME_30_PEERS } from './delivery.ts'
import type { Delivery } from './delivery.ts'
import { MODELS, modelOf, UPTIME_30 } from './models.ts'
import type { ChurnModel, ModelName } from './models.ts'
import type { MassFailure } from './population.ts'
import { CARES, MONTH_DAYS, run, SLOTS } from './study.ts'
import type { Result, Tally } from './study.ts'
import { REPLICAS } from '../../../src/protocol/replicas.ts'

export interface Order {
  /** Letters of each ordinary model at k = 5; the others get their part of it. */
  readonly records: number
  readonly seed: number
  /** Only these models, and no tables beside the first; all where there are none. */
  readonly models: readonly string[]
  readonly note: (text: string) => void
}

export interface ChurnRow {
  readonly model: ModelName
  readonly ordinary: boolean
  readonly replicas: number
  readonly availability: number
  readonly once: Tally
  readonly repair: Tally
  readonly sender: Tally
}

export interface LiarsRow {
  readonly model: ModelName
  readonly percent: number
  readonly silent: boolean
  readonly trusting: Tally
  readonly audited: Tally
  readonly sender: Tally
}

export interface FailureRow {
  readonly model: ModelName
  readonly percent: number
  readonly hours: number | undefined
  readonly once: Tally
  readonly repair: Tally
  readonly sender: Tally
}

export interface Study {
  readonly seed: number
  readonly churn: readonly ChurnRow[]
  readonly liars: readonly LiarsRow[]
  readonly failures: readonly FailureRow[]
  readonly deliveries: Deliveries | undefined
}

/** MB-48; `day`: the same network over a day, read every hour. */
export type Deliveries = Readonly<Record<keyof typeof CARES, Delivery & { readonly day: Tally }>>

/** Share of peers that a lookup misses. */
const MISSED = 0.05
const OTHER_REPLICAS = [3, 8] as const
/** Models that the design's table has at every k. */
const AT_EVERY_K: readonly ModelName[] = ['ours', 'weibKad', 'expKad']
const LIAR_MODELS: readonly ModelName[] = ['ours', 'oursBad', 'weibKad']
const LIAR_PERCENTS = [20, 33, 50] as const
const FAILURE_DAY = 10
const FAILURES: readonly { readonly model: ModelName; readonly percent: number; readonly hours?: number }[] = [
  { model: 'ours', percent: 50 },
  { model: 'ours', percent: 80 },
  { model: 'oursBad', percent: 50 },
  { model: 'oursBad', percent: 80 },
  { model: 'ours', percent: 50, hours: 24 },
  { model: 'ours', percent: 90, hours: 6 },
]

const LIAR_CARES = {
  trusting: { repair: 'trusting', recheck: false },
  audited: CARES.repair,
  sender: CARES.sender,
} as const

export function study(order: Order): Study {
  const whole = order.models.length === 0
  const models = whole ? MODELS : order.models.map(modelOf)
  const churn = models.map((model) => churnRow(order, model, REPLICAS))
  if (whole) {
    for (const name of AT_EVERY_K) {
      for (const replicas of OTHER_REPLICAS) churn.push(churnRow(order, modelOf(name), replicas))
    }
  }
  return {
    seed: order.seed,
    churn,
    liars: whole ? liars(order) : [],
    failures: whole ? failures(order) : [],
    deliveries: whole ? deliveries(order) : undefined,
  }
}

const part = (records: number, share: number): number => Math.max(50, Math.round(records * share))

export function churnRow(order: Order, model: ChurnModel, replicas: number): ChurnRow {
  const { name, ordinary } = model
  const share = replicas !== REPLICAS ? 0.04 : ordinary || order.models.length > 0 ? 1 : 0.1
  const records = share === 1 ? order.records : part(order.records, share)
  const found = experiment(order, { model, replicas, records, cares: CARES })
  return { model: name, ordinary, replicas, availability: found.availability, ...found.tallies }
}

interface Plan<Name extends string> {
  readonly model: ChurnModel
  readonly records: number
  readonly cares: Readonly<Record<Name, (typeof CARES)[keyof typeof CARES] | (typeof LIAR_CARES)['trusting']>>
  readonly replicas?: number
  readonly slots?: number
  readonly days?: number
  readonly liars?: number
  readonly silent?: boolean
  readonly failure?: MassFailure
}

function experiment<Name extends string>({ seed, note }: Order, plan: Plan<Name>): Result<Name> {
  const label = [plan.model.name, `k=${plan.replicas ?? REPLICAS}`, plan.liars, plan.failure?.share].join(' ').trim()
  const setting = { slots: SLOTS, days: MONTH_DAYS, missed: MISSED, replicas: REPLICAS, liars: 0, seed }
  return run({ ...setting, ...plan }, (done) => note(`${label}: ${done} of ${plan.records}`))
}

export function liars(order: Order): LiarsRow[] {
  const records = part(order.records, 0.02)
  const row = (model: ModelName, percent: number, silent: boolean): LiarsRow => {
    const plan = { model: modelOf(model), records, cares: LIAR_CARES, liars: percent / 100, silent }
    return { model, percent, silent, ...experiment(order, plan).tallies }
  }
  const rows = LIAR_MODELS.flatMap((model) => LIAR_PERCENTS.map((percent) => row(model, percent, false)))
  return [...rows, ...LIAR_PERCENTS.map((percent) => row('ours', percent, true))]
}

export function failures(order: Order): FailureRow[] {
  const records = part(order.records, 0.02)
  return FAILURES.map(({ model, percent, hours }) => {
    const failure = { day: FAILURE_DAY, share: percent / 100, ...(hours === undefined ? {} : { hours }) }
    const found = experiment(order, { model: modelOf(model), records, cares: CARES, failure })
    return { model, percent, hours, ...found.tallies }
  })
}

export function deliveries(order: Order): Deliveries {
  const mails = part(order.records, 0.4)
  order.note(`mail among twenty: ${mails}`)
  const plan = { model: UPTIME_30, records: mails, cares: CARES, slots: UPTIME_30_PEERS, days: 1 }
  const { once, repair, sender } = experiment(order, plan).tallies
  return {
    once: { ...deliver(order.seed, mails, CARES.once), day: once },
    repair: { ...deliver(order.seed, mails, CARES.repair), day: repair },
    sender: { ...deliver(order.seed, mails, CARES.sender), day: sender },
  }
}
