import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'

/** The loud warning before a changed key is believed. */
export function TakeNewKey({ accountId }: { accountId: string }): JSX.Element {
  const store = useStore()
  const asking = useSignal(false)
  const name = store.nameOf(accountId)
  return (
    <div class="alarm" role="alert">
      <Icon name="warning" />
      <div>
        <p>
          <strong>The keys of {name} do not fit the ones you know.</strong> Ask {name} over another way whether they
          made their account anew. If they did not, somebody pretends to be them.
        </p>
        <Button kind="danger" onPress={() => (asking.value = true)}>
          Take the new keys
        </Button>
      </div>
      {asking.value && (
        <Confirm
          title="Take the new keys?"
          yes="Take them"
          danger
          onClose={() => (asking.value = false)}
          onYes={() =>
            store.attempt(async () => {
              store.putContact(await store.api.verifyContact(accountId, { acceptChange: true }))
            })
          }
        >
          <p>From then on your messages are sealed to the new keys. Compare the safety number again afterwards.</p>
        </Confirm>
      )}
    </div>
  )
}
