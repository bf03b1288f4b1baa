import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import type { CreatedIdentity } from '../../../api/application/account.ts'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import { CreateAccount } from './create-account.tsx'
import { PhraseCheck } from './phrase-check.tsx'
import { PhraseSheet } from './phrase-sheet.tsx'
import { RestoreBackup } from './restore-backup.tsx'
import { RestorePhrase } from './restore-phrase.tsx'
import { WelcomeFrame } from './welcome-frame.tsx'

type Step = 'choose' | 'create' | 'sheet' | 'check' | 'words' | 'file' | 'found'

/** An empty home: make an account, or bring one back. `created` is told before the daemon's own state changes the screen. */
export function FirstRun({ onDone }: { onDone: () => void }): JSX.Element {
  const store = useStore()
  const step = useSignal<Step>('choose')
  const phrase = useSignal('')
  const found = useSignal<CreatedIdentity['recovered']>(null)
  const choose = (): void => {
    step.value = 'choose'
  }
  const finish = (): void => {
    phrase.value = ''
    void store.readStatus().finally(onDone)
  }

  switch (step.value) {
    case 'create':
      return (
        <CreateAccount
          onBack={choose}
          onCreated={(words) => {
            phrase.value = words
            step.value = 'sheet'
          }}
        />
      )
    case 'sheet':
      return <PhraseSheet phrase={phrase.value} onWritten={() => (step.value = 'check')} />
    case 'check':
      return <PhraseCheck phrase={phrase.value} onBack={() => (step.value = 'sheet')} onPassed={finish} />
    case 'words':
      return (
        <RestorePhrase
          onBack={choose}
          onRestored={(recovered) => {
            found.value = recovered
            step.value = 'found'
          }}
        />
      )
    case 'file':
      return <RestoreBackup onBack={choose} onRestored={finish} />
    case 'found':
      return <Found recovered={found.value} onDone={finish} />
    case 'choose':
      return (
        <WelcomeFrame title="Welcome">
          <p>
            A messenger without servers. Your messages go from device to device, sealed so that only the other side can
            read them, and wait with five strangers’ devices, still sealed, while it is away.
          </p>
          <div class="stack">
            <Button kind="main" onPress={() => (step.value = 'create')}>
              Create an account
            </Button>
            <Button onPress={() => (step.value = 'words')}>Restore with 24 words</Button>
            <Button onPress={() => (step.value = 'file')}>Restore from a backup file</Button>
          </div>
          <p class="quiet">No phone number, no e-mail address, no name is asked for.</p>
        </WelcomeFrame>
      )
  }
}

function Found({ recovered, onDone }: { recovered: CreatedIdentity['recovered']; onDone: () => void }): JSX.Element {
  return (
    <WelcomeFrame title="Your account is back">
      <ul class="facts">
        <li>
          {recovered?.card === true
            ? 'Your account’s card was found in the network.'
            : 'No card of your account was found in the network yet; a new one is made.'}
        </li>
        <li>
          {recovered === null || recovered.contacts === 0
            ? 'No contacts were found.'
            : `Contacts found: ${recovered.contacts}.`}
        </li>
        <li>{recovered?.settings === true ? 'Your settings were found.' : 'No settings were found.'}</li>
      </ul>
      <p class="quiet">
        Old conversations are not in the network: they are on your former device, or in a backup file.
      </p>
      <Button kind="main" onPress={onDone}>
        Go on
      </Button>
    </WelcomeFrame>
  )
}
