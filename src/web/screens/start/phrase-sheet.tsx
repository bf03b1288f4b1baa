import type { JSX } from 'preact'
import { Button } from '../../parts/button.tsx'
import { wordsOf } from '../../words/phrase.ts'
import { WelcomeFrame } from './welcome-frame.tsx'

/** The 24 words, this once. No copy button on purpose: a clipboard is read by others. */
export function PhraseSheet({ phrase, onWritten }: { phrase: string; onWritten: () => void }): JSX.Element {
  return (
    <WelcomeFrame title="Write these 24 words down">
      <p>
        On paper, in this order. They are shown <strong>this one time</strong>. With them you get your account, contacts
        and waiting mail back on a new device. Whoever has them is you.
      </p>
      <ol class="phrase" aria-label="Recovery words">
        {wordsOf(phrase).map((word, at) => (
          <li key={at}>{word}</li>
        ))}
      </ol>
      <Button kind="main" onPress={onWritten}>
        I have written them down
      </Button>
    </WelcomeFrame>
  )
}
