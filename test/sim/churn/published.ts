/** What the design's own simulation found (400 letters a row), to stand beside: it is what k, W and the hour were chosen by. */
import type { ModelName } from './models.ts'

export interface PublishedRow {
  readonly unread: number
  readonly lost: number
  readonly repairedUnread: number
  readonly copies: number
}

export const PUBLISHED_AVAILABILITY: Readonly<Partial<Record<ModelName, number>>> = {
  ours: 0.52,
  oursBad: 0.36,
  oursOneTz: 0.36,
  ipfsMix: 0.37,
  weibKad: 0.23,
  expKad: 0.23,
}

const ROWS: Readonly<Record<string, PublishedRow>> = {
  'ours 3': { unread: 0.033, lost: 0.018, repairedUnread: 1.6e-4, copies: 2 },
  'ours 5': { unread: 9.6e-4, lost: 0, repairedUnread: 0, copies: 3.2 },
  'ours 8': { unread: 0, lost: 0, repairedUnread: 0, copies: 5.4 },
  'oursBad 5': { unread: 0.071, lost: 0.013, repairedUnread: 0, copies: 9.6 },
  'oursOneTz 5': { unread: 0.081, lost: 0.0025, repairedUnread: 0, copies: 9.3 },
  'ipfsMix 5': { unread: 0.071, lost: 0.065, repairedUnread: 0, copies: 7.2 },
  'weibKad 3': { unread: 0.65, lost: 0.55, repairedUnread: 1.9e-3, copies: 39 },
  'weibKad 5': { unread: 0.5, lost: 0.39, repairedUnread: 3.5e-6, copies: 61 },
  'weibKad 8': { unread: 0.33, lost: 0.205, repairedUnread: 0, copies: 92 },
  'expKad 3': { unread: 0.62, lost: 0.28, repairedUnread: 4.5e-3, copies: 43 },
  'expKad 5': { unread: 0.46, lost: 0.105, repairedUnread: 7.6e-5, copies: 67 },
  'expKad 8': { unread: 0.3, lost: 0.03, repairedUnread: 0, copies: 99 },
}

export const publishedRow = (model: ModelName, replicas: number): PublishedRow | undefined =>
  ROWS[`${model} ${replicas}`]

/** Lost for good with trust, with audits, with audits and the sender; by model and share of liars in per cent. */
export const PUBLISHED_LIARS: Readonly<Record<string, readonly [number, number, number]>> = {
  'ours 20': [0.0027, 0.0027, 0],
  'ours 33': [0.004, 0.004, 0],
  'ours 50': [0.085, 0.067, 0],
  'oursBad 20': [0, 0, 0],
  'oursBad 33': [0.004, 0.002, 0],
  'oursBad 50': [0.037, 0.021, 0],
  'weibKad 20': [0, 0, 0],
  'weibKad 33': [0.0013, 0.0013, 0],
  'weibKad 50': [0.043, 0.04, 0],
}

/** Unread on day 30 without repair (where it was told), with it, with the sender; by model and share gone in per cent. */
export const PUBLISHED_FAILURES: Readonly<Record<string, readonly [number | undefined, number, number]>> = {
  'ours 50': [0.115, 0.023, 0],
  'ours 80': [undefined, 0.177, 0],
  'oursBad 50': [undefined, 0, 0],
  'oursBad 80': [undefined, 0.133, 0],
}
