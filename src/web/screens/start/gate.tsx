import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { useStore } from '../../state/context.ts'
import { codeIn } from '../../state/session.ts'
import type { Door } from '../../state/store.ts'
import { explain } from '../../words/errors.ts'
import { WelcomeFrame } from './welcome-frame.tsx'

const WHY: Readonly<Partial<Record<Door, string>>> = {
  used: 'This link was used already, or is older than a minute. Each link lets in one tab, once.',
  anew: 'Sotto was stopped, and something answers in its place again. Whether that is Sotto, this page cannot know: nothing was sent to it.',
  refused: 'This tab is not let in any more: its access was ended, or has run out.',
}

/** Who has no token: a page from elsewhere, an old tab, or one whose daemon has gone. */
export function Gate({ door }: { door: Door }): JSX.Element {
  const store = useStore()
  const kept = store.drafts.unsaved.value || store.outgoing.list.value.length > 0
  return (
    <WelcomeFrame title="Open this page from your terminal">
      {WHY[door] !== undefined && (
        <p class="notice-box" role="alert">
          {WHY[door]}
        </p>
      )}
      <p>Sotto lets in only who can use this computer’s account. In a terminal, run:</p>
      <pre class="command">
        <code>sotto open</code>
      </pre>
      <p class="quiet">
        It opens this page with a code of one use. The tab stays open to you until you close it, end it in the settings,
        or Sotto stops.
      </p>
      {kept && (
        <p role="status">
          What you typed and Sotto did not have yet is kept in this tab: let this very tab in to go on with it.
        </p>
      )}
      {door !== 'closed' && <LinkForm />}
    </WelcomeFrame>
  )
}

/** Lets in this tab, with what is in it. */
function LinkForm(): JSX.Element {
  const store = useStore()
  const link = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const enter = async (): Promise<void> => {
    const code = codeIn(link.value)
    fault.value = linkFault(link.value, code)
    if (code === undefined || fault.value !== undefined) return
    try {
      await store.enter(code)
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`.trim()
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void enter()
      }}
    >
      <Field
        label="Link of sotto open --print"
        value={link.value}
        onValue={(value) => (link.value = value)}
        fault={fault.value}
        hint="To go on in this tab, paste the link here."
      />
      <Button type="submit" disabled={link.value.trim() === ''}>
        Let this tab in
      </Button>
    </form>
  )
}

/** A code goes nowhere but to where it leads. */
function linkFault(link: string, code: string | undefined): string | undefined {
  if (code === undefined) return 'This is not a link of sotto open: it ends in #code= and a code.'
  const origin = URL.parse(link.trim())?.origin
  return origin === location.origin ? undefined : 'Sotto is at another address now: open the link in a new tab.'
}
