import type { JSX } from 'preact'
import { to } from '../../app/routes.ts'
import { Button } from '../../parts/button.tsx'
import { CopyField } from '../../parts/copy-field.tsx'
import { useStore } from '../../state/context.ts'

export function AboutCard(): JSX.Element {
  const store = useStore()
  const status = store.status.value
  return (
    <section class="card" aria-label="About">
      <h2>About</h2>
      <p>
        Sotto {status?.version}, network “{status?.network}”. Free software under the Apache licence 2.0.
      </p>
      <CopyField label="Your account id" text={store.identity.value?.accountId ?? ''} />
      <p>
        <a href={to.guidePage('promises')}>What Sotto does not promise</a>
      </p>
      <Button icon="lock" onPress={() => store.attempt(() => store.lock())}>
        Lock now
      </Button>
    </section>
  )
}
