import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { VerifyView } from '../../../api/application/contacts.ts'
import { to } from '../../app/routes.ts'
import { Button } from '../../parts/button.tsx'
import { Panel } from '../../parts/panel.tsx'
import { QrCode } from '../../parts/qr-code.tsx'
import { QrPictureInput } from '../../parts/qr-picture-input.tsx'
import { useStore } from '../../state/context.ts'
import { COMPARE_WORDS, compareCodes } from '../../words/safety.ts'
import type { Comparison } from '../../words/safety.ts'
import { TakeNewKey } from './take-new-key.tsx'

/** Sixty digits and a code: whether nobody sits between the two. */
export function SafetyNumber({ accountId }: { accountId: string }): JSX.Element {
  const store = useStore()
  const contact = store.byAccount.value.get(accountId)
  const number = useSignal<VerifyView | null>(null)
  const compared = useSignal<Comparison | null>(null)
  useEffect(() => {
    void store.attempt(() => store.api.safetyNumber(accountId)).then((answer) => (number.value = answer ?? null))
  }, [accountId, contact?.changed])

  const mark = (verified: boolean): Promise<void | undefined> =>
    store.attempt(async () => {
      store.putContact(await store.api.verifyContact(accountId, { verified }))
      store.notices.done(verified ? 'Marked as verified.' : 'No longer marked as verified.')
    })
  const name = store.nameOf(accountId)
  const shown = number.value
  return (
    <Panel title={`Verify ${name}`} back={to.contact(accountId)} backLabel="Back to the contact">
      {contact?.changed === true && <TakeNewKey accountId={accountId} />}
      <p>
        Compare these digits with {name} over another way: side by side, or on the telephone if you know the voice. If
        they are the same on both sides, nobody reads along.
      </p>
      {shown === null ? (
        <p role="status">Working it out…</p>
      ) : (
        <>
          <section class="card" aria-label="Safety number">
            <ol class="digits" aria-label="Safety number, twelve groups of five digits">
              {groupsOf(shown.digits).map((group, at) => (
                <li key={at}>{group}</li>
              ))}
            </ol>
            <QrCode text={shown.qr} label={`QR code of your safety number with ${name}`} />
            <QrPictureInput
              label={`Compare with a picture of ${name}’s code`}
              onText={(text) => (compared.value = compareCodes(shown.qr, text))}
            />
            {compared.value !== null && (
              <p class={`verdict ${compared.value}`} role="alert">
                {COMPARE_WORDS[compared.value]}
              </p>
            )}
          </section>
          <p>{contact?.verified === true ? `You marked ${name} as verified.` : `${name} is not verified yet.`} </p>
          <div class="buttons">
            {contact?.verified === true ? (
              <Button onPress={() => mark(false)}>Take the mark away</Button>
            ) : (
              <Button kind="main" icon="shield" disabled={contact?.changed === true} onPress={() => mark(true)}>
                The digits are the same: mark as verified
              </Button>
            )}
          </div>
        </>
      )}
    </Panel>
  )
}

const groupsOf = (digits: string): readonly string[] => digits.replaceAll(/\s/g, '').match(/\d{1,5}/g) ?? []
