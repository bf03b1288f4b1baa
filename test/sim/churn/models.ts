/**
 * Six ways in which peers come and go, from measurements (KAD: Weibull fit over six months; IPFS: ProbeLab 2022) and from
 * assumptions about our own users. A model is a mix of classes; the classes differ in presence and in length of life.
 */
import { exponential } from './random.ts'
import type { Random } from './random.ts'

/** Weibull by shape and mean; shape 1 is exponential, below it the tail is heavy. */
export interface Law {
  readonly shape: number
  readonly meanHours: number
}

export type Presence =
  /** Sessions and pauses in turn. `daytime`: never between midnight and seven by the model's one clock. */
  | { readonly kind: 'sessions'; readonly on: Law; readonly off: Law; readonly daytime?: true }
  /** One session a day at about the same time of it, on `days` of the days. */
  | { readonly kind: 'daily'; readonly meanHours: number; readonly days: number }

export interface PeerClass {
  readonly share: number
  /** Mean time until it leaves for good and a newcomer takes its slot. */
  readonly lifeDays: number
  readonly presence: Presence
}

export interface ChurnModel {
  readonly name: ModelName
  /** Whether peers as these are what the network is built for; the others are file-sharing clients. */
  readonly ordinary: boolean
  readonly classes: readonly PeerClass[]
  /** Everybody sleeps at the same time. */
  readonly oneZone?: true
}

export type ModelName = 'ours' | 'oursBad' | 'oursOneTz' | 'ipfsMix' | 'weibKad' | 'expKad' | 'uptime30'

const KAD_ON_HOURS = 266.5 / 60
const KAD_OFF_HOURS = 910 / 60

/** Reboots: half an hour every two weeks. */
const ALWAYS: Omit<PeerClass, 'share'> = {
  lifeDays: 300,
  presence: { kind: 'sessions', on: { shape: 1, meanHours: 14 * 24 }, off: { shape: 1, meanHours: 0.5 } },
}
const HOME: Omit<PeerClass, 'share'> = { lifeDays: 90, presence: { kind: 'daily', meanHours: 9, days: 0.93 } }
const KAD: Presence = {
  kind: 'sessions',
  on: { shape: 0.615, meanHours: KAD_ON_HOURS },
  off: { shape: 0.476, meanHours: KAD_OFF_HOURS },
}
const CASUAL: Omit<PeerClass, 'share'> = { lifeDays: 30, presence: KAD }

/** The person class of `ours`: how a sender's own device comes and goes. */
export const PERSON: Presence = HOME.presence

const ours = (always: number, home: number): readonly PeerClass[] => [
  { share: always, ...ALWAYS },
  { share: home, ...HOME },
  { share: 1 - always - home, ...CASUAL },
]

export const MODELS: readonly ChurnModel[] = [
  { name: 'ours', ordinary: true, classes: ours(0.3, 0.45) },
  { name: 'oursBad', ordinary: true, classes: ours(0.1, 0.5) },
  {
    name: 'oursOneTz',
    ordinary: true,
    oneZone: true,
    classes: [
      { share: 0.15, ...ALWAYS },
      { share: 0.45, ...HOME },
      { share: 0.4, lifeDays: 30, presence: { ...KAD, daytime: true } },
    ],
  },
  {
    name: 'ipfsMix',
    ordinary: true,
    classes: [
      { share: 0.12, ...ALWAYS },
      // Half of the sessions end within 2 h and four fifths within 8 h; pauses such that 0.37 of all are there.
      {
        share: 0.88,
        lifeDays: 30,
        presence: { kind: 'sessions', on: { shape: 0.608, meanHours: 5.41 }, off: { shape: 0.476, meanHours: 13.6 } },
      },
    ],
  },
  { name: 'weibKad', ordinary: false, classes: [{ share: 1, ...CASUAL }] },
  {
    name: 'expKad',
    ordinary: false,
    classes: [
      {
        share: 1,
        lifeDays: 30,
        presence: {
          kind: 'sessions',
          on: { shape: 1, meanHours: KAD_ON_HOURS },
          off: { shape: 1, meanHours: KAD_OFF_HOURS },
        },
      },
    ],
  },
]

/** MB-48: half an hour there, half an hour away. */
export const PERSON_30: Presence = {
  kind: 'sessions',
  on: { shape: 1, meanHours: 0.5 },
  off: { shape: 1, meanHours: 0.5 },
}

/** MB-48: such peers, of which two thirds are gone for good after a day. */
export const UPTIME_30: ChurnModel = {
  name: 'uptime30',
  ordinary: false,
  classes: [{ share: 1, lifeDays: 1, presence: PERSON_30 }],
}

export function modelOf(name: string): ChurnModel {
  const model = MODELS.find((model) => model.name === name)
  if (model === undefined) throw new TypeError(`there is no churn model called ${name}`)
  return model
}

/** A duration in hours. */
export function drawn({ shape, meanHours }: Law, random: Random): number {
  if (shape === 1) return exponential(random, meanHours)
  return (meanHours / gamma(1 + 1 / shape)) * (-Math.log(1 - random())) ** (1 / shape)
}

/** Γ(x) for x ≥ 1 (Lanczos, g = 7). */
function gamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ]
  const z = x - 1
  const sum = terms.reduce((sum, term, i) => sum + term / (z + i + 1), 0.99999999999980993)
  const t = z + 7.5
  return Math.sqrt(2 * Math.PI) * t ** (z + 0.5) * Math.exp(-t) * sum
}
