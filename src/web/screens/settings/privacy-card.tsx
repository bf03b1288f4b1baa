import type { JSX } from 'preact'
import type { SettingsChange, SettingsView } from '../../../api/application/settings.ts'
import { Choice } from '../../parts/choice.tsx'
import { Switch } from '../../parts/switch.tsx'
import { useStore } from '../../state/context.ts'
import { TimerChoice } from '../conversation/timer-choice.tsx'

const RETENTION_DAYS = [7, 30, 90, 365]
const LOCK_MINUTES = [5, 15, 60, 480]

export function PrivacyCard({ settings }: { settings: SettingsView }): JSX.Element {
  const store = useStore()
  const save = (change: SettingsChange): Promise<void | undefined> =>
    store.attempt(async () => {
      store.settings.value = await store.api.updateSettings(change)
    })
  return (
    <section class="card" aria-label="Privacy">
      <h2>Privacy</h2>
      <Switch
        label="Read receipts"
        hint="Off: nobody is told what you read, and you are not told either."
        on={settings.readReceipts}
        onChange={(readReceipts) => save({ readReceipts })}
      />
      <Switch
        label="Typing"
        hint="Contacts that are connected directly see while you type. It is kept nowhere."
        on={settings.typing}
        onChange={(typing) => save({ typing })}
      />
      <Switch
        label="Presence"
        hint="Contacts that are connected see that you are online. Off: you do not see theirs either."
        on={settings.presence}
        onChange={(presence) => save({ presence })}
      />
      <TimerChoice
        label="New conversations: messages disappear"
        value={settings.defaultTimerSeconds}
        onValue={(defaultTimerSeconds) => save({ defaultTimerSeconds })}
      />
      <Choice
        label="Keep messages on this device"
        hint="Older ones are deleted here; the other side keeps theirs."
        value={textOf(settings.retentionDays)}
        options={[['', 'For ever'], ...choices(RETENTION_DAYS, settings.retentionDays, (days) => `${days} days`)]}
        onValue={(value) => save({ retentionDays: numberOf(value) })}
      />
      <Choice
        label="Lock by itself"
        hint="After this long without you, the keys are sealed again."
        value={textOf(settings.autoLockMinutes)}
        options={[['', 'Never'], ...choices(LOCK_MINUTES, settings.autoLockMinutes, minutesWords)]}
        onValue={(value) => save({ autoLockMinutes: numberOf(value) })}
      />
    </section>
  )
}

const textOf = (value: number | null): string => (value === null ? '' : String(value))
const numberOf = (value: string): number | null => (value === '' ? null : Number(value))

const minutesWords = (minutes: number): string =>
  minutes % 60 === 0 ? `after ${minutes / 60} h` : `after ${minutes} minutes`

/** The usual values, and the one that is set. */
function choices(
  usual: readonly number[],
  now: number | null,
  words: (value: number) => string,
): readonly (readonly [string, string])[] {
  const all = now === null || usual.includes(now) ? usual : [...usual, now].sort((one, other) => one - other)
  return all.map((value) => [String(value), words(value)])
}
