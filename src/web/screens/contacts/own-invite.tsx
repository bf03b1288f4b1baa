import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { CopyField } from '../../parts/copy-field.tsx'
import { QrCode } from '../../parts/qr-code.tsx'
import { Switch } from '../../parts/switch.tsx'
import { useStore } from '../../state/context.ts'

/** The user's own link and code. */
export function OwnInvite(): JSX.Element {
  const store = useStore()
  const link = useSignal('')
  const token = useSignal(false)
  useEffect(() => {
    void store
      .attempt(() => store.api.invite({ token: token.value }))
      .then((invite) => (link.value = invite?.link ?? ''))
  }, [token.value])
  const accountId = store.identity.value?.accountId ?? ''
  return (
    <section class="card" aria-label="Your invite">
      <h2>Give somebody yours</h2>
      <p class="quiet">Send the link over any way you trust, or let them take a picture of the code.</p>
      {link.value !== '' && (
        <>
          <QrCode text={link.value} label="QR code of your invite link" />
          <CopyField label="Your invite link" text={link.value} />
        </>
      )}
      <Switch
        label="For one guest"
        hint="The link has a one-time pass: their first request comes at once. Without it their device has to work a little first."
        on={token.value}
        onChange={(on) => (token.value = on)}
      />
      <CopyField label="Your account id" text={accountId} />
    </section>
  )
}
