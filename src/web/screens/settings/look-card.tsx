import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Choice } from '../../parts/choice.tsx'
import { Switch } from '../../parts/switch.tsx'
import { setSingleKeys, singleKeys } from '../../state/keys.ts'
import { notifying, setNotify } from '../../state/notify.ts'
import type { Theme } from '../../state/theme.ts'
import { setTheme, theme } from '../../state/theme.ts'

const THEMES: readonly (readonly [Theme, string])[] = [
  ['auto', 'As the system has it'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

export function LookCard(): JSX.Element {
  const blocked = useSignal(false)
  return (
    <section class="card" aria-label="Look">
      <h2>Look</h2>
      <Choice
        label="Theme"
        hint="Kept in this browser."
        value={theme.value}
        options={THEMES}
        onValue={(next) => {
          setTheme(next, localStorage, document.documentElement)
        }}
      />
      <Switch
        label="Notifications"
        hint={
          blocked.value
            ? 'This browser does not allow them for this page: see its settings.'
            : 'Who wrote, never what, while you look elsewhere. Kept in this browser.'
        }
        on={notifying.value}
        onChange={async (on) => {
          blocked.value = !(await setNotify(on, localStorage)) && on
        }}
      />
      <Switch
        label="Single-letter keys"
        hint="Outside of text fields a letter alone goes somewhere. Off, the same keys work with Alt held. Kept in this browser."
        on={singleKeys.value}
        onChange={(on) => {
          setSingleKeys(on, localStorage)
        }}
      />
    </section>
  )
}
