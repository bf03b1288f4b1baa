/** What the owner can choose, its bounds, and what is true where nothing was chosen. */
import { UsageError } from '../../lib/errors.ts'

export interface UserSettings {
  readonly readReceipts: boolean
  readonly typing: boolean
  readonly presence: boolean
  readonly retentionDays: number | null
  readonly autoLockMinutes: number | null
  readonly defaultTimerSeconds: number | null
}
export type UserSettingsChange = Partial<UserSettings>

/** Who is seen to be there has chosen that: presence is off at first. */
export const DEFAULT_SETTINGS: UserSettings = {
  readReceipts: true,
  typing: true,
  presence: false,
  retentionDays: null,
  autoLockMinutes: null,
  defaultTimerSeconds: null,
}

/** What a number may be; a week of minutes, ten years of days, and timers as conversations have them. */
export const SETTING_BOUNDS = {
  retentionDays: { min: 1, max: 3_650 },
  autoLockMinutes: { min: 1, max: 10_080 },
  defaultTimerSeconds: { min: 5, max: 2_419_200 },
} as const

const SWITCHES = ['readReceipts', 'typing', 'presence'] as const
const NUMBERS = ['retentionDays', 'autoLockMinutes', 'defaultTimerSeconds'] as const

function isNumberFor(name: (typeof NUMBERS)[number], value: unknown): value is number | null {
  const { min, max } = SETTING_BOUNDS[name]
  return value === null || (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
}

/** The settings after a change. Throws UsageError for a number out of its bounds. */
export function changed(before: UserSettings, change: UserSettingsChange): UserSettings {
  for (const name of NUMBERS) {
    const { min, max } = SETTING_BOUNDS[name]
    if (change[name] !== undefined && !isNumberFor(name, change[name]))
      throw new UsageError(`${name} is a whole number from ${min} to ${max}, or null`)
  }
  const given = Object.entries(change).filter(([name, value]) => name in before && value !== undefined)
  return { ...before, ...(Object.fromEntries(given) as UserSettingsChange) }
}

export const sameSettings = (a: UserSettings, b: UserSettings): boolean =>
  [...SWITCHES, ...NUMBERS].every((name) => a[name] === b[name])

export const encodeSettings = (settings: UserSettings): string => JSON.stringify(settings)

/** What was kept; whatever of it is not as it should be counts as not chosen. */
export function decodeSettings(kept: string | undefined): UserSettings {
  const fields = fieldsOf(kept)
  const switches = SWITCHES.filter((name) => typeof fields[name] === 'boolean')
  const numbers = NUMBERS.filter((name) => isNumberFor(name, fields[name]))
  const good = Object.fromEntries([...switches, ...numbers].map((name) => [name, fields[name]]))
  return { ...DEFAULT_SETTINGS, ...(good as UserSettingsChange) }
}

function fieldsOf(kept: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(kept ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
