import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { TokenView } from '../../../api/application/access.ts'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import { ago, whole } from '../../words/time.ts'

const SCOPE_WORDS: Readonly<Record<TokenView['scope'], string>> = {
  read: 'may read',
  send: 'may read and write messages',
  admin: 'may do everything',
}

/** Programs and tabs that were let in. */
export function TokensCard(): JSX.Element {
  const store = useStore()
  const tokens = useSignal<readonly TokenView[]>([])
  const load = (): Promise<void | undefined> =>
    store.attempt(async () => {
      tokens.value = await store.api.tokens()
    })
  useEffect(() => {
    void load()
  }, [])
  const revoke = (id: string) => (): Promise<void | undefined> =>
    store.attempt(async () => {
      await store.api.revokeToken(id)
      await load()
    })
  return (
    <section class="card" aria-label="Access">
      <h2>Who is let in</h2>
      <p class="quiet">
        Tabs and programs with a token of their own. Bots get one from <code>sotto token create</code>.
      </p>
      {tokens.value.length === 0 ? (
        <p>No other token was given out.</p>
      ) : (
        <ul class="tokens" aria-label="Tokens">
          {tokens.value.map(({ id, name, scope, createdAt, expiresAt, usedAt }) => (
            <li key={id}>
              <div>
                <strong>{name}</strong> {SCOPE_WORDS[scope]}
                <p class="quiet">
                  since {whole(createdAt)}
                  {usedAt !== null && `, used ${ago(usedAt, Date.now())}`}
                  {expiresAt !== null && `, until ${whole(expiresAt)}`}
                </p>
              </div>
              <Button kind="danger" onPress={revoke(id)}>
                Revoke <span class="unseen">{name}</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
