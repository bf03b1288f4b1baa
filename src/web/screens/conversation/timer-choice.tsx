import type { JSX } from 'preact'
import { Choice } from '../../parts/choice.tsx'
import { TIMERS_SECONDS, duration } from '../../words/time.ts'

export interface TimerChoiceProps {
  readonly label: string
  /** In seconds; null for none. */
  readonly value: number | null
  readonly onValue: (value: number | null) => unknown
  readonly hint?: string
}

/** The usual times, and the one that is set where it is none of them. */
export function TimerChoice({ label, value, onValue, ...rest }: TimerChoiceProps): JSX.Element {
  const times = value === null || TIMERS_SECONDS.includes(value) ? TIMERS_SECONDS : [...TIMERS_SECONDS, value]
  const options = times
    .toSorted((one, other) => one - other)
    .map((time) => [String(time), `after ${duration(time)}`] as const)
  return (
    <Choice
      label={label}
      value={value === null ? 'off' : String(value)}
      options={[['off', 'Never'], ...options]}
      onValue={(chosen) => onValue(chosen === 'off' ? null : Number(chosen))}
      {...rest}
    />
  )
}
