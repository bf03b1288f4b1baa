import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { placesToCheck, wordFits } from '../../words/phrase.ts'
import { WelcomeFrame } from './welcome-frame.tsx'

export interface PhraseCheckProps {
  readonly phrase: string
  readonly onBack: () => void
  readonly onPassed: () => void
}

const random = (): number => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32

/** Three of the words, to see that they really are on paper. */
export function PhraseCheck({ phrase, onBack, onPassed }: PhraseCheckProps): JSX.Element {
  const places = useMemo(() => placesToCheck(random), [phrase])
  const typed = useSignal<readonly string[]>(places.map(() => ''))
  const checked = useSignal(false)
  const wrong = places.map((place, at) => !wordFits(phrase, place, typed.value[at] ?? ''))

  const check = (): void => {
    checked.value = true
    if (!wrong.includes(true)) onPassed()
  }
  return (
    <WelcomeFrame title="Check three of them">
      <p class="quiet">Look at your paper.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          check()
        }}
      >
        {places.map((place, at) => (
          <Field
            key={place}
            label={`Word ${place + 1}`}
            value={typed.value[at] ?? ''}
            onValue={(value) => {
              typed.value = typed.value.with(at, value)
            }}
            fault={checked.value && wrong[at] === true ? `This is not word ${place + 1}.` : undefined}
            required
          />
        ))}
        <div class="buttons">
          <Button onPress={onBack}>Show the words again</Button>
          <Button kind="main" type="submit">
            Done
          </Button>
        </div>
      </form>
    </WelcomeFrame>
  )
}
