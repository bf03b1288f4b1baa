import type { JSX } from 'preact'
import { WelcomeFrame } from './welcome-frame.tsx'

export function Waiting({ away }: { away: boolean }): JSX.Element {
  if (!away) {
    return (
      <WelcomeFrame title="One moment">
        <p role="status">Asking the daemon…</p>
      </WelcomeFrame>
    )
  }
  return (
    <WelcomeFrame title="Sotto is not running">
      <p role="alert">The daemon on this computer does not answer. The page tries again by itself.</p>
      <p>To start it, in a terminal:</p>
      <pre class="command">
        <code>sotto daemon</code>
      </pre>
    </WelcomeFrame>
  )
}
